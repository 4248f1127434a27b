/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax run: find the module, compile it when it is source, load it, launch it.
 *
 * A module with sanitizers can only be loaded into a process that has their library from the start.
 * So with
 * --sanitize the module is compiled first; then `wax` runs itself again with the library preloaded,
 * finds the module in the cache, and goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/module.h"

#define SANITIZED "WAX_SANITIZED" /* variable: the library was preloaded already */

/* Puts `ours` before the value of a variable. */
static void prepend_env(const char *name, const char *ours)
{
    const char *old = getenv(name);
    WX_AUTO_FREE char *value = wx_text("%s%s%s", ours, old && *old ? ":" : "", old ? old : "");
    setenv(name, value, 1);
}

/* Returns only when it fails. */
static int run_again(const struct wx_call *call, const char *library, struct wx_error *err)
{
    static const char *const but[] = {NULL};
    if (getenv(SANITIZED))
        return wx_fail(err, WX_EXIT_MODULE, "--sanitize: '%s' could not be loaded before wax",
                       library);
    setenv(SANITIZED, "1", 1);
    prepend_env("LD_PRELOAD", library);
    /* What wax itself keeps until the end of the process is no leak of a body. */
    prepend_env("ASAN_OPTIONS", "detect_leaks=0");
    prepend_env("UBSAN_OPTIONS", "print_stacktrace=1");
    char **args = wx_launch_arguments(call, but, call->parsed->operand[0]);
    execv("/proc/self/exe", args);
    wx_fail(err, WX_EXIT_MODULE, "--sanitize: cannot start wax again: %s", strerror(errno));
    for (char **arg = args; *arg; arg++)
        free(*arg);
    free(args);
    return -1;
}

static const wax_dataflow *open_module(const struct wx_call *call, struct wx_module *module,
                                       struct wx_error *err)
{
    const struct wx_launch_args *args = call->values;
    if (wx_module_build(module, args->sanitize, err) < 0)
        return NULL;
    if (module->sanitizer) {
        run_again(call, module->sanitizer, err);
        return NULL;
    }
    return wx_module_load(module, err);
}

static int run(const struct wx_call *call)
{
    const struct wx_launch_args *args = call->values;
    struct wx_error err = {0};
    struct wx_module module;
    if (wx_launch_check(call, &err) < 0)
        return wx_cli_fail(&err);
    const wax_dataflow *dataflow = NULL;
    if (wx_module_find(&module, call->parsed->operand[0], args->sanitize, &err) == 0)
        dataflow = open_module(call, &module, &err);
    int code;
    if (dataflow) {
        WX_AUTO_FREE char *operand = wx_text("%s:%s", module.so, dataflow->name);
        code = wx_launch(call, dataflow, module.id, operand);
    } else {
        code = wx_cli_fail(&err);
    }
    wx_module_fini(&module);
    return code;
}

static const struct wx_example examples[] = {
    {"wax run simple", "run ./simple.so or ./simple.c on one thread"},
    {"wax run simple:other -w3", "another dataflow of that module, on three threads"},
    {"wax run ./flows/simple.c -D path=x.txt", "a file somewhere else, with a parameter"},
    {"wax run simple -p2 -w3", "a cluster of two processes on this machine"},
    {"wax run simple -w3 -i0 -a \"one:2101;two:2101\"",
     "the first process of a cluster on two machines; -i1 on the other"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_run = {
    .name = "run",
    .summary = "run a dataflow",
    .operands = "FLOW[:NAME]",
    .operand_kind = WX_OPERAND_FLOW,
    .operands_min = 1,
    .operands_max = 1,
    .text =
        "Runs the dataflow that FLOW offers, until its input ends.\n\n"
        "FLOW is looked for as ./FLOW.so and ./FLOW.c, then likewise in each directory of "
        "$WAX_PATH, a list separated by ':'. With a slash, or ending in .c or .so, it is the path "
        "of a C file, of a shared object made by 'wax build', or of a directory of which all C "
        "files make one module. C is compiled when needed and kept, by content, in "
        "$XDG_CACHE_HOME/wax or ~/.cache/wax; see wax-build(1) for the settings. A shared object "
        "that is older than the C file beside it is an error.\n\n"
        "NAME picks one dataflow of the module; without it, the one named like the module is "
        "meant, or the only one.\n\n"
        "SIGINT and SIGTERM end the dataflow cleanly: what was read is written. A second one ends "
        "it at once.",
    .opts = wx_launch_opts,
    .values_size = sizeof(struct wx_launch_args),
    .examples = examples,
    .run = run,
};
