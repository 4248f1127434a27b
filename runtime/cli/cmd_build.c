/* SPDX-License-Identifier: Apache-2.0 */
/* wax build: compile a module into a shared object, by the same recipe as `wax run`. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/compile.h"

struct build_args {
    const char *output;
    bool sanitize;
};

/* "simple" may stand for simple.c, as it does for `wax run`. Returns owned. */
static char *source_path(const char *given)
{
    if (!wx_path_is_file(given) && !wx_path_is_dir(given)) {
        WX_AUTO_FREE char *c = wx_text("%s.c", given);
        if (wx_path_is_file(c))
            return wx_strdup(c);
    }
    return wx_strdup(given);
}

/* simple.so beside simple.c; flows.so beside the directory flows. Returns owned. */
static char *default_output(const struct wx_recipe *recipe)
{
    WX_AUTO_FREE char *dir =
        wx_path_is_dir(recipe->path) ? wx_path_dir(recipe->dir) : wx_path_dir(recipe->path);
    WX_AUTO_FREE char *file = wx_text("%s.so", recipe->name);
    return wx_path_join(dir, file);
}

static int run(const struct wx_call *call)
{
    const struct build_args *args = call->values;
    struct wx_error err = {0};
    struct wx_recipe recipe;
    WX_AUTO_FREE char *path = source_path(call->parsed->operand[0]);
    int rc = wx_recipe_init(&recipe, path, args->sanitize, &err);
    if (rc == 0) {
        WX_AUTO_FREE char *output =
            args->output ? wx_strdup(args->output) : default_output(&recipe);
        rc = wx_compile(&recipe, output, NULL, &err);
    }
    wx_recipe_fini(&recipe);
    return rc < 0 ? wx_cli_fail(&err) : WX_EXIT_OK;
}

static const struct wx_opt opts[] = {
    {.name = "output",
     .letter = 'o',
     .kind = WX_OPT_STRING,
     .at = offsetof(struct build_args, output),
     .arg = "FILE",
     .help =
         "the shared object to write; without it, the module's name and .so, beside the source"},
    {.name = "sanitize",
     .kind = WX_OPT_FLAG,
     .at = offsetof(struct build_args, sanitize),
     .env = "WAX_SANITIZE",
     .help = "compile with AddressSanitizer and UndefinedBehaviorSanitizer"},
    {0},
};

static const struct wx_example examples[] = {
    {"wax build simple.c -o simple.so", "compile one file"},
    {"wax build flows/ -o flows.so", "compile all C files of a directory into one module"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_build = {
    .name = "build",
    .summary = "compile a module into a shared object",
    .operands = "PATH",
    .operand_kind = WX_OPERAND_FILE,
    .operands_min = 1,
    .operands_max = 1,
    .text =
        "Compiles a C file, or all C files of a directory, into a shared object for 'wax "
        "run'.\n\n"
        "A file 'wax.mk' in the same directory is read by make and may set WAX_CFLAGS (flags for "
        "the compiler), WAX_LDLIBS (libraries) and CC (the compiler, 'cc' by default). The "
        "environment may set the same three. The compiler runs in the module's directory. 'wax "
        "run' follows the same rules. For example:\n\n"
        "  WAX_CFLAGS = -O3 $(shell pkg-config --cflags zlib)\n"
        "  WAX_LDLIBS = $(shell pkg-config --libs zlib)\n\n"
        "The headers of wax are found beside the executable; WAX_INCLUDE names another directory.",
    .opts = opts,
    .values_size = sizeof(struct build_args),
    .examples = examples,
    .run = run,
};
