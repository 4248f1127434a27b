/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of compiled modules.
 *
 * Which headers a module includes is known only after a compilation, so there are two steps: a key
 * made of places, flags, compiler and version leads to the list of files of the last compilation;
 * the contents of those, together with the key, name the shared object. Entries appear by rename,
 * so that processes compiling the same at once do no harm. The compiler is known by its file's size
 * and time: asking it for its version would cost more than everything else here.
 */
#include "cli/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <wax/flow.h>

#include "base/alloc.h"
#include "cli/compile.h"

#define KEEP_SECONDS  (30 * 24 * 3600) /* an entry not used for this long is removed */
#define TOUCH_SECONDS (24 * 3600)      /* how exact the time of the last use is kept */
#define COMPILES_MAX  3    /* attempts when files change while the compiler reads them */
#define LIST_LINE_MAX 8192 /* a path in a list of files */

/* ---- hashing --------------------------------------------------------------------------------- */

static void add_text(XXH3_state_t *state, const char *text)
{
    XXH3_128bits_update(state, text, strlen(text) + 1);
}

static void add_words(XXH3_state_t *state, const struct wx_words *words)
{
    for (size_t i = 0; i < words->n; i++)
        add_text(state, words->item[i]);
    add_text(state, "");
}

static void id_text(const XXH3_state_t *state, char id[WX_ID_TEXT])
{
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    snprintf(id, WX_ID_TEXT, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* Adds the length and the bytes of a file. */
static int add_file(XXH3_state_t *state, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return -1;
    int rc = fstat(fd, &st);
    uint64_t len = rc == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    XXH3_128bits_update(state, &len, sizeof len);
    if (len > 0) {
        void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = bytes == MAP_FAILED ? -1 : 0;
        if (rc == 0) {
            XXH3_128bits_update(state, bytes, len);
            munmap(bytes, len);
        }
    }
    close(fd);
    return rc;
}

int wx_cache_file_id(const char *path, char id[WX_ID_TEXT], struct wx_error *err)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    if (add_file(&state, path) < 0)
        return wx_fail(err, WX_EXIT_MODULE, "cannot read '%s': %s", path, strerror(errno));
    id_text(&state, id);
    return 0;
}

/* ---- the directory --------------------------------------------------------------------------- */

static int make_directory(const char *path)
{
    WX_AUTO_FREE char *copy = wx_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* Code is loaded from there: it must be ours, and nobody else may be able to write to it. */
static const char *fault_of(const char *path)
{
    struct stat st;
    if (make_directory(path) < 0 || lstat(path, &st) < 0)
        return strerror(errno);
    if (!S_ISDIR(st.st_mode))
        return "not a directory";
    if (st.st_uid != geteuid())
        return "it belongs to another user";
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return "others may write to it";
    return access(path, W_OK | X_OK) < 0 ? strerror(errno) : NULL;
}

static char *find_directory(struct wx_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *places[] = {
        cache && cache[0] == '/' ? wx_text("%s/wax", cache) : NULL,
        home && home[0] == '/' ? wx_text("%s/.cache/wax", home) : NULL,
        wx_text("/tmp/wax-%u", (unsigned)geteuid()),
    };
    char *found = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *fault = places[i] && !found ? fault_of(places[i]) : "";
        if (!fault) {
            found = places[i];
            continue;
        }
        if (!found && places[i])
            wx_fail(err, WX_EXIT_MODULE, "cannot keep compiled modules in '%s': %s", places[i],
                    fault);
        free(places[i]);
    }
    return found;
}

/* Removes what was not used for long, and what a killed process left behind. */
static void prune(const char *dir)
{
    DIR *entries = opendir(dir);
    if (!entries)
        return;
    time_t now = time(NULL);
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat st;
        int fd = dirfd(entries);
        if (entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtim.tv_sec < now - KEEP_SECONDS)
            unlinkat(fd, entry->d_name, 0);
    }
    closedir(entries);
}

/* Is the entry there? Says so to prune() from time to time. */
static bool use(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (st.st_mtim.tv_sec < time(NULL) - TOUCH_SECONDS)
        utimensat(AT_FDCWD, path, NULL, 0);
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Adds what identifies an executable. The words of CC may be more than one: "ccache gcc". */
static void add_program(XXH3_state_t *state, const char *name)
{
    const char *at = strchr(name, '/') ? "" : getenv("PATH");
    add_text(state, name);
    for (bool more = true; at && more;) {
        size_t len = strcspn(at, ":");
        WX_AUTO_FREE char *path = wx_text("%.*s%s%s", (int)len, at, len ? "/" : "", name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0) {
            int64_t facts[] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
            XXH3_128bits_update(state, facts, sizeof facts);
            return;
        }
        more = at[len] == ':';
        at += len + more;
    }
}

static void recipe_key(const struct wx_recipe *recipe, char key[WX_ID_TEXT])
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    add_text(&state, wax_version());
    uint32_t abi = WAX_ABI;
    XXH3_128bits_update(&state, &abi, sizeof abi);
    for (size_t i = 0; i < recipe->cc.n; i++)
        add_program(&state, recipe->cc.item[i]);
    add_text(&state, recipe->dir);
    add_text(&state, recipe->include);
    add_text(&state, recipe->sanitize ? "sanitize" : "");
    add_words(&state, &recipe->files);
    add_words(&state, &recipe->cflags);
    add_words(&state, &recipe->ldlibs);
    id_text(&state, key);
}

