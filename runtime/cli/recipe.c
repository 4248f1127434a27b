/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: which files make a module, and with which settings.
 *
 * A `wax.mk` is read by make itself, so that it may hold whatever makefiles do (conditions,
 * `$(shell pkg-config ...)`); a small makefile around it prints the three variables. Their words
 * are then split as a shell would, quotes included.
 */
#include "cli/recipe.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

#include "base/alloc.h"
#include "cli/spawn.h"

#define SETTINGS_FILE "wax.mk"
#define SETTINGS_MAX  (64u * 1024) /* bytes of all settings together */
#define PARENTS_MAX   4            /* directories above the executable that may be a source tree */

/* ---- files ----------------------------------------------------------------------------------- */

static int list_directory(struct wx_recipe *recipe, struct wx_error *err)
{
    DIR *dir = opendir(recipe->dir);
    if (!dir)
        return wx_fail(err, WX_EXIT_MODULE, "cannot read directory '%s': %s", recipe->path,
                       strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && wx_path_ends(entry->d_name, ".c"))
            wx_words_add(&recipe->files, entry->d_name);
    closedir(dir);
    wx_words_sort(&recipe->files);
    if (!recipe->files.n)
        return wx_fail(err, WX_EXIT_MODULE, "directory '%s' has no .c files: it is no module",
                       recipe->path);
    return 0;
}

static int find_files(struct wx_recipe *recipe, struct wx_error *err)
{
    bool is_dir = wx_path_is_dir(recipe->path);
    if (!is_dir && !wx_path_is_file(recipe->path))
        return wx_fail(err, WX_EXIT_MODULE, "there is no module '%s': %s", recipe->path,
                       access(recipe->path, R_OK) < 0 ? strerror(errno) : "not a file");
    if (!is_dir && !wx_path_ends(recipe->path, ".c"))
        return wx_fail(err, WX_EXIT_MODULE, "'%s' is no C file: its name must end in .c",
                       recipe->path);
    WX_AUTO_FREE char *place = is_dir ? wx_strdup(recipe->path) : wx_path_dir(recipe->path);
    recipe->dir = realpath(place, NULL);
    if (!recipe->dir)
        return wx_fail(err, WX_EXIT_MODULE, "cannot find directory '%s': %s", place,
                       strerror(errno));
    recipe->name = wx_recipe_module_name(recipe->path);
    if (is_dir)
        return list_directory(recipe, err);
    wx_words_add(&recipe->files, wx_path_base(recipe->path));
    return 0;
}

char *wx_recipe_module_name(const char *path)
{
    /* "flows/" and "." are named by where they are. */
    WX_AUTO_FREE char *real = wx_path_is_dir(path) ? realpath(path, NULL) : NULL;
    char *name = wx_strdup(wx_path_base(real ? real : path));
    if (!real && (wx_path_ends(name, ".c") || wx_path_ends(name, ".so")))
        *strrchr(name, '.') = '\0';
    return name;
}

/* ---- settings -------------------------------------------------------------------------------- */

static int split(struct wx_words *words, const char *name, const char *text, struct wx_error *err)
{
    wordexp_t parts;
    int rc = wordexp(text, &parts, WRDE_NOCMD);
    if (rc != 0) {
        if (rc == WRDE_NOSPACE)
            wordfree(&parts);
        return wx_fail(err, WX_EXIT_MODULE, "%s is '%s', which a shell could not split into words",
                       name, text);
    }
    for (size_t i = 0; i < parts.we_wordc; i++)
        wx_words_add(words, parts.we_wordv[i]);
    wordfree(&parts);
    return 0;
}

/* The value behind "wax.NAME=" in what make printed. Returns owned, or NULL. */
static char *printed(const char *output, const char *name)
{
    WX_AUTO_FREE char *mark = wx_text("wax.%s=", name);
    const char *at = strstr(output, mark);
    if (!at)
        return NULL;
    at += strlen(mark);
    return wx_text("%.*s", (int)strcspn(at, "\n"), at);
}

