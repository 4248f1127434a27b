/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and memory: filling an error allocates nothing, so that it works when memory is what
 * failed.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int wx_fail(struct wx_error *err, int exit_code, const char *fmt, ...)
{
    if (!err)
        return -1;
    err->exit_code = exit_code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return -1;
}

int wx_wrap(struct wx_error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof text)
        snprintf(text + len, sizeof text - (size_t)len, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    return -1;
}

_Noreturn void wx_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "wax: internal error: '%s' does not hold at %s:%d\n", cond, file, line);
    abort();
}

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "wax: out of memory (%zu bytes asked for)\n", size);
    exit(WX_EXIT_INTERNAL);
}

void *wx_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *wx_calloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory(n * size);
    return p;
}

void *wx_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        out_of_memory(size);
    return q;
}

char *wx_strdup(const char *s)
{
    size_t len = strlen(s) + 1;
    return memcpy(wx_alloc(len), s, len);
}
