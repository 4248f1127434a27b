/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source of lines. Parts are driven directly, by name, with small batches and small limits, so
 * that every place where a read, a batch or a part can end inside a text is met; what lists the
 * parts runs in a dataflow of one worker.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "connectors/lines.h"
#include "connectors/scan.h"
#include "core/engine.h"

#define TEXT_MAX (64u << 20)

/* ---- a directory for the test -----------------------------------------------------------------
 */

static char *temp_dir(void)
{
    static char path[] = "/tmp/wax-lines-XXXXXX";
    cr_assert(mkdtemp(path), "mkdtemp");
    return path;
}

static const char *in_dir(const char *dir, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, "%s", path);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    cr_assert_eq(nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- reading one part -------------------------------------------------------------------------
 */

/* As the source declares it. */
struct position {
    int64_t offset;
    bool begun;
};

struct drive {
    wax_src *src;
    void *self;
    struct position pos;
    struct wx_pool *pool;
    struct wx_worker worker;
    uint32_t room;
    struct wx_buf out; /* each line, then a \n */
    uint32_t lines;
    bool waits; /* the last call asked to wait for its descriptor */
};

static const struct position start = {0, false};

static void drive_close(struct drive *drive)
{
    (*drive->src->ops->self->close)(drive->self);
    free(drive->self);
    drive->self = NULL;
}

static int drive_open(struct drive *drive, const char *part, struct position pos)
{
    size_t size = drive->src->ops->self->size;
    drive->self = memcpy(wx_alloc(size), drive->src->self, size);
    drive->pos = pos;
    drive->worker.cx.failed = false;
    return (*drive->src->ops->start)(drive->self, &drive->pos, wax_from_c(part), &drive->worker.cx);
}

static void drive_init(struct drive *drive, const char *path, uint32_t room, uint64_t record_max)
{
    *drive = (struct drive){.src = wax_lines(path).src, .pool = wx_pool_create(), .room = room};
    drive->out.max = TEXT_MAX;
    drive->worker.config.limits.record_max = record_max;
    drive->worker.pool = drive->pool;
    drive->worker.cx.worker = &drive->worker;
}

static void drive_fini(struct drive *drive)
{
    if (drive->self)
        drive_close(drive);
    wx_source_destroy(drive->src);
    wx_buf_free(&drive->out);
    cr_expect_eq(wx_pool_used(drive->pool), 0, "%zu bytes lost", wx_pool_used(drive->pool));
    wx_pool_destroy(drive->pool);
}

/* One call: the lines go to `out`. */
static int drive_next(struct drive *drive)
{
    static const struct wx_shape shape = {.type = &wax_type_wax_str};
    struct wx_batch *batch = wx_batch_create(drive->pool, &shape, drive->room);
    wax_cx *cx = &drive->worker.cx;
    cx->out = batch;
    cx->wait_fd_count = 0;
    wax_io io = {.out = batch->rec, .room = drive->room, .self = drive->self, .cx = cx};
    wax_time wake = 0;
    int64_t before = drive->pos.offset;
    int rc = drive->src->ops->next(drive->self, &drive->pos, &io, &wake);
    cr_assert_leq(io.kept, drive->room);
    cr_assert(drive->pos.offset >= before, "the position went back");
    for (uint32_t i = 0; rc >= 0 && i < io.kept; i++) {
        wax_str line = ((const wax_str *)(const void *)batch->rec)[i];
        wx_buf_put(&drive->out, line.ptr, line.len);
        wx_buf_put(&drive->out, "\n", 1);
        drive->lines++;
    }
    drive->waits = cx->wait_fd_count > 0;
    wx_batch_put(drive->pool, batch);
    return rc;
}

static int drive_all(struct drive *drive)
{
    int rc = WAX_OK;
    while (rc == WAX_OK)
        rc = drive_next(drive);
    return rc;
}

/* What the source should make of a text, by the plainest means. */
static void naive_lines(const char *text, size_t len, struct wx_buf *out)
{
    *out = (struct wx_buf){.max = TEXT_MAX};
    for (size_t i = 0; i < len;) {
        size_t end = i;
        while (end < len && text[end] != '\n')
            end++;
        size_t keep = end - i;
        if (end < len && keep > 0 && text[end - 1] == '\r')
            keep--;
        wx_buf_put(out, text + i, keep);
        wx_buf_put(out, "\n", 1);
        i = end + 1;
    }
}

static bool same(const struct wx_buf *a, const struct wx_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/*
 * Reads `text` in `n` parts and compares. With `resume`, a part is closed after every call and
 * opened again at its position, as after a restart.
 */
static void check_division(const char *path, const char *text, size_t len, uint32_t n,
                           uint32_t room, bool resume, const char *what)
{
    struct drive drive;
    struct wx_buf want;
    naive_lines(text, len, &want);
    drive_init(&drive, path, room, WX_RECORD_MAX);
    for (uint32_t i = 0; i < n; i++) {
        char part[300];
        snprintf(part, sizeof part, "%s %u/%u %" PRIu64 "-%" PRIu64, path, i + 1, n,
                 wx_lines_part_begin(len, i, n), wx_lines_part_begin(len, i + 1, n));
        int rc = drive_open(&drive, part, start);
        for (uint32_t calls = 0; rc == WAX_OK; calls++) {
            cr_assert(calls <= len + 2, "%s: part '%s' does not end", what, part);
            rc = drive_next(&drive);
            if (rc == WAX_OK && resume) {
                drive_close(&drive);
                drive_open(&drive, part, drive.pos);
            }
        }
        cr_assert_eq(rc, WAX_EOF, "%s: part '%s': %s", what, part, drive.worker.cx.message);
        drive_close(&drive);
    }
    cr_expect(same(&drive.out, &want), "%s: %u parts, room %u, resume %d: %zu bytes, not %zu", what,
              n, room, resume, drive.out.len, want.len);
    wx_buf_free(&want);
    drive_fini(&drive);
}

Test(lines, are_the_same_however_a_file_is_divided)
{
    static const struct {
        const char *name, *text;
        size_t len;
    } cases[] = {
#define TEXT(NAME, LITERAL) {NAME, LITERAL, sizeof(LITERAL) - 1}
        TEXT("empty", ""),
        TEXT("one line end", "\n"),
        TEXT("empty lines", "\n\n\n"),
        TEXT("no final line end", "abc"),
        TEXT("two lines", "abc\ndef\n"),
        TEXT("second without end", "abc\ndef"),
        TEXT("crlf", "ab\r\ncd\r\n"),
        TEXT("only crlf", "\r\n\r\n"),
        TEXT("cr inside and at the end", "a\rb\r\nc\r"),
        TEXT("several cr", "a\r\r\n\r\r\nb"),
        TEXT("nul bytes", "a\0b\n\0\0\n\0"),
        TEXT("high bytes", "\xff\xfe\n\x80\n"),
        TEXT("long first line", "0123456789012345678901234567890123456789\na\nb\nc"),
        TEXT("long last line", "a\nb\n0123456789012345678901234567890123456789"),
    };
    char *dir = temp_dir();
    const char *path = in_dir(dir, "a file");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(path, cases[i].text, cases[i].len);
        for (uint32_t n = 1; n <= cases[i].len + 1; n++) {
            static const uint32_t rooms[] = {1, 2, 3, 64};
            for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++) {
                check_division(path, cases[i].text, cases[i].len, n, rooms[r], false,
                               cases[i].name);
                check_division(path, cases[i].text, cases[i].len, n, rooms[r], true, cases[i].name);
            }
        }
    }
    remove_tree(dir);
}

