/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_BUF_H
#define WX_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte buffer with a maximum: no input can make it larger than its owner said. Zeroed
 * except for `max` is a valid empty buffer. Once an append does not fit, `full` is set and all
 * later ones do nothing: callers append without checking and look once at the end.
 */
struct wx_buf {
    char *data; /* not NUL-terminated */
    size_t len, cap, max;
    bool full;
};

void wx_buf_free(struct wx_buf *buf);
/* Room for `len` more bytes at the end, not counted in `len`. NULL and `full` when over `max`. */
void *wx_buf_reserve(struct wx_buf *buf, size_t len);
void wx_buf_put(struct wx_buf *buf, const void *bytes, size_t len);
void wx_buf_puts(struct wx_buf *buf, const char *text);
void wx_buf_printf(struct wx_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first `len` bytes. */
void wx_buf_consume(struct wx_buf *buf, size_t len);
/* A NUL-terminated view, borrowed until the next change; "" when there is nothing. */
const char *wx_buf_text(struct wx_buf *buf);

#endif /* WX_BUF_H */
