/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of runtime/base: errors, buffers, log lines, memory. Log lines are read back through a file
 * that takes the place of standard error for a moment.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"

/* ---- error ----------------------------------------------------------------------------------- */

Test(error, fills_the_text_and_the_exit_code)
{
    struct wx_error err = {0};
    cr_expect_eq(wx_fail(&err, WX_EXIT_MODULE, "cannot load '%s': %s", "x.so", "no such file"), -1);
    cr_expect_eq(err.exit_code, WX_EXIT_MODULE);
    cr_expect_str_eq(err.text, "cannot load 'x.so': no such file");

    cr_expect_eq(wx_wrap(&err, "step '%s'", "in"), -1);
    cr_expect_str_eq(err.text, "step 'in': cannot load 'x.so': no such file");
    cr_expect_eq(err.exit_code, WX_EXIT_MODULE, "a prefix does not change the exit code");

    wx_fail(&err, WX_EXIT_USAGE, "another");
    cr_expect_str_eq(err.text, "another", "a later failure replaces the earlier one");
    cr_expect_eq(err.exit_code, WX_EXIT_USAGE);

    cr_expect_eq(wx_fail(NULL, WX_EXIT_FAILED, "nobody listens"), -1);
    cr_expect_eq(wx_wrap(NULL, "nobody"), -1);
}

Test(error, cuts_long_texts_and_stays_terminated)
{
    static char long_text[5000];
    memset(long_text, 'x', sizeof long_text - 1);
    struct wx_error err = {0};
    static const size_t lengths[] = {0,
                                     1,
                                     sizeof err.text - 4,
                                     sizeof err.text - 3,
                                     sizeof err.text - 2,
                                     sizeof err.text - 1,
                                     sizeof err.text,
                                     sizeof long_text - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len = lengths[i], most = sizeof err.text - 1;
        size_t kept = len < most ? len : most;
        wx_fail(&err, WX_EXIT_FAILED, "%.*s", (int)len, long_text);
        cr_expect_eq(strlen(err.text), kept, "text of %zu bytes", len);

        wx_wrap(&err, "ab");
        size_t wrapped = kept + 4 < most ? kept + 4 : most;
        cr_expect_eq(strlen(err.text), wrapped, "prefix before %zu bytes", len);
        cr_expect(strncmp(err.text, "ab: xxxx", wrapped < 8 ? wrapped : 8) == 0);

        wx_fail(&err, WX_EXIT_FAILED, "tail");
        wx_wrap(&err, "%.*s", (int)len, long_text);
        cr_expect_leq(strlen(err.text), most, "prefix of %zu bytes", len);
    }
}

Test(error, a_broken_invariant_aborts, .signal = SIGABRT)
{
    WX_ASSERT(1 + 1 == 2);
    WX_ASSERT(1 + 1 == 3);
}

/* ---- buf ------------------------------------------------------------------------------------- */

Test(buf, grows_up_to_its_maximum_and_not_beyond)
{
    static const struct {
        size_t max, chunk;
    } cases[] = {{0, 1}, {1, 1}, {63, 1}, {64, 64}, {65, 13}, {1000, 7}, {4096, 4096}, {5000, 999}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wx_buf buf = {.max = cases[i].max};
        char chunk[4096];
        memset(chunk, 'a' + (int)i, sizeof chunk);
        size_t want = 0;
        while (want + cases[i].chunk <= cases[i].max) {
            wx_buf_put(&buf, chunk, cases[i].chunk);
            want += cases[i].chunk;
            cr_assert_not(buf.full, "case %zu at %zu bytes", i, want);
            cr_assert_eq(buf.len, want, "case %zu", i);
        }
        wx_buf_put(&buf, chunk, cases[i].max - want + 1);
        cr_expect(buf.full, "case %zu is full", i);
        cr_expect_eq(buf.len, want, "case %zu: what does not fit leaves the rest alone", i);
        if (want < cases[i].max) {
            wx_buf_put(&buf, chunk, 1);
            cr_expect_eq(buf.len, want, "case %zu: after one failure nothing is added", i);
        }
        for (size_t at = 0; at < buf.len; at++)
            cr_assert_eq(buf.data[at], chunk[0], "case %zu at %zu", i, at);
        wx_buf_free(&buf);
        cr_expect_null(buf.data);
    }
}