static uint32_t random_below(uint64_t *state, uint32_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % below;
}

Test(lines, of_random_texts)
{
    char *dir = temp_dir();
    const char *path = in_dir(dir, "random");
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t state = seed * 0x9e3779b97f4a7c15;
        struct wx_buf text = {.max = TEXT_MAX};
        uint32_t lines = random_below(&state, 3000), scale = 1 + random_below(&state, 60);
        for (uint32_t i = 0; i < lines; i++) {
            /* Now and then a line that is longer than a read. */
            uint32_t len = random_below(&state, 400) ? random_below(&state, scale)
                                                     : random_below(&state, 400000);
            char *to = wx_buf_reserve(&text, len + 2);
            memset(to, 'a' + (int)(i % 26), len);
            bool crlf = random_below(&state, 8) == 0;
            memcpy(to + len, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
            text.len += len + (crlf ? 2 : 1);
        }
        text.len -= text.len && random_below(&state, 2);
        write_file(path, text.data, text.len);
        char what[40];
        snprintf(what, sizeof what, "seed %" PRIu64, seed);
        uint32_t room = random_below(&state, 3) ? WX_BATCH_RECORDS : 1 + random_below(&state, 50);
        check_division(path, text.data, text.len, 1 + random_below(&state, 20), room, seed % 2,
                       what);
        check_division(path, text.data, text.len, wx_lines_parts(text.len), WX_BATCH_RECORDS, false,
                       what);
        wx_buf_free(&text);
    }
    remove_tree(dir);
}

