/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts made of option tables: help for terminals and manual pages in roff (completion.c has the
 * rest). One table, so that no text can forget an option or tell another default than the parser
 * knows.
 */
#include "base/manual.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define WIDTH 80 /* columns of a terminal that --help is folded to */

/* ---- help ------------------------------------------------------------------------------------ */

/* Appends `len` bytes of words, folded to WIDTH, each line after `indent` spaces. */
static void put_folded(struct wx_buf *out, size_t indent, const char *text, size_t len)
{
    size_t column = 0;
    for (size_t i = 0; i < len;) {
        size_t word = 0;
        while (i < len && (text[i] == ' ' || text[i] == '\n'))
            i++;
        while (i + word < len && text[i + word] != ' ' && text[i + word] != '\n')
            word++;
        if (word == 0)
            break;
        if (column && column + 1 + word > WIDTH) {
            wx_buf_puts(out, "\n");
            column = 0;
        }
        wx_buf_printf(out, "%*s", column ? 1 : (int)indent, "");
        wx_buf_put(out, text + i, word);
        column += (column ? 1 : indent) + word;
        i += word;
    }
    wx_buf_puts(out, "\n");
}

/* The next paragraph of `*text`, or a line to keep as it is; false at the end. */
static bool next_block(const char **text, const char **block, size_t *len, bool *verbatim)
{
    const char *at = *text;
    while (*at == '\n')
        at++;
    if (!*at)
        return false;
    *block = at;
    *verbatim = *at == ' ';
    do {
        at += strcspn(at, "\n");
        *len = (size_t)(at - *block);
        if (*at)
            at++;
    } while (!*verbatim && *at && *at != '\n' && *at != ' ');
    *text = at;
    return true;
}

static void put_paragraphs(struct wx_buf *out, const char *text)
{
    const char *block;
    size_t len;
    bool verbatim, before = false;
    while (next_block(&text, &block, &len, &verbatim)) {
        if (!(verbatim && before))
            wx_buf_puts(out, "\n");
        if (verbatim)
            wx_buf_printf(out, "%.*s\n", (int)len, block);
        else
            put_folded(out, 0, block, len);
        before = verbatim;
    }
}

/* The default and the variable of an option: "default 10s, or $WAX_X", or "". */
static void put_sources(struct wx_buf *out, const struct wx_opt *opt)
{
    if (!opt->fallback && !opt->env)
        return;
    wx_buf_puts(out, " (");
    if (opt->fallback)
        wx_buf_printf(out, "default %s", opt->fallback);
    if (opt->env)
        wx_buf_printf(out, "%s$%s", opt->fallback ? ", or " : "or ", opt->env);
    wx_buf_puts(out, ")");
}

static void put_option_help(struct wx_buf *out, const struct wx_opt *opt)
{
    char letter[] = {'-', opt->letter, ',', ' ', '\0'};
    wx_buf_printf(out, "  %s--%s%s%s\n", opt->letter ? letter : "    ", opt->name,
                  opt->arg ? " " : "", opt->arg ? opt->arg : "");
    struct wx_buf line = {.max = 4096};
    wx_buf_puts(&line, opt->help);
    put_sources(&line, opt);
    put_folded(out, 10, line.data, line.len);
    wx_buf_free(&line);
}

static void put_examples(struct wx_buf *out, const struct wx_example *example)
{
    if (!example)
        return;
    wx_buf_puts(out, "\nExamples:\n");
    for (; example->line; example++) {
        wx_buf_printf(out, "  %s\n", example->line);
        put_folded(out, 10, example->what, strlen(example->what));
    }
}

static void put_command_help(struct wx_buf *out, const struct wx_program *program,
                             const struct wx_command *command)
{
    wx_buf_printf(out, "usage: %s%s%s%s%s%s\n", program ? program->name : "", program ? " " : "",
                  command->name, *command->operands ? " " : "", command->operands,
                  command->opts->name ? " [options]" : "");
    put_paragraphs(out, command->text);
    wx_buf_puts(out, "\nOptions:\n");
    for (const struct wx_opt *opt = command->opts; opt->name; opt++)
        put_option_help(out, opt);
    wx_buf_puts(out, "  -h, --help\n          print this\n");
    put_examples(out, command->examples);
}

void wx_manual_help(struct wx_buf *out, const struct wx_program *program,
                    const struct wx_command *command)
{
    if (command) {
        put_command_help(out, program, command);
        return;
    }
    wx_buf_printf(out, "usage: %s COMMAND [arguments]\n", program->name);
    put_paragraphs(out, program->text);
    wx_buf_puts(out, "\nCommands:\n");
    for (const struct wx_command *const *each = program->commands; *each; each++)
        wx_buf_printf(out, "  %-12s%s\n", (*each)->name, (*each)->summary);
    put_examples(out, program->examples);
    wx_buf_printf(out, "\n'%s help COMMAND' tells more about a command.\n", program->name);
}

/* ---- manual pages ---------------------------------------------------------------------------- */

/* Appends text so that roff prints it as it is. */
static void put_roff(struct wx_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool line_start = i == 0 || text[i - 1] == '\n';
        if (line_start && (text[i] == '.' || text[i] == '\''))
            wx_buf_puts(out, "\\&");
        if (text[i] == '\\')
            wx_buf_puts(out, "\\e");
        else if (text[i] == '-')
            wx_buf_puts(out, "\\-");
        else if (text[i] == '\'')
            wx_buf_puts(out, "\\(aq");
        else
            wx_buf_put(out, &text[i], 1);
    }
}