Test(buf, refuses_lengths_that_would_wrap_around)
{
    struct wx_buf buf = {.max = SIZE_MAX};
    wx_buf_puts(&buf, "some");
    struct wx_buf small = {.max = 10};
    cr_expect_null(wx_buf_reserve(&small, SIZE_MAX));
    cr_expect(small.full);
    cr_expect_eq(buf.len, 4u);
    wx_buf_free(&buf);
    wx_buf_free(&small);
}

Test(buf, appends_text_numbers_and_nothing)
{
    struct wx_buf buf = {.max = 100};
    cr_expect_str_eq(wx_buf_text(&buf), "", "an empty buffer is empty text");
    wx_buf_put(&buf, NULL, 0);
    wx_buf_puts(&buf, "");
    cr_expect_eq(buf.len, 0u);
    wx_buf_puts(&buf, "n = ");
    wx_buf_printf(&buf, "%d, %s", -7, "seven");
    cr_expect_str_eq(wx_buf_text(&buf), "n = -7, seven");
    cr_expect_eq(buf.len, 13u, "the terminator does not count");
    wx_buf_printf(&buf, "%s", "");
    cr_expect_eq(buf.len, 13u);
    wx_buf_consume(&buf, 4);
    cr_expect_str_eq(wx_buf_text(&buf), "-7, seven");
    wx_buf_consume(&buf, buf.len);
    cr_expect_str_eq(wx_buf_text(&buf), "");
    wx_buf_puts(&buf, "again");
    cr_expect_str_eq(wx_buf_text(&buf), "again");
    wx_buf_free(&buf);
}

/* Formatting and viewing must not spoil a buffer at any distance from its maximum or its capacity.
 */
Test(buf, works_at_every_fill_level)
{
    for (size_t max = 0; max <= 130; max++) {
        for (size_t filled = 0; filled <= max; filled++) {
            struct wx_buf buf = {.max = max};
            for (size_t i = 0; i < filled; i++)
                wx_buf_put(&buf, "f", 1);
            const char *text = wx_buf_text(&buf);
            cr_assert_eq(strlen(text), filled, "%zu of %zu", filled, max);
            wx_buf_printf(&buf, "%s", "four");
            cr_assert_eq(buf.len, buf.full ? filled : filled + 4, "%zu of %zu", filled, max);
            cr_assert_leq(buf.len, max);
            text = wx_buf_text(&buf);
            cr_assert_eq(strlen(text), buf.len, "%zu of %zu", filled, max);
            wx_buf_free(&buf);
        }
    }
}

/* ---- log ------------------------------------------------------------------------------------- */