Test(lines, are_found_wherever_they_end)
{
    char bytes[300];
    wax_str lines[300];
    for (size_t len = 0; len < sizeof bytes; len += 1 + len / 20)
        for (size_t first = 0; first <= len; first++)
            for (size_t gap = 1; gap < 70; gap += gap < 3 ? 1 : 31) {
                memset(bytes, 'x', sizeof bytes);
                uint32_t n = 0;
                size_t end = 0, used;
                for (size_t i = first; i < len; i += gap, n++)
                    bytes[i] = '\n', end = i + 1;
                for (uint32_t room = n ? n - 1 : 0; room <= n + 1; room++) {
                    uint32_t got = wx_scan_lines(bytes, len, lines, room, &used);
                    cr_assert_eq(got, room < n ? room : n, "len %zu first %zu gap %zu", len, first,
                                 gap);
                    cr_assert(room < n || used == end, "len %zu first %zu gap %zu", len, first,
                              gap);
                    for (uint32_t i = 0; i < got; i++)
                        cr_assert(lines[i].ptr + lines[i].len == bytes + first + i * gap);
                }
            }
}

Test(lines, parts_depend_on_the_size_alone)
{
    static const struct {
        uint64_t size;
        uint32_t least, most;
    } cases[] = {{0, 1, 1},
                 {1, 1, 1},
                 {8192, 1, 1},
                 {35000, 2, 4},
                 {100000, 8, 16},
                 {1u << 20, 16, 16},
                 {100000000, 90, 110},
                 {1000000000, 256, 256},
                 {1ull << 50, 256, 256}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t n = wx_lines_parts(cases[i].size);
        cr_expect(n >= cases[i].least && n <= cases[i].most, "%" PRIu64 " bytes: %u parts",
                  cases[i].size, n);
        cr_expect_eq(wx_lines_part_begin(cases[i].size, 0, n), 0);
        cr_expect_eq(wx_lines_part_begin(cases[i].size, n, n), cases[i].size);
        for (uint32_t k = 0; k < n; k++) {
            uint64_t len = wx_lines_part_begin(cases[i].size, k + 1, n) -
                           wx_lines_part_begin(cases[i].size, k, n);
            uint64_t mean = cases[i].size / n;
            cr_expect(len == mean || len == mean + 1, "%" PRIu64 " bytes, part %u", cases[i].size,
                      k);
        }
    }
    for (uint64_t size = 0, last = 0; size < 300u << 20; size += 4099) {
        cr_assert_geq(wx_lines_parts(size), last, "%" PRIu64, size);
        last = wx_lines_parts(size);
    }
}

/* ---- failures -------------------------------------------------------------------------------- */

Test(lines, longer_than_a_record_may_be_fail)
{
    static const struct {
        size_t len; /* of the second line, without its end */
        const char *end;
        uint64_t max;
        bool ok;
    } cases[] = {
        {99, "\n", 100, true},         {100, "\n", 100, false},        {98, "\r\n", 100, true},
        {99, "", 100, true},           {100, "", 100, false},          {99999, "\n", 100000, true},
        {100000, "\n", 100000, false}, {5000000, "\n", 100000, false},
    };
    char *dir = temp_dir();
    const char *path = in_dir(dir, "long");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int stream = 0; stream < 2; stream++) {
            char *text = wx_alloc(cases[i].len + 10);
            memcpy(text, "a\n", 2);
            memset(text + 2, 'x', cases[i].len);
            size_t len = 2 + cases[i].len + strlen(cases[i].end);
            memcpy(text + 2 + cases[i].len, cases[i].end, strlen(cases[i].end));
            write_file(path, text, len);
            char part[300];
            snprintf(part, sizeof part, "%s 1/1 0-%zu", path, len);
            struct drive drive;
            drive_init(&drive, path, WX_BATCH_RECORDS, cases[i].max);
            /* A regular file under its own name is read as a stream. */
            int rc = drive_open(&drive, stream ? path : part, start);
            rc = rc == WAX_OK ? drive_all(&drive) : rc;
            cr_expect_eq(rc, cases[i].ok ? WAX_EOF : WAX_FAIL, "case %zu, stream %d: %d %s", i,
                         stream, rc, drive.worker.cx.message);
            cr_expect(cases[i].ok || strstr(drive.worker.cx.message, "the line at byte 2 of"),
                      "case %zu, stream %d: %s", i, stream, drive.worker.cx.message);
            cr_expect_eq(drive.lines, cases[i].ok ? 2 : 1, "case %zu, stream %d: %u lines", i,
                         stream, drive.lines);
            drive_fini(&drive);
            free(text);
        }
    remove_tree(dir);
}

