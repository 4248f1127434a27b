/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks for lines and the sources for tests, driven directly. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wax/str.h>

#include "base/alloc.h"
#include "connectors/writer.h"
#include "core/engine.h"

#define TEXT_MAX (64u << 20)

WAX_RECORD(item, (wax_str, name), (int64_t, n));
typedef struct bulk {
    char bytes[1u << 20];
} bulk;
WAX_PLAIN(bulk);

static const char *temp_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/wax-sink-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    return path;
}

static struct wx_buf read_file(const char *path)
{
    struct wx_buf text = {.max = TEXT_MAX};
    int fd = open(path, O_RDONLY);
    cr_assert_geq(fd, 0, "%s", path);
    for (ssize_t n = 1; n > 0;) {
        char *to = wx_buf_reserve(&text, 65536);
        cr_assert(to);
        n = read(fd, to, 65536);
        text.len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return text;
}

/* ---- sinks ----------------------------------------------------------------------------------- */

struct drive {
    wax_sink *sink;
    void *self;
    struct wx_worker worker;
};

static int drive_open(struct drive *drive, wax_sink *sink)
{
    *drive = (struct drive){.sink = sink};
    drive->worker.cx.worker = &drive->worker;
    const wax_self *self = sink->ops->self;
    drive->self = memcpy(wx_alloc(self->size), sink->self, self->size);
    return *self->open ? (*self->open)(drive->self, &drive->worker.cx) : WAX_OK;
}

static int drive_write(struct drive *drive, const wax_type *type, const void *in,
                       const wax_type *key_type, const void *keys, uint32_t n)
{
    wax_io io = {.n = n,
                 .in = in,
                 .type = type,
                 .keys = keys,
                 .key_type = key_type,
                 .self = drive->self,
                 .cx = &drive->worker.cx};
    int rc = drive->sink->ops->write(drive->self, &io);
    if (rc >= 0)
        cr_expect_eq(io.at, n);
    else
        cr_expect(io.at < n, "a failure names a record");
    return rc;
}

static int drive_flush(struct drive *drive)
{
    return (*drive->sink->ops->flush)(drive->self, &drive->worker.cx);
}

static void drive_close(struct drive *drive)
{
    (*drive->sink->ops->self->close)(drive->self);
    free(drive->self);
    wx_sink_destroy(drive->sink);
}

/* Standard output goes to `path` until it is put back. */
static int redirect(const char *path)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO), fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert(saved >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    close(fd);
    return saved;
}

static void put_back(int saved)
{
    dup2(saved, STDOUT_FILENO);
    close(saved);
}

static const struct {
    const wax_type *type, *key_type;
    const void *in, *keys;
    uint32_t n;
    const char *text;
} formats[] = {
#define COLUMN(T, ...)                                                                             \
    (const T[])                                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
    {&wax_type_wax_str, NULL, COLUMN(wax_str, {"one", 3}, {NULL, 0}, {"", 0}, {"two", 3}), NULL, 4,
     "one\n\n\ntwo\n"},
    {&wax_type_int64_t, NULL, COLUMN(int64_t, 0, -1, INT64_MIN, INT64_MAX), NULL, 4,
     "0\n-1\n-9223372036854775808\n9223372036854775807\n"},
    {&wax_type_int64_t, &wax_type_wax_str, COLUMN(int64_t, 3, 4),
     COLUMN(wax_str, {"a", 1}, {"b c", 3}), 2, "a\t3\nb c\t4\n"},
    {&wax_type_double, &wax_type_int64_t, COLUMN(double, 1, 0.25), COLUMN(int64_t, -7, 7), 2,
     "-7\t1\n7\t0.25\n"},
    {&wax_type_item, NULL, COLUMN(item, {{"x", 1}, 1}, {{"\"", 1}, 2}), NULL, 2,
     "{\"name\":\"x\",\"n\":1}\n{\"name\":\"\\\"\",\"n\":2}\n"},
    {&wax_type__Bool, &wax_type_wax_str, COLUMN(bool, true), COLUMN(wax_str, {"k", 1}), 1,
     "k\ttrue\n"},
};

Test(sinks, write_lines)
{
    char path[64];
    snprintf(path, sizeof path, "%s", temp_path());
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (int to_file = 0; to_file < 2; to_file++) {
            struct drive drive;
            int saved = to_file ? -1 : redirect(path);
            cr_assert_eq(drive_open(&drive, to_file ? wax_lines_file(path) : wax_stdout()), WAX_OK);
            int rc = drive_write(&drive, formats[i].type, formats[i].in, formats[i].key_type,
                                 formats[i].keys, formats[i].n);
            struct wx_buf held = read_file(path);
            int flushed = drive_flush(&drive);
            drive_close(&drive);
            if (!to_file)
                put_back(saved);
            struct wx_buf text = read_file(path);
            cr_expect(rc == WAX_OK && flushed == WAX_OK, "case %zu: %s", i,
                      drive.worker.cx.message);
            cr_expect_eq(held.len, 0, "case %zu: few lines wait for flush", i);
            cr_expect_str_eq(wx_buf_text(&text), formats[i].text, "case %zu, file %d", i, to_file);
            wx_buf_free(&text);
            wx_buf_free(&held);
        }
    unlink(path);
}

