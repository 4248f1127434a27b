/* SPDX-License-Identifier: Apache-2.0 */
/* wax new: write a first dataflow, which compiles, runs, and shows by comments what to change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/manual.h"
#include "cli/cli.h"
#include "cli/path.h"

/* '@' stands for the name of the module, '%' for that of the dataflow. */
static const char starter[] =
    "/*\n"
    " * @: counts the long words of a text.\n"
    " *\n"
    " *     wax run @                    run it on one thread\n"
    " *     wax run @ -w2                on two: a word is counted on one of them\n"
    " *     wax run @ -p2                as two processes that find each other\n"
    " *     wax run @ -D path=FILE       read the lines of FILE\n"
    " *     wax graph @                  print what the dataflow looks like\n"
    " */\n"
    "#include <wax/wax.h>\n"
    "\n"
    "/* What flows has a type. A record is a struct that wax can also send, store and print. */\n"
    "WAX_RECORD(word, (wax_str, text), (int64_t, letters));\n"
    "\n"
    "/*\n"
    " * A body does the work for one record: it takes `in` and gives `out`. This one gives a\n"
    " * record for each word of a line. The strings of `out` may point into those of `in`.\n"
    " */\n"
    "WAX_FLAT_MAP(split, wax_str, word)\n"
    "{\n"
    "    wax_str rest = *in, text;\n"
    "    while (wax_str_word(&rest, &text))\n"
    "        wax_emit(out, (word){.text = wax_str_lower(cx, text), .letters = text.len});\n"
    "    return WAX_OK;\n"
    "}\n"
    "\n"
    "/* Keeps a record unless it returns 0. To refuse one: return wax_fail(cx, \"why\"). */\n"
    "WAX_FILTER(is_long, word)\n"
    "{\n"
    "    return in->letters > 3;\n"
    "}\n"
    "\n"
    "/* Records with the same key come together on one worker, on whichever machine it is. */\n"
    "WAX_KEY(itself, word, wax_str)\n"
    "{\n"
    "    return in->text;\n"
    "}\n"
    "\n"
    "/* The dataflow: steps, each with a name of its own, and the streams between them. */\n"
    "WAX_DATAFLOW(%)\n"
    "{\n"
    "    const char *path = wax_param(flow, \"path\", \"\"); /* -D path=FILE */\n"
    "    wax_source(wax_str) text =\n"
    "        *path ? wax_lines(path)\n"
    "              : wax_testing_list(wax_str, WAX_S(\"what flows flows on\"),\n"
    "                                 WAX_S(\"and what flows is counted\"));\n"
    "\n"
    "    wax_stream(wax_str) lines = wax_input(flow, \"lines\", text);\n"
    "    wax_stream(word) words = wax_flat_map(\"split\", lines, split);\n"
    "    wax_stream(word) some = wax_filter(\"is_long\", words, is_long);\n"
    "    wax_keyed(int64_t) counts = wax_count_final(\"count\", some, itself);\n"
    "    wax_output(\"out\", counts, wax_stdout());\n"
    "}\n";

/* The name of the dataflow in a module of that name: what is no C identifier becomes '_'. Owned. */
static char *flow_name(const char *module)
{
    char *name = wx_text("%s%s", *module >= '0' && *module <= '9' ? "_" : "", module);
    for (char *c = name; *c; c++)
        if (!(*c >= '0' && *c <= '9') && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z'))
            *c = '_';
    return name;
}

static void fill_in(struct wx_buf *text, const char *module)
{
    WX_AUTO_FREE char *flow = flow_name(module);
    for (const char *c = starter; *c; c++) {
        if (*c == '@')
            wx_buf_puts(text, module);
        else if (*c == '%')
            wx_buf_puts(text, flow);
        else
            wx_buf_put(text, c, 1);
    }
}

/* Creates the file; one that is there already stays as it is. */
static int write_new(const char *path, const struct wx_buf *text, struct wx_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return wx_fail(err, WX_EXIT_USAGE, "'%s' exists already: choose another name", path);
    if (fd < 0)
        return wx_fail(err, WX_EXIT_FAILED, "cannot create '%s': %s", path, strerror(errno));
    ssize_t written = write(fd, text->data, text->len);
    bool sound = close(fd) == 0 && written >= 0 && (size_t)written == text->len;
    return sound ? 0 : wx_fail(err, WX_EXIT_FAILED, "cannot write '%s': %s", path, strerror(errno));
}

static int run(const struct wx_call *call)
{
    const char *given = call->parsed->operand[0];
    size_t len = strlen(given) - (wx_path_ends(given, ".c") ? 2 : 0);
    WX_AUTO_FREE char *stem = wx_text("%.*s", (int)len, given);
    WX_AUTO_FREE char *path = wx_text("%s.c", stem);
    const char *module = wx_path_base(stem);
    struct wx_error err = {0};
    if (!*module || *module == '.') {
        wx_fail(&err, WX_EXIT_USAGE, "'%s' is no name for a module", given);
        return wx_cli_fail(&err);
    }
    struct wx_buf text = {.max = WX_MANUAL_MAX};
    fill_in(&text, module);
    int rc = write_new(path, &text, &err);
    wx_buf_free(&text);
    if (rc < 0)
        return wx_cli_fail(&err);
    wx_buf_printf(&text, "wrote %s; try: wax run %s\n", path, stem);
    return wx_manual_print(&text);
}

static const struct wx_opt opts[] = {{0}};

static const struct wx_example examples[] = {
    {"wax new hello", "write hello.c; 'wax run hello' runs it"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_new = {
    .name = "new",
    .summary = "write a first dataflow to start from",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .text =
        "Writes NAME.c: a small dataflow with comments, to be changed. A file that is there is not "
        "touched.",
    .opts = opts,
    .values_size = 1,
    .examples = examples,
    .run = run,
};