Test(lines, of_a_file_that_shrinks_fail)
{
    char *dir = temp_dir(), part[300];
    const char *path = in_dir(dir, "shrinks");
    enum { LINES = 100000, WIDTH = 10 };
    char *text = wx_alloc(LINES * WIDTH + 1);
    for (uint32_t i = 0; i < LINES; i++)
        snprintf(text + (size_t)i * WIDTH, WIDTH + 1, "%09u\n", i);
    static const char *const ranges[] = {"1/1 0-1000000", "2/2 500000-1000000"};
    for (size_t i = 0; i < 2; i++) {
        write_file(path, text, LINES * WIDTH);
        struct drive drive;
        drive_init(&drive, path, WX_BATCH_RECORDS, WX_RECORD_MAX);
        snprintf(part, sizeof part, "%s %s", path, ranges[i]);
        cr_assert_eq(drive_open(&drive, part, start), WAX_OK);
        cr_assert_eq(drive_next(&drive), WAX_OK);
        cr_assert_eq(truncate(path, 600005), 0);
        cr_expect_eq(drive_all(&drive), WAX_FAIL);
        cr_expect(strstr(drive.worker.cx.message, "has become shorter while it was read"), "%s",
                  drive.worker.cx.message);
        drive_fini(&drive);
    }
    /* The range begins beyond the new end. */
    struct drive drive;
    drive_init(&drive, path, WX_BATCH_RECORDS, WX_RECORD_MAX);
    snprintf(part, sizeof part, "%s 2/2 700000-1000000", path);
    cr_assert_eq(drive_open(&drive, part, start), WAX_OK);
    cr_expect_eq(drive_all(&drive), WAX_FAIL);
    drive_fini(&drive);
    free(text);
    remove_tree(dir);
}