/* Many lines leave as soon as there are 64 KiB, always whole ones. */
Test(sinks, write_much)
{
    enum { N = 1000, ROUNDS = 60 };
    char path[64], line[64];
    snprintf(path, sizeof path, "%s", temp_path());
    int64_t numbers[N];
    struct drive drive;
    cr_assert_eq(drive_open(&drive, wax_lines_file(path)), WAX_OK);
    struct wx_buf want = {.max = TEXT_MAX};
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (int64_t i = 0; i < N; i++) {
            numbers[i] = (round * N + i) * 7919;
            snprintf(line, sizeof line, "%" PRId64 "\n", numbers[i]);
            wx_buf_puts(&want, line);
        }
        cr_assert_eq(drive_write(&drive, &wax_type_int64_t, numbers, NULL, NULL, N), WAX_OK);
        struct stat st;
        cr_assert_eq(stat(path, &st), 0);
        cr_expect(want.len - (size_t)st.st_size < WX_WRITE_BYTES, "%zu of %zu bytes are out",
                  (size_t)st.st_size, want.len);
        cr_expect(st.st_size == 0 || want.data[st.st_size - 1] == '\n', "a line was cut");
    }
    cr_assert_eq((*drive.sink->ops->pre_commit)(drive.self, 1, &drive.worker.cx), WAX_OK);
    struct wx_buf text = read_file(path);
    cr_expect(text.len == want.len && memcmp(text.data, want.data, want.len) == 0,
              "pre-commit lets everything out: %zu of %zu bytes", text.len, want.len);
    drive_close(&drive);
    /* The next run begins anew. */
    cr_assert_eq(drive_open(&drive, wax_lines_file(path)), WAX_OK);
    drive_close(&drive);
    wx_buf_free(&text);
    text = read_file(path);
    cr_expect_eq(text.len, 0, "%zu bytes are left", text.len);
    wx_buf_free(&text);
    wx_buf_free(&want);
    unlink(path);
}

