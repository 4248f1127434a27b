/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completion made of option tables: a script each for bash, zsh and fish. They complete
 * commands, options, the words that an option allows, files, and flows by the names of the modules
 * that are there.
 */
#include "base/manual.h"

#include <string.h>

static bool takes_file(const struct wx_opt *opt)
{
    return opt->arg && strcmp(opt->arg, "FILE") == 0;
}

/* "a|b" as "a b". */
static void put_words(struct wx_buf *out, const char *choices)
{
    for (; *choices; choices++)
        wx_buf_put(out, *choices == '|' ? " " : choices, 1);
}

static void put_command_names(struct wx_buf *out, const struct wx_program *program)
{
    for (const struct wx_command *const *each = program->commands; *each; each++)
        wx_buf_printf(out, "%s%s", each == program->commands ? "" : " ", (*each)->name);
}

/* A `case` branch for what follows an option that takes a value. */
static void put_bash_values(struct wx_buf *out, const struct wx_command *command)
{
    for (const struct wx_opt *opt = command->opts; opt->name; opt++) {
        if (opt->kind == WX_OPT_FLAG)
            continue;
        wx_buf_puts(out, "    ");
        if (opt->letter)
            wx_buf_printf(out, "%s:-%c|", command->name, opt->letter);
        wx_buf_printf(out, "%s:--%s) ", command->name, opt->name);
        if (opt->choices) {
            wx_buf_puts(out, "COMPREPLY=($(compgen -W \"");
            put_words(out, opt->choices);
            wx_buf_puts(out, "\" -- \"$cur\")); ");
        } else if (takes_file(opt)) {
            wx_buf_puts(out, "COMPREPLY=($(compgen -f -- \"$cur\")); ");
        }
        wx_buf_puts(out, "return ;;\n");
    }
}

static void put_bash_operands(struct wx_buf *out, const struct wx_program *program,
                              const struct wx_command *command)
{
    if (command->operand_choices || command->operand_kind == WX_OPERAND_COMMAND) {
        wx_buf_puts(out, "COMPREPLY=($(compgen -W \"");
        if (command->operand_choices)
            put_words(out, command->operand_choices);
        else
            put_command_names(out, program);
        wx_buf_puts(out, "\" -- \"$cur\"))");
    } else if (command->operand_kind == WX_OPERAND_FLOW) {
        wx_buf_printf(out, "_%s_flows", program->name);
    } else if (command->operand_kind == WX_OPERAND_FILE) {
        wx_buf_puts(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
    } else {
        wx_buf_puts(out, ":");
    }
}

/* Names of modules here and in $WAX_PATH, without their endings, and paths. */
static const char bash_flows[] =
    "_%s_flows() {\n"
    "    local dir file names= IFS=:\n"
    "    for dir in . $WAX_PATH; do\n"
    "        for file in \"$dir\"/*.c \"$dir\"/*.so; do\n"
    "            [ -f \"$file\" ] || continue\n"
    "            file=${file##*/}\n"
    "            names=\"$names ${file%%.*}\"\n"
    "        done\n"
    "    done\n"
    "    IFS=$' \\t\\n'\n"
    "    COMPREPLY=($(compgen -W \"$names\" -- \"$cur\"))\n"
    "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "}\n";

static void put_bash(struct wx_buf *out, const struct wx_program *program)
{
    wx_buf_printf(out, "# bash completion for %s\n", program->name);
    wx_buf_printf(out, bash_flows, program->name);
    wx_buf_printf(out,
                  "_%s() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local command=${COMP_WORDS[1]}\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        COMPREPLY=($(compgen -W \"",
                  program->name);
    put_command_names(out, program);
    wx_buf_puts(out, "\" -- \"$cur\"))\n        return\n    fi\n    case $command:$prev in\n");
    for (const struct wx_command *const *each = program->commands; *each; each++)
        put_bash_values(out, *each);
    wx_buf_puts(out, "    esac\n    case $command:$cur in\n");
    for (const struct wx_command *const *each = program->commands; *each; each++) {
        wx_buf_printf(out, "    %s:-*) COMPREPLY=($(compgen -W \"", (*each)->name);
        for (const struct wx_opt *opt = (*each)->opts; opt->name; opt++)
            wx_buf_printf(out, "--%s ", opt->name);
        wx_buf_printf(out, "--help\" -- \"$cur\")) ;;\n    %s:*) ", (*each)->name);
        put_bash_operands(out, program, *each);
        wx_buf_puts(out, " ;;\n");
    }
    wx_buf_printf(out, "    esac\n}\ncomplete -F _%s %s\n", program->name, program->name);
}

/* Text inside single quotes of a shell; `also` are further bytes to put a backslash before. */
static void put_quoted(struct wx_buf *out, const char *text, const char *also, bool fish)
{
    for (; *text; text++) {
        if (*text == '\'')
            wx_buf_puts(out, fish ? "\\'" : "'\\''");
        else if (strchr(also, *text))
            wx_buf_printf(out, "\\%c", *text);
        else
            wx_buf_put(out, text, 1);
    }
}

