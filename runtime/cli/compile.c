/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling a module: each file to an object in a temporary directory, then one link.
 *
 * The compiler runs in the module's directory, so that relative paths in its flags mean the same
 * wherever `wax` was called. It gets plain file names when that is where the user stands, and
 * absolute ones otherwise: then its messages lead an editor to the right file. __FILE__ is the
 * plain name in both cases.
 */
#include "cli/compile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/spawn.h"

#define TEXT_MAX (1u << 20) /* bytes of a dependency file or of what `cc --version` prints */

/* These warnings are those by which a mistake in a body is told with the user's line. */
static const char *const common_flags[] = {
    "-std=gnu17",
    "-O3",
    "-g",
    "-fPIC",
    "-fvisibility=hidden", /* a module's functions are not replaced by wax's of the same name */
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Werror=return-type",
    "-Werror=incompatible-pointer-types",
    "-Werror=format",
    "-Werror=int-conversion",
    "-Werror=implicit-function-declaration",
    NULL,
};
static const char *const gcc_flags[] = {"-ftrack-macro-expansion=0", NULL};
static const char *const clang_flags[] = {"-fmacro-backtrace-limit=1", "-Wno-gnu-auto-type", NULL};
/* WAX_DEBUG: bodies stay functions, so that reports name them. ASan tells more than object-size
 * does. */
static const char *const sanitize_flags[] = {
    "-O1",         "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
    "-DWAX_DEBUG", "-fno-sanitize=object-size",    NULL,
};

struct job {
    const struct wx_recipe *recipe;
    bool clang;
    char *temporary;        /* directory for objects */
    const char *source_dir; /* put before file names: "" when the user stands in that directory */
    struct wx_words flags;
    struct wx_words objects;
};

static void add_all(struct wx_words *words, const char *const *flags)
{
    for (; *flags; flags++)
        wx_words_add(words, *flags);
}

static int ask(const struct wx_recipe *recipe, const char *question, struct wx_buf *answer,
               struct wx_error *err)
{
    struct wx_words argv = {0};
    wx_words_add_all(&argv, &recipe->cc);
    wx_words_add(&argv, question);
    int code = wx_spawn(argv.item, &(struct wx_spawn){.output = answer}, err);
    wx_words_fini(&argv);
    if (code < 0)
        return wx_fail(
            err, WX_EXIT_MODULE,
            "there is no C compiler '%s' here: install one, name one by CC, or run a module "
            "that was built by 'wax build'",
            recipe->cc.item[0]);
    if (code > 0)
        return wx_fail(err, WX_EXIT_MODULE, "'%s' is no C compiler that wax can use: '%s %s' fails",
                       recipe->cc.item[0], recipe->cc.item[0], question);
    return 0;
}

static int is_clang(const struct wx_recipe *recipe, bool *clang, struct wx_error *err)
{
    struct wx_buf answer = {.max = TEXT_MAX};
    int rc = ask(recipe, "--version", &answer, err);
    *clang = rc == 0 && strstr(wx_buf_text(&answer), "clang") != NULL;
    wx_buf_free(&answer);
    return rc;
}

/* ---- dependencies ---------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
    struct wx_buf text = {.max = TEXT_MAX};
    FILE *file = fopen(path, "re");
    if (!file)
        return wx_strdup("");
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        wx_buf_put(&text, block, n);
    fclose(file);
    char *copy = wx_strdup(wx_buf_text(&text));
    wx_buf_free(&text);
    return copy;
}

/* The names in "x: a.c dir/b.h \<newline> c.h", where "\ ", "\#" and "$$" stand for ' ', '#' and
 * '$'. */