/* What one call writes to standard error; the caller frees it. */
static char *logged(enum wx_log_level threshold, enum wx_log_format format, int process,
                    enum wx_log_level level, const char *text)
{
    FILE *file = tmpfile();
    cr_assert_not_null(file, "tmpfile: %s", strerror(errno));
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    wx_log_setup(threshold, format, process);
    wx_log(level, "%s", text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char *out = calloc(1, 16384);
    cr_assert_not_null(out);
    rewind(file);
    size_t len = fread(out, 1, 16383, file);
    out[len] = '\0';
    fclose(file);
    return out;
}

Test(log, writes_one_line_in_the_asked_format)
{
    static const struct {
        enum wx_log_level threshold, level;
        enum wx_log_format format;
        int process;
        const char *text, *want;
    } cases[] = {
        {WX_LOG_INFO, WX_LOG_INFO, WX_LOG_TEXT, -1, "ready", "wax: ready\n"},
        {WX_LOG_INFO, WX_LOG_INFO, WX_LOG_TEXT, 3, "ready", "wax[3]: ready\n"},
        {WX_LOG_INFO, WX_LOG_WARN, WX_LOG_TEXT, -1, "slow", "wax: warning: slow\n"},
        {WX_LOG_INFO, WX_LOG_ERROR, WX_LOG_TEXT, 0, "lost", "wax[0]: error: lost\n"},
        {WX_LOG_INFO, WX_LOG_DEBUG, WX_LOG_TEXT, -1, "detail", ""},
        {WX_LOG_ERROR, WX_LOG_WARN, WX_LOG_JSON, -1, "slow", ""},
        {WX_LOG_DEBUG, WX_LOG_DEBUG, WX_LOG_LOGFMT, -1, "detail", " level=debug msg=\"detail\"\n"},
        {WX_LOG_INFO, WX_LOG_WARN, WX_LOG_LOGFMT, 7, "a \"b\" \\ c",
         " level=warn process=7 msg=\"a \\\"b\\\" \\\\ c\"\n"},
        {WX_LOG_INFO, WX_LOG_ERROR, WX_LOG_JSON, -1, "two\nlines\t",
         "\",\"level\":\"error\",\"msg\":\"two\\u000alines\\u0009\"}\n"},
        {WX_LOG_INFO, WX_LOG_INFO, WX_LOG_JSON, 12, "gr\xc3\xbc\xc3\x9f",
         "\",\"level\":\"info\",\"process\":12,\"msg\":\"gr\xc3\xbc\xc3\x9f\"}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *line = logged(cases[i].threshold, cases[i].format, cases[i].process, cases[i].level,
                            cases[i].text);
        const char *end = line;
        /* A time stamp of fixed width comes first in the formats for machines. */
        if (*line && cases[i].format == WX_LOG_LOGFMT) {
            cr_expect(strncmp(line, "time=2", 6) == 0, "case %zu: '%s'", i, line);
            end = line + strlen("time=2024-05-01T10:00:00.123Z");
        } else if (*line && cases[i].format == WX_LOG_JSON) {
            cr_expect(strncmp(line, "{\"time\":\"2", 10) == 0, "case %zu: '%s'", i, line);
            end = line + strlen("{\"time\":\"2024-05-01T10:00:00.123Z");
        }
        cr_expect_str_eq(end, cases[i].want, "case %zu: '%s'", i, line);
        free(line);
    }
}

Test(log, cuts_lines_that_are_too_long)
{
    static char text[10000];
    static const enum wx_log_format formats[] = {WX_LOG_TEXT, WX_LOG_LOGFMT, WX_LOG_JSON};
    static const char *const ends[] = {"x\n", "\"\n", "\"}\n"};
    static const char fill[] = {'x', '"', '\x01'};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (size_t c = 0; c < sizeof fill; c++) {
            memset(text, fill[c], sizeof text - 1);
            char *line = logged(WX_LOG_INFO, formats[f], 1, WX_LOG_INFO, text);
            size_t len = strlen(line);
            cr_expect(len > 1000 && len <= 4096, "format %zu, fill %zu: %zu bytes", f, c, len);
            cr_expect_eq(line[len - 1], '\n', "format %zu, fill %zu", f, c);
            if (formats[f] != WX_LOG_TEXT)
                cr_expect_str_eq(line + len - strlen(ends[f]), ends[f], "format %zu, fill %zu", f,
                                 c);
            cr_expect_null(memchr(line, '\n', len - 1), "format %zu, fill %zu: one line", f, c);
            free(line);
        }
    }
}

/* ---- alloc ----------------------------------------------------------------------------------- */

Test(alloc, gives_memory_for_every_size_with_zero_included)
{
    static const size_t sizes[] = {0, 1, 7, 8, 4096, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = wx_alloc(sizes[i]);
        memset(p, 0xa5, sizes[i]);
        p = wx_realloc(p, sizes[i] * 2);
        for (size_t k = 0; k < sizes[i]; k++)
            cr_assert_eq(p[k], 0xa5, "size %zu at %zu", sizes[i], k);
        free(p);

        unsigned char *z = wx_calloc(sizes[i], 3);
        for (size_t k = 0; k < sizes[i] * 3; k++)
            cr_assert_eq(z[k], 0, "size %zu at %zu", sizes[i], k);
        free(z);
    }
    free(wx_realloc(NULL, 10));
    char *copy = wx_strdup("words");
    cr_expect_str_eq(copy, "words");
    free(copy);
}

/* Sanitizers end the process by themselves when so much is asked for. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
Test(alloc, running_out_ends_the_process_and_says_so, .exit_code = WX_EXIT_INTERNAL)
{
    volatile size_t much = SIZE_MAX / 2;
    free(wx_alloc(much));
}
#endif
