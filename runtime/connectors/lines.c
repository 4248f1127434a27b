/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of text: a file, all files of a directory, a pipe, standard input.
 *
 * A regular file is divided into byte ranges, one part each, whose number follows from its size
 * alone. A line belongs to the part in which it begins, so a part first looks for a line end just
 * before its range, and reads its last line to the end, beyond the range. Bytes are read straight
 * into the memory of the output batch and sliced there. A read is as long as a batch of lines is
 * expected to be; a line that it cuts is read again by the next one. A part holds no data between
 * calls: its position says everything.
 *
 * What cannot be read at an offset (pipes, terminals) is one part. It is read into a buffer of its
 * own, which keeps the line that is not complete, and complete lines are copied out. Nothing here
 * blocks: poll() says first whether there is something; standard input may be shared, so its flags
 * are left alone. Its position is for information only: after a restart such a part goes on with
 * what comes next.
 *
 * Part names: "PATH 3/12 16384-24576" (the third of twelve, its bytes), or PATH alone.
 */
#include "connectors/lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "connectors/scan.h"
#include "core/engine.h"

#define PART_BYTES_MIN  (8u << 10) /* small files: about so many bytes a part ... */
#define PART_BYTES      (1u << 20) /* ... and larger ones about so many ... */
#define PARTS_SMALL_MAX 16u        /* ... from the size on where that gives more parts than this */
#define PARTS_MAX       256u       /* of one file */
#define READ_MIN        (4u << 10)
#define READ_MAX        (256u << 10) /* unless one line needs more */
#define READ_GROWTH     4u           /* per attempt at a line that does not fit */
#define LINE_GUESS      64u          /* bytes, before the first line was seen */
#define TAIL_LINES      4u           /* lines that a read goes beyond the end of the range */
#define STREAM_BYTES    (64u << 10)  /* buffer of a pipe: what one holds */
#define LINE_MAX_BYTES  (1u << 31)   /* whatever --max-record says: a length has 32 bits */

#define STDIN_PATH "-"

/* Where a part goes on in its file. Not `begun`: it is looking for its first line, or has not
 * started. */
WAX_RECORD(wx_lines_pos, (int64_t, offset), (bool, begun));

/* SELF of the source; of each part from `file` on. */
struct reader {
    char *path; /* owned by the source, shared by its parts */
    char *file; /* owned */
    int fd;     /* -1: not open */
    bool stream;
    uint64_t from, to; /* range: bytes of the file */
    uint64_t line_len; /* bytes a line takes on average, its end included */
    char *held;        /* stream: bytes not given yet, [held_at, held_end); owned */
    size_t held_at, held_end, held_cap;
    bool held_lines; /* stream: there may be a complete line in them */
    bool ended;      /* stream: nothing more to read */
};

static const char *display_name(const struct reader *self)
{
    return strcmp(self->file, STDIN_PATH) == 0 ? "standard input" : self->file;
}

/* ---- parts ----------------------------------------------------------------------------------- */

uint32_t wx_lines_parts(uint64_t size)
{
    uint64_t small = (size + PART_BYTES_MIN / 2) / PART_BYTES_MIN;
    uint64_t large = size / PART_BYTES;
    uint64_t n = small <= PARTS_SMALL_MAX  ? small
                 : large > PARTS_SMALL_MAX ? large
                                           : PARTS_SMALL_MAX;
    return n == 0 ? 1 : n > PARTS_MAX ? PARTS_MAX : (uint32_t)n;
}

uint64_t wx_lines_part_begin(uint64_t size, uint32_t i, uint32_t n)
{
    uint64_t longer = size % n; /* the first ones are longer by one byte */
    return size / n * i + (i < longer ? i : longer);
}