Test(lines, need_a_part_and_a_file)
{
    char *dir = temp_dir(), part[300];
    const char *path = in_dir(dir, "x");
    static const struct {
        const char *range, *says;
    } cases[] = {
        {"", "is not the name of a part"},          {" 1/1", "is not the name of a part"},
        {" 1/1 0", "is not the name of a part"},    {" a/b c-d", "is not the name of a part"},
        {" 1/1 0-10", "No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct drive drive;
        drive_init(&drive, path, 10, WX_RECORD_MAX);
        snprintf(part, sizeof part, "%s%s%s", path, *cases[i].range ? "" : "y", cases[i].range);
        int rc = drive_open(&drive, part, start);
        rc = rc == WAX_OK ? drive_all(&drive) : rc;
        cr_expect_eq(rc, WAX_FAIL, "'%s'", part);
        cr_expect(strstr(drive.worker.cx.message, cases[i].says), "'%s': %s", part,
                  drive.worker.cx.message);
        drive_fini(&drive);
    }
    remove_tree(dir);
}

/* ---- streams --------------------------------------------------------------------------------- */

Test(lines, of_a_pipe_come_as_they_are_written)
{
    char *dir = temp_dir();
    const char *path = in_dir(dir, "pipe");
    cr_assert_eq(mkfifo(path, 0600), 0);
    struct drive drive;
    drive_init(&drive, path, 3, WX_RECORD_MAX);
    cr_assert_eq(drive_open(&drive, path, start), WAX_OK);
    cr_assert_eq(drive_next(&drive), WAX_OK, "nobody has opened the pipe yet: no end");
    cr_expect(drive.waits);
    int fd = open(path, O_WRONLY);
    cr_assert_geq(fd, 0);
    static const struct {
        const char *written, *lines; /* all lines so far */
        int calls;                   /* until there is nothing more */
    } steps[] = {
        {"", "", 1},
        {"ab", "", 2},
        {"c\nd", "abc\n", 2},
        {"\r\n", "abc\nd\n", 2},
        {"1\n2\n3\n4\n5\n6\n7", "abc\nd\n1\n2\n3\n4\n5\n6\n", 4},
        {"8\n\n", "abc\nd\n1\n2\n3\n4\n5\n6\n78\n\n", 2},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        cr_assert_eq(write(fd, steps[i].written, strlen(steps[i].written)),
                     (ssize_t)strlen(steps[i].written));
        for (int k = 0; k < steps[i].calls; k++)
            cr_assert_eq(drive_next(&drive), WAX_OK, "step %zu: %s", i, drive.worker.cx.message);
        cr_expect(drive.waits, "step %zu", i);
        cr_expect_str_eq(wx_buf_text(&drive.out), steps[i].lines, "step %zu", i);
    }
    cr_assert_eq(write(fd, "last", 4), 4);
    close(fd);
    cr_expect_eq(drive_all(&drive), WAX_EOF, "%s", drive.worker.cx.message);
    drive.out.len -= 5;
    cr_expect(memcmp(drive.out.data + drive.out.len, "last\n", 5) == 0);
    drive_fini(&drive);
    remove_tree(dir);
}

/* Standard input from a file: more than the buffer holds, lines longer than it. */
Test(lines, of_standard_input)
{
    char *dir = temp_dir();
    const char *path = in_dir(dir, "input");
    struct wx_buf text = {.max = TEXT_MAX}, want;
    uint64_t state = 77;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t len = i % 5000 == 17 ? 300000 : random_below(&state, 30);
        char *to = wx_buf_reserve(&text, len + 1);
        memset(to, 'a' + (int)(i % 26), len);
        to[len] = '\n';
        text.len += len + 1;
    }
    text.len--;
    write_file(path, text.data, text.len);
    naive_lines(text.data, text.len, &want);
    static const uint32_t rooms[] = {1, 100, WX_BATCH_RECORDS};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        int fd = open(path, O_RDONLY);
        cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
        close(fd);
        struct drive drive;
        drive_init(&drive, "-", rooms[i], WX_RECORD_MAX);
        cr_assert_eq(drive_open(&drive, "-", start), WAX_OK);
        cr_expect_eq(drive_all(&drive), WAX_EOF, "%s", drive.worker.cx.message);
        cr_expect(same(&drive.out, &want), "room %u: %zu bytes, not %zu", rooms[i], drive.out.len,
                  want.len);
        cr_expect_eq(drive.pos.offset, (int64_t)text.len);
        drive_fini(&drive);
        cr_expect_neq(fcntl(STDIN_FILENO, F_GETFD), -1, "standard input stays open");
    }
    wx_buf_free(&want);
    wx_buf_free(&text);
    close(STDIN_FILENO);
    struct drive drive;
    drive_init(&drive, "-", 10, WX_RECORD_MAX);
    cr_assert_eq(drive_open(&drive, "-", start), WAX_OK);
    cr_expect_eq(drive_all(&drive), WAX_FAIL);
    cr_expect_str_eq(drive.worker.cx.message, "cannot read standard input: it is not open");
    drive_fini(&drive);
    remove_tree(dir);
}

/* ---- a whole dataflow: which parts there are ---------------------------------------------------
 */

static struct wx_buf collected;
static const char *flow_path;

static int collect(void *self, wax_io *io)
{
    (void)self;
    const wax_str *lines = io->in;
    for (; io->at < io->n; io->at++) {
        wx_buf_put(&collected, lines[io->at].ptr, lines[io->at].len);
        wx_buf_put(&collected, "\n", 1);
    }
    return WAX_OK;
}
static const wax_sink_ops collect_ops = {.abi = WAX_ABI,
                                         .size = sizeof(wax_sink_ops),
                                         .name = "collect",
                                         .in = &wax_type_wax_str,
                                         .self = &wax_self_wax_none,
                                         .write = collect};

WAX_DATAFLOW(read_all)
{
    wax_output("out", wax_input(flow, "in", wax_lines(flow_path)),
               wax_sink_create(&collect_ops, NULL));
}

static wax_time fixed_time(void *arg)
{
    (void)arg;
    return 0;
}

static void ignore_notice(struct wx_shared *shared)
{
    (void)shared;
}

