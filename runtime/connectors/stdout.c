/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output. Each worker collects lines and writes whole ones, many at a time; a mutex keeps
 * the workers of a process apart. Several processes that share a terminal or a pipe set
 * WAX_STDOUT_LOCK to the path of a file, which is locked around each write, so that their lines do
 * not mix either.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "connectors/writer.h"
#include "core/engine.h"

#define LOCK_VARIABLE "WAX_STDOUT_LOCK"

/* Around each write, and around what follows. */
static pthread_mutex_t output_mutex = PTHREAD_MUTEX_INITIALIZER;
static int lock_fd = -1; /* opened by the first write, then kept */

static int take_lock(wax_cx *cx)
{
    const char *path = getenv(LOCK_VARIABLE);
    if (!path || !*path)
        return WAX_OK;
    if (lock_fd < 0)
        lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd < 0)
        return wax_fail(cx, "cannot open the lock file '%s' (" LOCK_VARIABLE "): %s", path,
                        strerror(errno));
    while (flock(lock_fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return wax_fail(cx, "cannot lock '%s' (" LOCK_VARIABLE "): %s", path, strerror(errno));
    return WAX_OK;
}

static int emit_locked(const char *bytes, size_t len, wax_cx *cx)
{
    if (take_lock(cx) < 0)
        return WAX_FAIL;
    int rc = wx_write_all(STDOUT_FILENO, bytes, len), cause = errno;
    if (lock_fd >= 0)
        flock(lock_fd, LOCK_UN);
    if (rc == 0)
        return WAX_OK;
    if (cause == EPIPE)
        return wax_fail(cx, "standard output was closed");
    return wax_fail(cx, "cannot write to standard output: %s", strerror(cause));
}

static int emit(struct wx_writer *writer, const char *bytes, size_t len, wax_cx *cx)
{
    (void)writer;
    pthread_mutex_lock(&output_mutex);
    int rc = emit_locked(bytes, len, cx);
    pthread_mutex_unlock(&output_mutex);
    return rc;
}

static int put(void *self, wax_io *io)
{
    return wx_writer_put(self, io);
}

static int flush(void *self, wax_cx *cx)
{
    return wx_writer_flush(self, cx);
}

static void close_writer(void *self)
{
    wx_writer_fini(self);
}

static int (*const open_hook)(void *, wax_cx *) = NULL;
static void (*const close_hook)(void *) = close_writer;
static int (*const flush_hook)(void *, wax_cx *) = flush;

static const wax_self writer_self = {.name = "stdout",
                                     .size = sizeof(struct wx_writer),
                                     .align = _Alignof(struct wx_writer),
                                     .open = &open_hook,
                                     .close = &close_hook};

static const wax_sink_ops stdout_ops = {.abi = WAX_ABI,
                                        .size = sizeof(wax_sink_ops),
                                        .name = "stdout",
                                        .self = &writer_self,
                                        .write = put,
                                        .flush = &flush_hook};

wax_sink *wax_stdout(void)
{
    struct wx_writer self = {.emit = emit};
    return wax_sink_create(&stdout_ops, &self);
}