static void put_roff_line(struct wx_buf *out, const char *text)
{
    put_roff(out, text, strlen(text));
    wx_buf_puts(out, "\n");
}

static void put_roff_paragraphs(struct wx_buf *out, const char *text)
{
    const char *block;
    size_t len;
    bool verbatim, inside = false;
    for (bool first = true; next_block(&text, &block, &len, &verbatim); first = false) {
        if (inside && !verbatim)
            wx_buf_puts(out, ".fi\n.RE\n");
        if (!inside && verbatim)
            wx_buf_puts(out, ".RS 4\n.nf\n");
        else if (!verbatim && !first)
            wx_buf_puts(out, ".PP\n");
        inside = verbatim;
        while (verbatim && len && *block == ' ') {
            block++;
            len--;
        }
        put_roff(out, block, len);
        wx_buf_puts(out, "\n");
    }
    if (inside)
        wx_buf_puts(out, ".fi\n.RE\n");
}

/* An entry of a list: what stands out, then what it means. */
static void put_entry(struct wx_buf *out, const char *name, const char *text)
{
    wx_buf_puts(out, ".TP\n.B ");
    put_roff_line(out, name);
    put_roff_line(out, text);
}

static void put_page_options(struct wx_buf *out, const struct wx_opt *opts)
{
    wx_buf_puts(out, ".SH OPTIONS\n");
    for (const struct wx_opt *opt = opts; opt->name; opt++) {
        wx_buf_puts(out, ".TP\n");
        if (opt->letter)
            wx_buf_printf(out, "\\fB\\-%c\\fR, ", opt->letter);
        wx_buf_puts(out, "\\fB\\-\\-");
        put_roff(out, opt->name, strlen(opt->name));
        wx_buf_puts(out, "\\fR");
        if (opt->arg)
            wx_buf_printf(out, " \\fI%s\\fR", opt->arg);
        wx_buf_puts(out, "\n");
        struct wx_buf line = {.max = 4096};
        wx_buf_puts(&line, opt->help);
        put_sources(&line, opt);
        put_roff_line(out, wx_buf_text(&line));
        wx_buf_free(&line);
    }
    wx_buf_puts(out, ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint a summary\n");
}

static void put_page_examples(struct wx_buf *out, const struct wx_example *example)
{
    if (!example)
        return;
    wx_buf_puts(out, ".SH EXAMPLES\n");
    for (; example->line; example++)
        put_entry(out, example->line, example->what);
}

static void put_page_exits(struct wx_buf *out, const struct wx_program *program)
{
    wx_buf_puts(out, ".SH EXIT STATUS\n");
    for (const struct wx_exit_text *exit = program->exits; exit->text; exit++) {
        char code[16];
        snprintf(code, sizeof code, "%d", exit->code);
        put_entry(out, code, exit->text);
    }
}

static void put_command_page(struct wx_buf *out, const struct wx_program *program,
                             const struct wx_command *command)
{
    wx_buf_printf(out, ".SH NAME\n%s\\-%s \\- ", program->name, command->name);
    put_roff_line(out, command->summary);
    wx_buf_printf(out, ".SH SYNOPSIS\n\\fB%s %s\\fR", program->name, command->name);
    if (*command->operands)
        wx_buf_printf(out, " \\fI%s\\fR", command->operands);
    wx_buf_puts(out, " [options]\n.SH DESCRIPTION\n");
    put_roff_paragraphs(out, command->text);
    put_page_options(out, command->opts);
    put_page_exits(out, program);
    put_page_examples(out, command->examples);
    wx_buf_printf(out, ".SH SEE ALSO\n.BR %s (1)\n", program->name);
}

static void put_program_page(struct wx_buf *out, const struct wx_program *program)
{
    wx_buf_printf(out, ".SH NAME\n%s \\- ", program->name);
    put_roff_line(out, program->summary);
    wx_buf_printf(out, ".SH SYNOPSIS\n\\fB%s\\fR \\fICOMMAND\\fR [arguments]\n.SH DESCRIPTION\n",
                  program->name);
    put_roff_paragraphs(out, program->text);
    wx_buf_puts(out, ".SH COMMANDS\n");
    for (const struct wx_command *const *each = program->commands; *each; each++)
        put_entry(out, (*each)->name, (*each)->summary);
    put_page_exits(out, program);
    put_page_examples(out, program->examples);
    wx_buf_printf(
        out, ".SH SEE ALSO\nThe page \\fB%s\\-\\fICOMMAND\\fR(1) tells more about a command.\n",
        program->name);
}

void wx_manual_page(struct wx_buf *out, const struct wx_program *program,
                    const struct wx_command *command)
{
    char title[64];
    snprintf(title, sizeof title, "%s%s%s", program->name, command ? "\\-" : "",
             command ? command->name : "");
    for (char *c = title; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    wx_buf_printf(out, ".TH %s 1 \"\" \"%s %s\" \"User Commands\"\n", title, program->name,
                  program->version);
    if (command)
        put_command_page(out, program, command);
    else
        put_program_page(out, program);
}

int wx_manual_print(struct wx_buf *text)
{
    WX_ASSERT(!text->full);
    bool sound = fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    wx_buf_free(text);
    if (sound)
        return WX_EXIT_OK;
    wx_log(WX_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
    return WX_EXIT_FAILED;
}