/* Runs `read_all` on one worker. Returns NULL when it ended well, else the message. */
static const char *run_flow(const char *path)
{
    static struct wx_shared shared;
    static struct wx_worker_status status;
    struct wx_error err = {0};
    flow_path = path;
    wax_flow *flow = wx_flow_build(&wax_dataflow_read_all, NULL, 0, &err);
    cr_assert(flow, "%s", err.text);
    struct wx_plan *plan = wx_plan_create(flow, 1);
    struct wx_waker *no_wakers[1] = {NULL};
    shared = (struct wx_shared){.workers_here = 1,
                                .workers_total = 1,
                                .epoch_interval = wax_seconds(10),
                                .status = &status,
                                .wakers = no_wakers,
                                .notify = ignore_notice};
    status = (struct wx_worker_status){.state = WX_WORKER_RUNNING};
    struct wx_worker_config config = {
        .plan = plan,
        .shared = &shared,
        .limits = {WX_RECORD_MAX, WX_FANOUT_MAX, wx_channel_credit(1)},
        .now = fixed_time,
        .pool = wx_pool_create(),
    };
    wx_buf_free(&collected);
    collected = (struct wx_buf){.max = TEXT_MAX};
    struct wx_worker *worker = wx_worker_create(&config);
    struct wx_wait wait;
    for (int turns = 0; turns < 100000 && status.state == WX_WORKER_RUNNING; turns++)
        wx_worker_turn(worker, &wait);
    cr_assert_neq(status.state, WX_WORKER_RUNNING, "'%s' does not end", path);
    wx_worker_destroy(worker);
    wx_plan_destroy(plan);
    wx_flow_destroy(flow);
    wx_pool_destroy(config.pool);
    return shared.failed ? shared.failure.text : NULL;
}

Test(lines, come_from_files_and_directories)
{
    char *dir = temp_dir();
    static const char *const files[][2] = {
        {"b", "b1\nb2\n"}, {"a", "a1\na2"}, {"B", "upper\n"}, {".hidden", "no\n"}, {"empty", ""}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        write_file(in_dir(dir, files[i][0]), files[i][1], strlen(files[i][1]));
    cr_assert_eq(mkdir(in_dir(dir, "sub"), 0700), 0);
    write_file(in_dir(dir, "sub/c"), "sub\n", 4);
    cr_assert_eq(mkfifo(in_dir(dir, "pipe"), 0600), 0);
    cr_assert_eq(symlink("sub/c", in_dir(dir, "link")), 0);
    cr_assert_eq(symlink("sub", in_dir(dir, "linked-dir")), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", in_dir(dir, "socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);

    static const struct {
        const char *name, *lines, *says;
    } cases[] = {
        {"", "upper\na1\na2\nb1\nb2\nsub\n", NULL},
        {"/", "upper\na1\na2\nb1\nb2\nsub\n", NULL},
        {"/a", "a1\na2\n", NULL},
        {"/link", "sub\n", NULL},
        {"/linked-dir", "sub\n", NULL},
        {"/empty", "", NULL},
        {"/missing", "", "No such file or directory"},
        {"/socket", "", "it is a socket"},
        {"/a/b", "", "Not a directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s%s", dir, cases[i].name);
        const char *message = run_flow(path);
        cr_expect_eq(message == NULL, cases[i].says == NULL, "'%s': %s", path, message);
        cr_expect(!cases[i].says || (message && strstr(message, cases[i].says)), "'%s': %s", path,
                  message);
        cr_expect_str_eq(wx_buf_text(&collected), cases[i].lines, "'%s'", path);
    }
    cr_assert_eq(symlink("nowhere", in_dir(dir, "dangling")), 0);
    const char *message = run_flow(dir);
    cr_expect(message && strstr(message, "dangling"), "%s", message);
    close(fd);
    wx_buf_free(&collected);
    remove_tree(dir);
}

/* Enough for many parts: 35 KB are several, in the order of the file with a single worker. */
Test(lines, of_a_whole_file_keep_their_order)
{
    char *dir = temp_dir();
    const char *path = in_dir(dir, "text");
    struct wx_buf text = {.max = TEXT_MAX};
    for (int i = 0; i < 40000; i++)
        wx_buf_printf(&text, "line %d\n", i);
    write_file(path, text.data, text.len);
    const char *message = run_flow(path);
    cr_expect(!message, "%s", message);
    cr_expect(same(&collected, &text), "%zu bytes, not %zu", collected.len, text.len);
    wx_buf_free(&collected);
    wx_buf_free(&text);
    remove_tree(dir);
}
