/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_PATH_H
#define WX_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Strings and paths that are made, kept for a moment and freed: what every command needs. */

/* Frees a variable's string at the end of its block: WX_AUTO_FREE char *path = ... */
#define WX_AUTO_FREE __attribute__((cleanup(wx_auto_free)))
static inline void wx_auto_free(char **p)
{
    free(*p);
}

/* Text as by printf. Returns owned. */
char *wx_text(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc));

/* "dir/name", or `name` when `dir` is ".". Returns owned. */
char *wx_path_join(const char *dir, const char *name);
/* The directory part, "." when there is none. Returns owned. */
char *wx_path_dir(const char *path);
/* What follows the last slash. Borrowed. */
const char *wx_path_base(const char *path);
bool wx_path_is_file(const char *path);
bool wx_path_is_dir(const char *path);
bool wx_path_ends(const char *path, const char *ending);

/* A growing list of strings, for argument vectors and lists of files. Zeroed is empty. */
struct wx_words {
    char **item; /* owned, with a NULL behind the last; NULL when nothing was ever added */
    size_t n;
};
void wx_words_add(struct wx_words *words, const char *text);
/* The same for a string that is given away. Takes `text`. */
void wx_words_take(struct wx_words *words, char *text);
void wx_words_add_all(struct wx_words *words, const struct wx_words *more);
void wx_words_sort(struct wx_words *words);
void wx_words_fini(struct wx_words *words);

#endif /* WX_PATH_H */
