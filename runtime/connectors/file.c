/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of lines. One worker writes it, from the beginning: what was there before is gone when the
 * dataflow starts. At the end of each epoch that wrote something the file is synced, so that what
 * an epoch has written is on the disk before the epoch can be committed. There is no recovery:
 * after a restart the file begins anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "connectors/writer.h"
#include "core/engine.h"

struct file {
    struct wx_writer writer; /* first */
    char path[PATH_MAX + 1]; /* room for one that is too long, which open() refuses */
    int fd;                  /* -1: not open */
    bool unsynced;
};

static int emit(struct wx_writer *writer, const char *bytes, size_t len, wax_cx *cx)
{
    struct file *self = (struct file *)(void *)writer;
    self->unsynced = true;
    if (wx_write_all(self->fd, bytes, len) < 0)
        return wax_fail(cx, "cannot write to '%s': %s", self->path, strerror(errno));
    return WAX_OK;
}

static int open_file(void *sink, wax_cx *cx)
{
    struct file *self = sink;
    self->fd = open(self->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (self->fd < 0)
        return wax_fail(cx, "cannot open '%s' for writing: %s", self->path, strerror(errno));
    return WAX_OK;
}

static void close_file(void *sink)
{
    struct file *self = sink;
    if (self->fd >= 0)
        close(self->fd);
    wx_writer_fini(&self->writer);
}

static int put(void *sink, wax_io *io)
{
    struct file *self = sink;
    return wx_writer_put(&self->writer, io);
}

static int flush(void *sink, wax_cx *cx)
{
    struct file *self = sink;
    return wx_writer_flush(&self->writer, cx);
}

static int sync_file(void *sink, uint64_t epoch, wax_cx *cx)
{
    struct file *self = sink;
    (void)epoch;
    if (flush(self, cx) < 0)
        return WAX_FAIL;
    if (!self->unsynced)
        return WAX_OK;
    self->unsynced = false;
    /* Pipes and devices cannot be synced, and need not be. */
    if (fdatasync(self->fd) < 0 && errno != EINVAL && errno != EROFS)
        return wax_fail(cx, "cannot sync '%s': %s", self->path, strerror(errno));
    return WAX_OK;
}

static int (*const open_hook)(void *, wax_cx *) = open_file;
static void (*const close_hook)(void *) = close_file;
static int (*const flush_hook)(void *, wax_cx *) = flush;
static int (*const pre_commit_hook)(void *, uint64_t, wax_cx *) = sync_file;

static const wax_self file_self = {.name = "lines_file",
                                   .size = sizeof(struct file),
                                   .align = _Alignof(struct file),
                                   .open = &open_hook,
                                   .close = &close_hook};

static const wax_sink_ops file_ops = {.abi = WAX_ABI,
                                      .size = sizeof(wax_sink_ops),
                                      .name = "lines_file",
                                      .self = &file_self,
                                      .single = true,
                                      .write = put,
                                      .flush = &flush_hook,
                                      .pre_commit = &pre_commit_hook};

wax_sink *wax_lines_file(const char *path)
{
    struct file self = {.writer = {.emit = emit}, .fd = -1};
    strncpy(self.path, path ? path : "", sizeof self.path - 1);
    return wax_sink_create(&file_ops, &self);
}