static void put_zsh_option(struct wx_buf *out, const struct wx_opt *opt)
{
    const char *value = opt->kind == WX_OPT_FLAG ? "" : "=", *plus = *value ? "+" : "";
    const char *star = opt->kind == WX_OPT_LIST ? "*" : "";
    wx_buf_puts(out, "            ");
    if (!opt->letter)
        wx_buf_printf(out, "'%s--%s%s[", star, opt->name, value);
    else if (*star)
        wx_buf_printf(out, "'*'{-%c%s,--%s%s}'[", opt->letter, plus, opt->name, value);
    else
        wx_buf_printf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", opt->letter, opt->name, opt->letter,
                      plus, opt->name, value);
    put_quoted(out, opt->help, "[]:\\", false);
    wx_buf_puts(out, "]");
    if (*value) {
        wx_buf_puts(out, ":");
        put_quoted(out, opt->arg ? opt->arg : opt->name, "[]:\\", false);
        wx_buf_puts(out, ":");
        if (opt->choices) {
            wx_buf_puts(out, "(");
            put_words(out, opt->choices);
            wx_buf_puts(out, ")");
        } else if (takes_file(opt)) {
            wx_buf_puts(out, "_files");
        }
    }
    wx_buf_puts(out, "' \\\n");
}

static void put_zsh(struct wx_buf *out, const struct wx_program *program)
{
    wx_buf_printf(out,
                  "#compdef %s\n_%s_flows() {\n    local -aU names\n"
                  "    names=({.,${^${(s.:.)WAX_PATH}}}/*.(c|so)(N:t:r))\n"
                  "    _alternative 'names:flow:(($names))' 'files:file:_files'\n}\n"
                  "_%s() {\n    local -a commands\n    commands=(\n",
                  program->name, program->name, program->name);
    for (const struct wx_command *const *each = program->commands; *each; each++) {
        wx_buf_printf(out, "        '%s:", (*each)->name);
        put_quoted(out, (*each)->summary, ":\\", false);
        wx_buf_puts(out, "'\n");
    }
    wx_buf_puts(out, "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
                     "        return\n    fi\n    shift words\n    (( CURRENT-- ))\n"
                     "    case $words[1] in\n");
    for (const struct wx_command *const *each = program->commands; *each; each++) {
        const struct wx_command *command = *each;
        wx_buf_printf(out, "    %s)\n        _arguments -s \\\n", command->name);
        for (const struct wx_opt *opt = command->opts; opt->name; opt++)
            put_zsh_option(out, opt);
        wx_buf_puts(out, "            '(- *)'{-h,--help}'[print help]'");
        if (command->operand_choices || command->operand_kind == WX_OPERAND_COMMAND) {
            wx_buf_puts(out, " \\\n            '1:word:(");
            if (command->operand_choices)
                put_words(out, command->operand_choices);
            else
                put_command_names(out, program);
            wx_buf_puts(out, ")'");
        } else if (command->operand_kind == WX_OPERAND_FLOW) {
            wx_buf_printf(out, " \\\n            '1:flow:_%s_flows'", program->name);
        } else if (command->operand_kind == WX_OPERAND_FILE) {
            wx_buf_puts(out, " \\\n            '1:file:_files'");
        }
        wx_buf_puts(out, "\n        ;;\n");
    }
    wx_buf_printf(out, "    esac\n}\n_%s \"$@\"\n", program->name);
}

static void put_fish_options(struct wx_buf *out, const struct wx_program *program,
                             const struct wx_command *command)
{
    for (const struct wx_opt *opt = command->opts; opt->name; opt++) {
        wx_buf_printf(out, "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s",
                      program->name, command->name, opt->name);
        if (opt->letter)
            wx_buf_printf(out, " -s %c", opt->letter);
        if (takes_file(opt))
            wx_buf_puts(out, " -r -F");
        else if (opt->kind != WX_OPT_FLAG)
            wx_buf_puts(out, " -x");
        if (opt->choices) {
            wx_buf_puts(out, " -a '");
            put_words(out, opt->choices);
            wx_buf_puts(out, "'");
        }
        wx_buf_puts(out, " -d '");
        put_quoted(out, opt->help, "\\", true);
        wx_buf_puts(out, "'\n");
    }
}

static void put_fish(struct wx_buf *out, const struct wx_program *program)
{
    wx_buf_printf(
        out,
        "# fish completion for %s\n"
        "function __%s_flows\n"
        "    for dir in . (string split -n : -- \"$WAX_PATH\")\n"
        "        for file in $dir/*.c $dir/*.so\n"
        "            string replace -r '\\.(c|so)$' '' -- (string replace -r '.*/' '' -- $file)\n"
        "        end\n    end\nend\ncomplete -c %s -f\n",
        program->name, program->name, program->name);
    for (const struct wx_command *const *each = program->commands; *each; each++) {
        const struct wx_command *command = *each;
        wx_buf_printf(out, "complete -c %s -n __fish_use_subcommand -a %s -d '", program->name,
                      command->name);
        put_quoted(out, command->summary, "\\", true);
        wx_buf_puts(out, "'\n");
        put_fish_options(out, program, command);
        if (command->operand_kind == WX_OPERAND_NONE && !command->operand_choices)
            continue;
        wx_buf_printf(out, "complete -c %s -n '__fish_seen_subcommand_from %s'", program->name,
                      command->name);
        if (command->operand_kind == WX_OPERAND_FLOW) {
            wx_buf_printf(out, " -F -a '(__%s_flows)'\n", program->name);
        } else if (command->operand_kind == WX_OPERAND_FILE) {
            wx_buf_puts(out, " -F\n");
        } else {
            wx_buf_puts(out, " -a '");
            if (command->operand_choices)
                put_words(out, command->operand_choices);
            else
                put_command_names(out, program);
            wx_buf_puts(out, "'\n");
        }
    }
}

void wx_manual_completion(struct wx_buf *out, const struct wx_program *program, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        put_bash(out, program);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(out, program);
    else
        put_fish(out, program);
}