Test(sinks, say_what_failed)
{
    signal(SIGPIPE, SIG_IGN);
    const int64_t one = 1;
    struct drive drive;
    int ends[2], saved = dup(STDOUT_FILENO);
    fflush(stdout);
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    drive_open(&drive, wax_stdout());
    int wrote = drive_write(&drive, &wax_type_int64_t, &one, NULL, NULL, 1);
    int flushed = drive_flush(&drive);
    put_back(saved);
    cr_expect_eq(wrote, WAX_OK);
    cr_expect_eq(flushed, WAX_FAIL);
    cr_expect_str_eq(drive.worker.cx.message, "standard output was closed");
    drive_close(&drive);

    cr_expect_eq(drive_open(&drive, wax_lines_file("/nowhere/at/all")), WAX_FAIL);
    cr_expect_str_eq(drive.worker.cx.message,
                     "cannot open '/nowhere/at/all' for writing: No such file or directory");
    drive_close(&drive);

    char long_path[5000];
    memset(long_path, '/', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    cr_expect_eq(drive_open(&drive, wax_lines_file(long_path)), WAX_FAIL,
                 "a path that is too long");
    drive_close(&drive);

    cr_assert_eq(drive_open(&drive, wax_lines_file("/dev/full")), WAX_OK);
    cr_expect_eq(drive_write(&drive, &wax_type_int64_t, &one, NULL, NULL, 1), WAX_OK);
    cr_expect_eq((*drive.sink->ops->pre_commit)(drive.self, 1, &drive.worker.cx), WAX_FAIL);
    cr_expect_str_eq(drive.worker.cx.message,
                     "cannot write to '/dev/full': No space left on device");
    drive_close(&drive);

    /* A failure in the middle of a batch. */
    bulk *big = wx_calloc(2, sizeof *big);
    cr_assert_eq(drive_open(&drive, wax_lines_file("/dev/full")), WAX_OK);
    cr_expect_eq(drive_write(&drive, &wax_type_bulk, big, NULL, NULL, 2), WAX_FAIL);
    drive_close(&drive);
    free(big);

    /* What cannot be synced need not be. */
    cr_assert_eq(drive_open(&drive, wax_lines_file("/dev/null")), WAX_OK);
    cr_expect_eq(drive_write(&drive, &wax_type_int64_t, &one, NULL, NULL, 1), WAX_OK);
    cr_expect_eq((*drive.sink->ops->pre_commit)(drive.self, 1, &drive.worker.cx), WAX_OK, "%s",
                 drive.worker.cx.message);
    drive_close(&drive);
}

Test(sinks, lock_standard_output)
{
    char path[64], lock[80];
    snprintf(path, sizeof path, "%s", temp_path());
    snprintf(lock, sizeof lock, "%s.lock", path);
    const int64_t one = 1;
    static const char *const variables[] = {"/nowhere/lock", "", NULL};
    for (int i = 0; i < 3; i++) {
        setenv("WAX_STDOUT_LOCK", variables[i] ? variables[i] : lock, 1);
        int saved = redirect(path);
        struct drive drive;
        drive_open(&drive, wax_stdout());
        drive_write(&drive, &wax_type_int64_t, &one, NULL, NULL, 1);
        int rc = drive_flush(&drive);
        put_back(saved);
        cr_expect_eq(rc, i == 0 ? WAX_FAIL : WAX_OK, "case %d: %s", i, drive.worker.cx.message);
        cr_expect(i > 0 || strstr(drive.worker.cx.message, "cannot open the lock file"));
        cr_expect_eq(access(lock, F_OK) == 0, i == 2, "case %d", i);
        drive_close(&drive);
        struct wx_buf text = read_file(path);
        cr_expect_str_eq(wx_buf_text(&text), i == 0 ? "" : "1\n", "case %d", i);
        wx_buf_free(&text);
    }
    unlink(lock);
    unlink(path);
}

Test(sinks, null_takes_anything)
{
    wax_sink *sink = wax_null();
    wax_io io = {.n = 7};
    cr_expect_eq(sink->ops->write(sink->self, &io), WAX_OK);
    cr_expect_eq(io.at, 7);
    cr_expect(!sink->ops->in && !sink->ops->single);
    wx_sink_destroy(sink);
}

/* ---- sources for tests ------------------------------------------------------------------------
 */

/* Reads all of `src` with batches of `room`, starting over from the position after each. */
static int64_t read_source(wax_src *src, uint32_t room, char *out, size_t size)
{
    char *batch = wx_alloc(room * size), *pos = wx_calloc(1, src->ops->pos->size);
    int64_t n = 0;
    for (int rc = WAX_OK; rc == WAX_OK;) {
        wax_io io = {.out = batch, .room = room};
        wax_time wake = 0;
        rc = src->ops->next(src->self, pos, &io, &wake);
        cr_assert(rc == WAX_OK || rc == WAX_EOF);
        cr_assert(rc == WAX_EOF || io.kept == room, "a batch is full unless it is the last");
        if (io.kept)
            memcpy(out + (size_t)n * size, batch, io.kept * size);
        n += io.kept;
    }
    free(pos);
    free(batch);
    return n;
}

Test(testing, range_gives_its_numbers)
{
    static const struct {
        int64_t from, to, n;
    } cases[] = {{0, 3, 3},
                 {3, 3, 0},
                 {5, 2, 0},
                 {-2, 2, 4},
                 {INT64_MAX - 2, INT64_MAX, 2},
                 {0, 100, 100},
                 {INT64_MIN, INT64_MIN + 5, 5}};
    static const uint32_t rooms[] = {1, 2, 5, 1000};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++) {
            int64_t got[200];
            wax_src *src = wax_testing_range(cases[i].from, cases[i].to).src;
            int64_t n = read_source(src, rooms[r], (char *)got, sizeof got[0]);
            cr_expect_eq(n, cases[i].n, "case %zu: %" PRId64, i, n);
            for (int64_t k = 0; k < n; k++)
                cr_expect_eq(got[k], cases[i].from + k, "case %zu: %" PRId64, i, k);
            wx_source_destroy(src);
        }
}

Test(testing, list_keeps_copies)
{
    char text[] = "abc";
    wax_src *src = wax_testing_list(item, {{text, 1}, 1}, {{text + 1, 2}, 2}, {{NULL, 0}, 3}).src;
    wax_src *none = wax_testing_list_(&wax_type_item, NULL, 0);
    memset(text, '-', 3);
    for (uint32_t room = 1; room < 5; room++) {
        item got[3];
        cr_assert_eq(read_source(src, room, (char *)got, sizeof got[0]), 3);
        cr_expect(wax_str_is(got[0].name, "a") && got[0].n == 1);
        cr_expect(wax_str_is(got[1].name, "bc") && got[1].n == 2);
        cr_expect(!got[2].name.ptr && got[2].n == 3);
        cr_expect_eq(read_source(none, room, (char *)got, sizeof got[0]), 0);
    }
    wx_source_destroy(src);
    wx_source_destroy(none);
    /* A bad descriptor is refused by the builder; making the source must only not follow it. */
    static const wax_type bad = {"bad", 99, 8, 8, 0, NULL, NULL};
    src = wax_testing_list_(&bad, text, 1);
    cr_expect_eq(read_source(src, 1, text, 1), 0);
    wx_source_destroy(src);
}
