/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer: doubles up to its maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void wx_buf_free(struct wx_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}

void *wx_buf_reserve(struct wx_buf *buf, size_t len)
{
    if (buf->full || len > buf->max - buf->len) {
        buf->full = true;
        return NULL;
    }
    if (!buf->data || buf->cap - buf->len < len) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap - buf->len < len)
            cap *= 2;
        buf->data = wx_realloc(buf->data, cap);
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void wx_buf_put(struct wx_buf *buf, const void *bytes, size_t len)
{
    void *to = wx_buf_reserve(buf, len);
    if (!to || len == 0)
        return;
    memcpy(to, bytes, len);
    buf->len += len;
}

void wx_buf_puts(struct wx_buf *buf, const char *text)
{
    wx_buf_put(buf, text, strlen(text));
}

void wx_buf_printf(struct wx_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = len < 0 ? NULL : wx_buf_reserve(buf, (size_t)len + 1);
    if (to) {
        vsnprintf(to, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void wx_buf_consume(struct wx_buf *buf, size_t len)
{
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}

const char *wx_buf_text(struct wx_buf *buf)
{
    if (!buf->data && !wx_buf_reserve(buf, 1))
        return "";
    if (buf->len == buf->cap)
        buf->data = wx_realloc(buf->data, ++buf->cap);
    buf->data[buf->len] = '\0';
    return buf->data;
}
