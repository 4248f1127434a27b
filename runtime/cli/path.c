/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and paths for the commands: short-lived, on the heap, so that no path is too long. */
#include "cli/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"

char *wx_text(const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t cap = len < 0 ? 1 : (size_t)len + 1;
    char *text = wx_alloc(cap);
    text[0] = '\0';
    vsnprintf(text, cap, fmt, again);
    va_end(again);
    return text;
}

char *wx_path_join(const char *dir, const char *name)
{
    size_t len = strlen(dir);
    if (strcmp(dir, ".") == 0)
        return wx_strdup(name);
    return wx_text("%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name);
}

char *wx_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return wx_strdup(".");
    return wx_text("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *wx_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool wx_path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool wx_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool wx_path_ends(const char *path, const char *ending)
{
    size_t len = strlen(path), n = strlen(ending);
    return len > n && strcmp(path + len - n, ending) == 0;
}

void wx_words_take(struct wx_words *words, char *text)
{
    words->item = wx_realloc(words->item, (words->n + 2) * sizeof *words->item);
    words->item[words->n++] = text;
    words->item[words->n] = NULL;
}

void wx_words_add(struct wx_words *words, const char *text)
{
    wx_words_take(words, wx_strdup(text));
}

void wx_words_add_all(struct wx_words *words, const struct wx_words *more)
{
    for (size_t i = 0; i < more->n; i++)
        wx_words_add(words, more->item[i]);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void wx_words_sort(struct wx_words *words)
{
    if (words->n)
        qsort(words->item, words->n, sizeof *words->item, compare);
}

void wx_words_fini(struct wx_words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->item[i]);
    free(words->item);
    *words = (struct wx_words){0};
}