/* The id of the module as it is now. False when a file of the list is not there any more. */
static bool content_id(const struct wx_recipe *recipe, const struct wx_words *local,
                       char id[WX_ID_TEXT])
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    add_text(&state, recipe->sanitize ? "sanitize" : "");
    add_words(&state, &recipe->cflags);
    add_words(&state, &recipe->ldlibs);
    for (size_t i = 0; i < local->n; i++) {
        WX_AUTO_FREE char *path =
            wx_path_join(local->item[i][0] == '/' ? "." : recipe->dir, local->item[i]);
        if (add_file(&state, path) < 0)
            return false;
    }
    id_text(&state, id);
    return local->n > 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void read_list(const char *path, struct wx_words *local)
{
    FILE *file = fopen(path, "re");
    char line[LIST_LINE_MAX];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        wx_words_add(local, line);
    }
    if (file)
        fclose(file);
}

/* A list that cannot be written only means that the next call compiles again. */
static void write_list(const char *path, const struct wx_words *local)
{
    WX_AUTO_FREE char *fresh = wx_text("%s.%d.tmp", path, (int)getpid());
    FILE *file = fopen(fresh, "we");
    if (!file)
        return;
    for (size_t i = 0; i < local->n; i++)
        fprintf(file, "%s\n", local->item[i]);
    if (fclose(file) != 0 || rename(fresh, path) < 0)
        unlink(fresh);
}

/* Was a file written since `start`? Times in the future come from other clocks and say nothing. */
static bool changed_since(const struct wx_recipe *recipe, const struct wx_words *local,
                          const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < local->n; i++) {
        WX_AUTO_FREE char *path =
            wx_path_join(local->item[i][0] == '/' ? "." : recipe->dir, local->item[i]);
        struct stat st;
        if (stat(path, &st) < 0)
            return true;
        const struct timespec *t = &st.st_mtim;
        bool after = t->tv_sec > start->tv_sec ||
                     (t->tv_sec == start->tv_sec && t->tv_nsec > start->tv_nsec);
        if (after && t->tv_sec <= now.tv_sec)
            return true;
    }
    return false;
}

/* Compiles to `fresh` until no file changed meanwhile: the id must be that of its contents. */
static int compile(const struct wx_recipe *recipe, const char *fresh, struct wx_words *local,
                   char id[WX_ID_TEXT], struct wx_error *err)
{
    for (int i = 0; i < COMPILES_MAX; i++) {
        struct timespec start;
        clock_gettime(CLOCK_REALTIME, &start);
        wx_words_fini(local);
        if (wx_compile(recipe, fresh, local, err) < 0)
            return -1;
        if (content_id(recipe, local, id) && !changed_since(recipe, local, &start))
            return 0;
    }
    return wx_fail(err, WX_EXIT_MODULE, "cannot compile '%s': its files change all the time",
                   recipe->path);
}

static char *entry_path(const char *dir, const char *key, const char *id)
{
    return wx_text("%s/%.16s-%s.so", dir, key, id);
}

char *wx_cache_module(const struct wx_recipe *recipe, char id[WX_ID_TEXT], struct wx_error *err)
{
    char key[WX_ID_TEXT];
    WX_AUTO_FREE char *dir = find_directory(err);
    if (!dir)
        return NULL;
    recipe_key(recipe, key);
    struct wx_words local = {0};
    WX_AUTO_FREE char *list = wx_text("%s/%s.files", dir, key);
    read_list(list, &local);
    char *so = content_id(recipe, &local, id) ? entry_path(dir, key, id) : NULL;
    if (!so || !use(so)) {
        free(so);
        so = NULL;
        WX_AUTO_FREE char *fresh = wx_text("%s/%s.%d.so", dir, key, (int)getpid());
        if (compile(recipe, fresh, &local, id, err) == 0) {
            so = entry_path(dir, key, id);
            write_list(list, &local);
            if (rename(fresh, so) < 0) {
                wx_fail(err, WX_EXIT_MODULE, "cannot write '%s': %s", so, strerror(errno));
                free(so);
                so = NULL;
            }
        }
        if (!so)
            unlink(fresh);
        prune(dir);
    }
    wx_words_fini(&local);
    return so;
}