static int read_makefile(const struct wx_recipe *recipe, char *value[3], const char *const *names,
                         struct wx_error *err)
{
    static const char around[] = "include " SETTINGS_FILE "\n"
                                 "ifeq ($(origin CC),default)\nCC = cc\nendif\n"
                                 "$(info wax.CC=$(CC))\n"
                                 "$(info wax.WAX_CFLAGS=$(WAX_CFLAGS))\n"
                                 "$(info wax.WAX_LDLIBS=$(WAX_LDLIBS))\n"
                                 ".PHONY: wax-settings\nwax-settings: ; @:\n";
    char *argv[] = {"make", "-s", "--no-print-directory", "-C", recipe->dir,
                    "-f",   "-",  "wax-settings",         NULL};
    struct wx_buf output = {.max = SETTINGS_MAX};
    struct wx_spawn how = {.input = around, .output = &output};
    int code = wx_spawn(argv, &how, err);
    if (code < 0) {
        wx_wrap(err, "cannot read '%s/" SETTINGS_FILE "'", recipe->dir);
    } else if (code > 0 || output.full) {
        code = wx_fail(err, WX_EXIT_MODULE, "cannot read '%s/" SETTINGS_FILE "': make %s",
                       recipe->dir, code ? "says what is wrong with it" : "prints too much");
    } else {
        for (int i = 0; i < 3; i++)
            value[i] = printed(wx_buf_text(&output), names[i]);
    }
    wx_buf_free(&output);
    return code;
}

static int find_settings(struct wx_recipe *recipe, struct wx_error *err)
{
    static const char *const names[] = {"CC", "WAX_CFLAGS", "WAX_LDLIBS"};
    static const char *const fallback[] = {"cc", "", ""};
    struct wx_words *words[] = {&recipe->cc, &recipe->cflags, &recipe->ldlibs};
    char *value[3] = {0};
    WX_AUTO_FREE char *file = wx_path_join(recipe->dir, SETTINGS_FILE);
    int rc = wx_path_is_file(file) ? read_makefile(recipe, value, names, err) : 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        const char *text = value[i] ? value[i] : getenv(names[i]);
        rc = split(words[i], names[i], text && *text ? text : fallback[i], err);
    }
    for (int i = 0; i < 3; i++)
        free(value[i]);
    if (rc == 0 && !recipe->cc.n)
        return wx_fail(err, WX_EXIT_MODULE, "CC is blank: it should name a C compiler");
    return rc;
}

/* ---- the headers ----------------------------------------------------------------------------- */

static bool has_header(const char *dir)
{
    WX_AUTO_FREE char *header = wx_path_join(dir, "wax/wax.h");
    return wx_path_is_file(header);
}

static bool try_headers(struct wx_recipe *recipe, const char *dir, const char *name)
{
    char *include = wx_path_join(dir, name);
    if (has_header(include))
        recipe->include = include;
    else
        free(include);
    return recipe->include != NULL;
}

/* Installed: PREFIX/include of PREFIX/bin/wax. In a source tree: in a directory above the
 * executable. */
static int find_headers(struct wx_recipe *recipe, struct wx_error *err)
{
    const char *told = getenv("WAX_INCLUDE");
    if (told && *told) {
        recipe->include = realpath(told, NULL);
        if (recipe->include && has_header(recipe->include))
            return 0;
        return wx_fail(err, WX_EXIT_MODULE,
                       "WAX_INCLUDE is '%s', but there is no 'wax/wax.h' in it", told);
    }
    WX_AUTO_FREE char *exe = realpath("/proc/self/exe", NULL);
    WX_AUTO_FREE char *bin = wx_path_dir(exe ? exe : "/");
    WX_AUTO_FREE char *up = wx_path_dir(bin);
    if (try_headers(recipe, up, "include"))
        return 0;
    for (int i = 0; i < PARENTS_MAX; i++) {
        if (try_headers(recipe, up, "runtime/include"))
            return 0;
        char *further = wx_path_dir(up);
        free(up);
        up = further;
    }
    return wx_fail(err, WX_EXIT_MODULE,
                   "cannot find 'wax/wax.h' near the executable: set WAX_INCLUDE to its directory");
}

int wx_recipe_init(struct wx_recipe *recipe, const char *path, bool sanitize, struct wx_error *err)
{
    *recipe = (struct wx_recipe){.path = wx_strdup(path), .sanitize = sanitize};
    if (find_files(recipe, err) < 0 || find_settings(recipe, err) < 0)
        return -1;
    return find_headers(recipe, err);
}

void wx_recipe_fini(struct wx_recipe *recipe)
{
    free(recipe->path);
    free(recipe->dir);
    free(recipe->name);
    free(recipe->include);
    wx_words_fini(&recipe->files);
    wx_words_fini(&recipe->cc);
    wx_words_fini(&recipe->cflags);
    wx_words_fini(&recipe->ldlibs);
}
