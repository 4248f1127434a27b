/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that tell about wax: version, help, man and completion. */
#include <stdio.h>
#include <string.h>

#include <wax/flow.h>

#include "base/log.h"
#include "base/manual.h"
#include "cli/cli.h"

static const struct wx_opt no_opts[] = {{0}};

int wx_cli_fail(const struct wx_error *err)
{
    wx_log(WX_LOG_ERROR, "%s", err->text);
    return err->exit_code ? err->exit_code : WX_EXIT_INTERNAL;
}

/* ---- version --------------------------------------------------------------------------------- */

static int run_version(const struct wx_call *call)
{
    struct wx_buf text = {.max = WX_MANUAL_MAX};
    wx_buf_printf(&text, "%s %s\n", call->program->name, wax_version());
    return wx_manual_print(&text);
}

const struct wx_command wx_cmd_version = {
    .name = "version",
    .summary = "print the version",
    .operands = "",
    .text = "Prints the version of wax.",
    .opts = no_opts,
    .values_size = 1,
    .run = run_version,
};

/* ---- help and man ---------------------------------------------------------------------------- */

/* Prints what `make` makes of the command that the operand names, or of the program without one. */
static int print_text(const struct wx_call *call,
                      void (*make)(struct wx_buf *, const struct wx_program *,
                                   const struct wx_command *))
{
    const struct wx_command *about = NULL;
    struct wx_error err = {0};
    if (call->parsed->operands) {
        about = wx_program_find(call->program, call->parsed->operand[0], &err);
        if (!about)
            return wx_cli_fail(&err);
    }
    struct wx_buf text = {.max = WX_MANUAL_MAX};
    make(&text, call->program, about);
    return wx_manual_print(&text);
}

static int run_help(const struct wx_call *call)
{
    return print_text(call, wx_manual_help);
}

static int run_man(const struct wx_call *call)
{
    return print_text(call, wx_manual_page);
}

const struct wx_command wx_cmd_help = {
    .name = "help",
    .summary = "tell about a command",
    .operands = "[COMMAND]",
    .operand_kind = WX_OPERAND_COMMAND,
    .operands_max = 1,
    .text = "Tells what a command does and which options it takes, like --help after the command. "
            "Without a command, lists all of them.",
    .opts = no_opts,
    .values_size = 1,
    .run = run_help,
};

static const struct wx_example man_examples[] = {
    {"wax man run | man -l -", "read a page"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_man = {
    .name = "man",
    .summary = "print a manual page",
    .operands = "[COMMAND]",
    .operand_kind = WX_OPERAND_COMMAND,
    .operands_max = 1,
    .text = "Prints the manual page of wax, or of one command, as source for man(1).",
    .opts = no_opts,
    .values_size = 1,
    .examples = man_examples,
    .run = run_man,
};

/* ---- completion ------------------------------------------------------------------------------ */

static int run_completion(const struct wx_call *call)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    const char *shell = call->parsed->operand[0];
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shell, shells[i]) == 0) {
            struct wx_buf text = {.max = WX_MANUAL_MAX};
            wx_manual_completion(&text, call->program, shell);
            return wx_manual_print(&text);
        }
    }
    struct wx_error err = {0};
    wx_fail(&err, WX_EXIT_USAGE, "there is no completion for '%s': only for bash, zsh and fish",
            shell);
    return wx_cli_fail(&err);
}

static const struct wx_example completion_examples[] = {
    {"source <(wax completion bash)", "for this shell; put it into ~/.bashrc for all"},
    {"wax completion zsh >~/.zfunc/_wax", "for a directory that is in $fpath"},
    {"wax completion fish >~/.config/fish/completions/wax.fish", "for all shells to come"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_completion = {
    .name = "completion",
    .summary = "print a completion script for a shell",
    .operands = "bash|zsh|fish",
    .operand_choices = "bash|zsh|fish",
    .operands_min = 1,
    .operands_max = 1,
    .text = "Prints a script that completes commands, options and names of dataflows in a shell.",
    .opts = no_opts,
    .values_size = 1,
    .examples = completion_examples,
    .run = run_completion,
};
