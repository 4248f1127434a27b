/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_WRITER_H
#define WX_WRITER_H

#include <wax/body.h>

#include "base/buf.h"

/*
 * What the sinks for lines share: a buffer in front of a descriptor, written in whole lines.
 */

#define WX_WRITE_BYTES   (64u << 10)  /* written at once, as soon as so many have come together */
#define WX_LINE_TEXT_MAX (256u << 20) /* a record whose line is longer is refused */

struct wx_writer {
    struct wx_buf buf;
    /* Writes `len` bytes out. WAX_OK, or WAX_FAIL after wax_fail(). */
    int (*emit)(struct wx_writer *writer, const char *bytes, size_t len, wax_cx *cx);
};

/* The `write` of a sink: formats all of `io`, and emits whenever enough has come together. */
int wx_writer_put(struct wx_writer *writer, wax_io *io);
/* Emit what is held back. */
int wx_writer_flush(struct wx_writer *writer, wax_cx *cx);
/* Frees the buffer; what is in it is lost. */
void wx_writer_fini(struct wx_writer *writer);

/* write(2) until everything is out, also when `fd` does not block. 0, or -1 with errno. */
int wx_write_all(int fd, const char *bytes, size_t len);

#endif /* WX_WRITER_H */