static void add_file(wax_parts *parts, const char *path, uint64_t size)
{
    uint32_t n = wx_lines_parts(size);
    for (uint32_t i = 0; i < n; i++)
        wax_part(parts, "%s %u/%u %" PRIu64 "-%" PRIu64, path, i + 1, n,
                 wx_lines_part_begin(size, i, n), wx_lines_part_begin(size, i + 1, n));
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* By bytes, so that the order is the same under every locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(wax_parts *parts, const char *path, wax_cx *cx)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_visible, compare_names);
    if (n < 0)
        return wax_fail(cx, "cannot read directory '%s': %s", path, strerror(errno));
    int rc = WAX_OK;
    const char *slash = path[0] && path[strlen(path) - 1] == '/' ? "" : "/";
    for (int i = 0; i < n; i++) {
        size_t size = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *file = wx_alloc(size);
        snprintf(file, size, "%s%s%s", path, slash, entries[i]->d_name);
        struct stat st;
        if (rc == WAX_OK && stat(file, &st) < 0)
            rc = wax_fail(cx, "cannot read '%s': %s", file, strerror(errno));
        else if (rc == WAX_OK && S_ISREG(st.st_mode))
            add_file(parts, file, (uint64_t)st.st_size);
        free(file);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int list_parts(const void *source, wax_parts *parts, wax_cx *cx)
{
    const char *path = ((const struct reader *)source)->path;
    if (strcmp(path, STDIN_PATH) == 0) {
        wax_part(parts, "%s", path);
        return WAX_OK;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return wax_fail(cx, "cannot read '%s': %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return add_directory(parts, path, cx);
    if (S_ISREG(st.st_mode))
        add_file(parts, path, (uint64_t)st.st_size);
    else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        wax_part(parts, "%s", path);
    else
        return wax_fail(cx, "cannot read '%s': it is a %s, not a file, directory or pipe", path,
                        S_ISSOCK(st.st_mode) ? "socket" : "device");
    return WAX_OK;
}

/* The last `n` blanks of `name` from the right, or NULL. */
static char *nth_blank_from_end(char *name, uint32_t n)
{
    char *at = name + strlen(name);
    while (n > 0 && at > name)
        n -= *--at == ' ';
    return n == 0 ? at : NULL;
}

static int start_part(void *part, void *pos, wax_str name, wax_cx *cx)
{
    struct reader *self = part;
    (void)pos;
    self->file = wx_alloc((size_t)name.len + 1);
    memcpy(self->file, name.ptr, name.len);
    self->file[name.len] = '\0';
    self->line_len = LINE_GUESS;
    self->stream = strcmp(self->file, self->path) == 0;
    if (self->stream)
        return WAX_OK;
    char *range = nth_blank_from_end(self->file, 2);
    uint32_t i, n;
    if (!range || sscanf(range, " %" SCNu32 "/%" SCNu32 " %" SCNu64 "-%" SCNu64, &i, &n,
                         &self->from, &self->to) != 4)
        return wax_fail(cx, "'%s' is not the name of a part of '%s'", self->file, self->path);
    *range = '\0';
    return WAX_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int open_file(struct reader *self, wax_cx *cx)
{
    if (self->fd >= 0)
        return WAX_OK;
    if (strcmp(self->file, STDIN_PATH) == 0) {
        self->fd = STDIN_FILENO;
        return WAX_OK;
    }
    /* Opening a pipe would otherwise wait for somebody to write to it. */
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (self->stream ? O_NONBLOCK : 0);
    self->fd = open(self->file, flags);
    if (self->fd < 0)
        return wax_fail(cx, "cannot open '%s': %s", self->file, strerror(errno));
    return WAX_OK;
}

static void close_file(struct reader *self)
{
    if (self->fd > STDIN_FILENO)
        close(self->fd);
    self->fd = -1;
}

/* Reads until `len` bytes are there or the file ends. */
static int read_at(const struct reader *self, char *to, size_t len, uint64_t offset, size_t *got,
                   wax_cx *cx)
{
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(self->fd, to + *got, len - *got, (off_t)(offset + *got));
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return wax_fail(cx, "cannot read '%s': %s", self->file, strerror(errno));
        *got += n > 0 ? (size_t)n : 0;
    }
    return WAX_OK;
}

static int fail_shorter(const struct reader *self, uint64_t size, wax_cx *cx)
{
    return wax_fail(cx,
                    "'%s' has become shorter while it was read: it ends at byte %" PRIu64
                    ", there was text up to byte %" PRIu64,
                    self->file, size, self->to);
}

/* The most bytes a line may have with its end. */
static size_t line_max(wax_cx *cx)
{
    uint64_t max = wx_cx_record_max(cx);
    return max < LINE_MAX_BYTES ? (size_t)max : LINE_MAX_BYTES;
}

static int fail_too_long(const struct reader *self, int64_t offset, wax_cx *cx)
{
    return wax_fail(
        cx, "the line at byte %" PRId64 " of '%s' is longer than --max-record allows (%zu bytes)",
        offset, display_name(self), line_max(cx));
}

/* ---- a range of a file ----------------------------------------------------------------------- */

/*
 * Moves `pos` to the first line that begins inside the range, looking at one buffer of bytes a
 * call. WAX_EOF when there is none.
 */
static int find_first_line(struct reader *self, wx_lines_pos *pos, wax_cx *cx)
{
    char bytes[READ_MIN * 2];
    uint64_t at = pos->offset ? (uint64_t)pos->offset : self->from - 1;
    uint64_t left =
        self->to - 1 - at; /* a line end in the last byte begins a line of the next part */
    size_t want = left < sizeof bytes ? (size_t)left : sizeof bytes, got;
    if (read_at(self, bytes, want, at, &got, cx) < 0)
        return WAX_FAIL;
    const char *end = memchr(bytes, '\n', got);
    if (!end && got < want)
        return fail_shorter(self, at + got, cx);
    pos->begun = end != NULL;
    pos->offset = (int64_t)(at + (end ? (size_t)(end - bytes) + 1 : got));
    return end || got < left ? WAX_OK : WAX_EOF;
}

static size_t read_size(const struct reader *self, uint64_t left, const wax_io *io)
{
    uint64_t size = self->line_len * (io->room + 1ull - io->kept);
    size = size < READ_MIN ? READ_MIN : size > READ_MAX ? READ_MAX : size;
    uint64_t tail = left + self->line_len * TAIL_LINES;
    size_t max = line_max(io->cx);
    size = size < tail ? size : tail;
    return size < max ? (size_t)size : max;
}

static void give(wax_io *io, const char *begin, size_t len)
{
    ((wax_str *)io->out)[io->kept++] = (wax_str){begin, (uint32_t)len};
}

/*
 * Slices what was read: `got` bytes, of which `left` (or fewer) begin lines of this part; `ended`
 * when the file ends behind them. Returns what was used.
 */
static size_t slice(struct reader *self, wax_io *io, const char *bytes, size_t got, uint64_t left,
                    bool ended)
{
    size_t own = got < left ? got : (size_t)left, used;
    uint32_t n =
        wx_scan_lines(bytes, own, (wax_str *)io->out + io->kept, io->room - io->kept, &used);
    io->kept += n;
    if (n > 0)
        self->line_len = used / n + 1;
    if (used == own || io->kept == io->room)
        return used;
    const char *end = memchr(bytes + own, '\n', got - own);
    if (end) {
        wax_str line = wx_line(bytes + used, end);
        give(io, line.ptr, line.len);
        return (size_t)(end - bytes) + 1;
    }
    if (!ended)
        return used;
    give(io, bytes + used, got - used);
    return got;
}

static int next_of_range(struct reader *self, wx_lines_pos *pos, wax_io *io)
{
    if (self->from >= self->to || (uint64_t)pos->offset >= self->to)
        return WAX_EOF;
    if (open_file(self, io->cx) < 0)
        return WAX_FAIL;
    if (self->from == 0)
        pos->begun = true;
    if (!pos->begun) {
        int rc = find_first_line(self, pos, io->cx);
        if (rc != WAX_OK || !pos->begun)
            return rc;
    }
    uint64_t left = self->to - (uint64_t)pos->offset;
    size_t want = read_size(self, left, io), max = line_max(io->cx);
    for (;; want = want < max / READ_GROWTH ? want * READ_GROWTH : max) {
        size_t got;
        char *bytes = wax_alloc(io->cx, want);
        if (read_at(self, bytes, want, (uint64_t)pos->offset, &got, io->cx) < 0)
            return WAX_FAIL;
        bool ended = got < want;
        if (ended && got < left)
            return fail_shorter(self, (uint64_t)pos->offset + got, io->cx);
        size_t used = slice(self, io, bytes, got, left, ended);
        pos->offset += (int64_t)used;
        if (used > 0)
            return used >= left ? WAX_EOF : WAX_OK;
        if (want == max)
            return fail_too_long(self, pos->offset, io->cx);
    }
}

/* ---- a stream -------------------------------------------------------------------------------- */

/* Makes room for a read behind the held bytes. */
static int make_room(struct reader *self, const wx_lines_pos *pos, wax_cx *cx)
{
    size_t len = self->held_end - self->held_at;
    if (len >= line_max(cx))
        return fail_too_long(self, pos->offset, cx);
    if (self->held_at > 0 && self->held_cap - self->held_end < READ_MIN) {
        memmove(self->held, self->held + self->held_at, len);
        self->held_at = 0;
        self->held_end = len;
    }
    if (self->held_cap - self->held_end >= READ_MIN)
        return WAX_OK;
    self->held_cap = self->held_cap ? self->held_cap * 2 : STREAM_BYTES;
    self->held = wx_realloc(self->held, self->held_cap);
    return WAX_OK;
}

/* Reads once if that does not block. Without new bytes, the caller is asked to wait for the
 * descriptor. */
static int fill(struct reader *self, const wx_lines_pos *pos, wax_cx *cx)
{
    struct pollfd ready = {.fd = self->fd, .events = POLLIN};
    if (poll(&ready, 1, 0) <= 0) {
        wax_wait_fd(cx, self->fd);
        return WAX_OK;
    }
    if (ready.revents & POLLNVAL)
        return wax_fail(cx, "cannot read %s: it is not open", display_name(self));
    if (make_room(self, pos, cx) < 0)
        return WAX_FAIL;
    char *to = self->held + self->held_end;
    ssize_t n = read(self->fd, to, self->held_cap - self->held_end);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        wax_wait_fd(cx, self->fd);
        return WAX_OK;
    }
    if (n < 0)
        return wax_fail(cx, "cannot read %s: %s", display_name(self), strerror(errno));
    self->ended = n == 0;
    self->held_end += (size_t)n;
    self->held_lines = n > 0 && memchr(to, '\n', (size_t)n);
    return WAX_OK;
}

/* Copies the first `len` held bytes, which the lines from `first` on point to, into the batch. */
static void let_go(struct reader *self, wx_lines_pos *pos, wax_io *io, uint32_t first, size_t len)
{
    if (len == 0)
        return;
    const char *from = self->held + self->held_at;
    char *copy = wax_alloc(io->cx, len);
    memcpy(copy, from, len);
    wax_str *lines = io->out;
    for (uint32_t i = first; i < io->kept; i++)
        lines[i].ptr = copy + (lines[i].ptr - from);
    self->held_at += len;
    pos->offset += (int64_t)len;
}

static int next_of_stream(struct reader *self, wx_lines_pos *pos, wax_io *io)
{
    if (open_file(self, io->cx) < 0)
        return WAX_FAIL;
    if (!self->held_lines && !self->ended && fill(self, pos, io->cx) < 0)
        return WAX_FAIL;
    if (!self->held_lines && !self->ended)
        return WAX_OK;
    uint32_t first = io->kept;
    const char *from = self->held + self->held_at;
    size_t held = self->held_end - self->held_at, max = line_max(io->cx), used = 0;
    size_t len = held < max ? held : max;
    if (len > 0)
        io->kept += wx_scan_lines(from, len, (wax_str *)io->out + first, io->room - first, &used);
    if (used == 0 && len == max)
        return fail_too_long(self, pos->offset, io->cx);
    self->held_lines = io->kept == io->room || len < held;
    if (self->ended && used < len && !self->held_lines) {
        give(io, from + used, len - used);
        used = len;
    }
    let_go(self, pos, io, first, used);
    return self->ended && self->held_at == self->held_end ? WAX_EOF : WAX_OK;
}

/* ---- the source ------------------------------------------------------------------------------ */

static int next(void *part, void *pos, wax_io *io, wax_time *wake)
{
    struct reader *self = part;
    (void)wake;
    int rc = self->stream ? next_of_stream(self, pos, io) : next_of_range(self, pos, io);
    if (rc != WAX_OK)
        close_file(self);
    return rc;
}

static void close_part(void *part)
{
    struct reader *self = part;
    close_file(self);
    free(self->file);
    free(self->held);
}

static void free_path(void *source)
{
    free(((struct reader *)source)->path);
}

static int (*const parts_hook)(const void *, wax_parts *, wax_cx *) = list_parts;
static int (*const start_hook)(void *, void *, wax_str, wax_cx *) = start_part;
static int (*const open_hook)(void *, wax_cx *) = NULL;
static void (*const close_hook)(void *) = close_part;

static const wax_self reader_self = {.name = "lines",
                                     .size = sizeof(struct reader),
                                     .align = _Alignof(struct reader),
                                     .open = &open_hook,
                                     .close = &close_hook};

static const wax_source_ops lines_ops = {.abi = WAX_ABI,
                                         .size = sizeof(wax_source_ops),
                                         .name = "lines",
                                         .out = &wax_type_wax_str,
                                         .pos = &wax_type_wx_lines_pos,
                                         .self = &reader_self,
                                         .parts = &parts_hook,
                                         .start = &start_hook,
                                         .next = next};

wax_source(wax_str) wax_lines(const char *path)
{
    /* Without a path the flow has an error already: a parameter that is missing. */
    struct reader self = {.path = wx_strdup(path ? path : ""), .fd = -1};
    wax_src *src = wax_source_create(&lines_ops, &self);
    src->free_self = free_path;
    return (wax_source(wax_str)){.src = src};
}

wax_source(wax_str) wax_stdin(void)
{
    return wax_lines(STDIN_PATH);
}
