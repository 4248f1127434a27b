/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer in front of a descriptor: see the header. */
#include "connectors/writer.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "connectors/format.h"

int wx_write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

int wx_writer_flush(struct wx_writer *writer, wax_cx *cx)
{
    struct wx_buf *buf = &writer->buf;
    if (buf->len == 0)
        return WAX_OK;
    int rc = writer->emit(writer, buf->data, buf->len, cx);
    buf->len = 0;
    return rc;
}

int wx_writer_put(struct wx_writer *writer, wax_io *io)
{
    struct wx_buf *buf = &writer->buf;
    buf->max = WX_WRITE_BYTES + (size_t)WX_LINE_TEXT_MAX;
    while (io->at < io->n) {
        io->at = wx_format_lines(io, io->at, WX_WRITE_BYTES, buf);
        if (buf->full) {
            buf->full = false;
            return wax_fail(io->cx, "as text it takes more than %u bytes", WX_LINE_TEXT_MAX);
        }
        if (buf->len >= WX_WRITE_BYTES && wx_writer_flush(writer, io->cx) < 0) {
            io->at--; /* the last one formatted stands for all that were lost */
            return WAX_FAIL;
        }
    }
    return WAX_OK;
}

void wx_writer_fini(struct wx_writer *writer)
{
    wx_buf_free(&writer->buf);
}