static void add_dependencies(struct wx_words *local, const char *path)
{
    WX_AUTO_FREE char *text = read_text(path);
    const char *at = strchr(text, ':');
    WX_AUTO_FREE char *name = wx_alloc(strlen(text) + 1);
    while (at && *at) {
        size_t len = 0;
        at += strspn(at, ": \n");
        for (; *at && *at != ' ' && *at != '\n'; at++) {
            bool escaped = (*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\')) ||
                           (*at == '$' && at[1] == '$');
            if (*at == '\\' && at[1] == '\n')
                continue;
            if (escaped)
                at++;
            name[len++] = *at;
        }
        name[len] = '\0';
        if (len)
            wx_words_add(local, name);
    }
}

/* ---- the compiler ---------------------------------------------------------------------------- */

static int run(const struct job *job, const struct wx_words *argv, const char *what,
               struct wx_error *err)
{
    int code = wx_spawn(argv->item, &(struct wx_spawn){.dir = job->recipe->dir}, err);
    if (code < 0)
        return -1;
    return code ? wx_fail(err, WX_EXIT_MODULE, "cannot %s '%s'", what, job->recipe->path) : 0;
}

static int compile_file(struct job *job, size_t index, struct wx_words *local, struct wx_error *err)
{
    WX_AUTO_FREE char *source = wx_text("%s%s", job->source_dir, job->recipe->files.item[index]);
    WX_AUTO_FREE char *depend = wx_text("%s/%zu.d", job->temporary, index);
    char *object = wx_text("%s/%zu.o", job->temporary, index);
    wx_words_take(&job->objects, object);
    struct wx_words argv = {0};
    wx_words_add_all(&argv, &job->recipe->cc);
    wx_words_add_all(&argv, &job->flags);
    if (*job->source_dir)
        wx_words_take(&argv, wx_text("-fmacro-prefix-map=%s=", job->source_dir));
    const char *const rest[] = {"-MMD", "-MF", depend, "-MT",  "x",
                                "-c",   "-o",  object, source, NULL};
    add_all(&argv, rest);
    int rc = run(job, &argv, "compile", err);
    wx_words_fini(&argv);
    if (rc == 0 && local)
        add_dependencies(local, depend);
    unlink(depend);
    return rc;
}

static int link_module(const struct job *job, const char *output, struct wx_error *err)
{
    WX_AUTO_FREE char *fresh = wx_text("%s.%d.tmp", output, (int)getpid());
    struct wx_words argv = {0};
    wx_words_add_all(&argv, &job->recipe->cc);
    wx_words_add_all(&argv, &job->flags);
    wx_words_add(&argv, "-shared");
    if (job->clang && job->recipe->sanitize)
        wx_words_add(&argv, "-shared-libasan");
    wx_words_add(&argv, "-o");
    wx_words_add(&argv, fresh);
    wx_words_add_all(&argv, &job->objects);
    wx_words_add_all(&argv, &job->recipe->ldlibs);
    int rc = run(job, &argv, "link", err);
    wx_words_fini(&argv);
    if (rc == 0 && rename(fresh, output) < 0)
        rc = wx_fail(err, WX_EXIT_MODULE, "cannot write '%s': %s", output, strerror(errno));
    if (rc < 0)
        unlink(fresh);
    return rc;
}

static int begin(struct job *job, struct wx_error *err)
{
    const struct wx_recipe *recipe = job->recipe;
    if (is_clang(recipe, &job->clang, err) < 0)
        return -1;
    const char *base = getenv("TMPDIR");
    char *temporary = wx_text("%s/wax-build-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(temporary)) {
        wx_fail(err, WX_EXIT_MODULE, "cannot make a directory for objects like '%s': %s", temporary,
                strerror(errno));
        free(temporary);
        return -1;
    }
    job->temporary = temporary;
    add_all(&job->flags, common_flags);
    add_all(&job->flags, job->clang ? clang_flags : gcc_flags);
    if (recipe->sanitize)
        add_all(&job->flags, sanitize_flags);
    wx_words_take(&job->flags, wx_text("-I%s", recipe->include));
    wx_words_add_all(&job->flags, &recipe->cflags);
    return 0;
}

static void end(struct job *job)
{
    for (size_t i = 0; i < job->objects.n; i++)
        unlink(job->objects.item[i]);
    if (job->temporary)
        rmdir(job->temporary);
    free(job->temporary);
    wx_words_fini(&job->objects);
    wx_words_fini(&job->flags);
}

int wx_compile(const struct wx_recipe *recipe, const char *output, struct wx_words *local,
               struct wx_error *err)
{
    WX_AUTO_FREE char *here = realpath(".", NULL);
    WX_AUTO_FREE char *prefix = wx_text("%s/", recipe->dir);
    WX_AUTO_FREE char *target = wx_path_join(output[0] == '/' || !here ? "." : here, output);
    struct job job = {.recipe = recipe};
    job.source_dir = here && strcmp(here, recipe->dir) == 0 ? "" : prefix;
    int rc = begin(&job, err);
    for (size_t i = 0; i < recipe->files.n && rc == 0; i++)
        rc = compile_file(&job, i, local, err);
    if (rc == 0)
        rc = link_module(&job, target, err);
    end(&job);
    return rc;
}

char *wx_compile_sanitizer(const struct wx_recipe *recipe, struct wx_error *err)
{
    bool clang;
    struct utsname machine;
    if (is_clang(recipe, &clang, err) < 0 || uname(&machine) < 0)
        return NULL;
    WX_AUTO_FREE char *name =
        clang ? wx_text("libclang_rt.asan-%s.so", machine.machine) : wx_strdup("libasan.so");
    WX_AUTO_FREE char *question = wx_text("-print-file-name=%s", name);
    struct wx_buf answer = {.max = TEXT_MAX};
    char *path = NULL;
    if (ask(recipe, question, &answer, err) == 0) {
        WX_AUTO_FREE char *found = wx_strdup(wx_buf_text(&answer));
        found[strcspn(found, "\n")] = '\0';
        path = realpath(found, NULL);
        if (!path)
            wx_fail(err, WX_EXIT_MODULE,
                    "--sanitize: '%s' has no '%s': install its sanitizer library",
                    recipe->cc.item[0], name);
    }
    wx_buf_free(&answer);
    return path;
}
