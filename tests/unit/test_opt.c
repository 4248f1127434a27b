/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of runtime/base/opt.c and the texts that manual.c and completion.c make of the same tables.
 * One command with an option of each kind is parsed in many ways; each case says what must come
 * out.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/manual.h"
#include "base/opt.h"

#define ARGS_MAX     12
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- a command with everything --------------------------------------------------------------- */

struct values {
    bool loud, quiet;
    uint32_t workers, format;
    const char *name;
    int64_t interval;
    uint64_t size;
    struct wx_opt_list params;
};

static const struct wx_opt opts[] = {
    {.name = "loud",
     .letter = 'l',
     .kind = WX_OPT_FLAG,
     .at = offsetof(struct values, loud),
     .env = "OPT_LOUD",
     .help = "say more; it's [loud]: 100%"},
    {.name = "quiet",
     .letter = 'q',
     .kind = WX_OPT_FLAG,
     .at = offsetof(struct values, quiet),
     .help = "say less"},
    {.name = "workers",
     .letter = 'w',
     .kind = WX_OPT_UINT,
     .at = offsetof(struct values, workers),
     .arg = "N",
     .env = "OPT_WORKERS",
     .fallback = "1",
     .min = 1,
     .max = 64,
     .help = "threads"},
    {.name = "format",
     .letter = 'f',
     .kind = WX_OPT_CHOICE,
     .at = offsetof(struct values, format),
     .arg = "FORMAT",
     .env = "OPT_FORMAT",
     .fallback = "text",
     .choices = "text|json|dot",
     .help = "how it looks"},
    {.name = "name",
     .kind = WX_OPT_STRING,
     .at = offsetof(struct values, name),
     .arg = "FILE",
     .env = "OPT_NAME",
     .help = "a file"},
    {.name = "interval",
     .letter = 's',
     .kind = WX_OPT_DURATION,
     .at = offsetof(struct values, interval),
     .arg = "TIME",
     .env = "OPT_INTERVAL",
     .fallback = "10s",
     .min = 1000,
     .max = 3600000000,
     .help = "how long"},
    {.name = "size",
     .kind = WX_OPT_SIZE,
     .at = offsetof(struct values, size),
     .arg = "SIZE",
     .env = "OPT_SIZE",
     .fallback = "16M",
     .min = 1024,
     .help = "how much"},
    {.name = "param",
     .letter = 'D',
     .kind = WX_OPT_LIST,
     .at = offsetof(struct values, params),
     .arg = "NAME=VALUE",
     .env = "OPT_PARAMS",
     .help = "may be repeated"},
    {0},
};

static int run_nothing(const struct wx_call *call)
{
    (void)call;
    return 0;
}

static const struct wx_example examples[] = {
    {"tool work -w2 'it''s'", "an example - with a dash"},
    {NULL, NULL},
};

static const struct wx_command command = {
    .name = "work",
    .summary = "do the work",
    .operands = "WHAT [WHERE]",
    .operand_kind = WX_OPERAND_FLOW,
    .operands_min = 1,
    .operands_max = 2,
    .text = "First paragraph.\n\n.second 'paragraph' with a back\\slash\n\n"
            "  verbatim -x\n  lines\n\nLast.",
    .opts = opts,
    .values_size = sizeof(struct values),
    .examples = examples,
    .run = run_nothing,
};

static const struct wx_opt no_opts[] = {{0}};
static const struct wx_command other = {
    .name = "help",
    .summary = "tell more",
    .operands = "[COMMAND]",
    .operand_kind = WX_OPERAND_COMMAND,
    .text = "Tells more.",
    .opts = no_opts,
    .values_size = 1,
    .run = run_nothing,
};
static const struct wx_command *const commands[] = {&command, &other, NULL};
static const struct wx_exit_text exits[] = {{0, "fine"}, {2, "usage"}, {0, NULL}};
static const struct wx_program program = {
    .name = "tool",
    .version = "1.2.3",
    .summary = "a tool",
    .text = "A tool.",
    .commands = commands,
    .exits = exits,
};

/* Variables that a case sets, as "NAME=value"; all others of the table are cleared. */
static void set_environment(const char *const *env)
{
    for (const struct wx_opt *opt = opts; opt->name; opt++)
        if (opt->env)
            unsetenv(opt->env);
    for (; env && *env; env++) {
        char name[64];
        size_t len = strcspn(*env, "=");
        snprintf(name, sizeof name, "%.*s", (int)len, *env);
        setenv(name, *env + len + 1, 1);
    }
}

static int count(const char *const *args)
{
    int n = 0;
    while (args[n])
        n++;
    return n;
}

/* Everything that was parsed, in one line, so that a case is a line too. */
static void describe(const struct values *values, const struct wx_parsed *parsed, char *text,
                     size_t cap)
{
    struct wx_buf out = {.max = cap - 1};
    if (parsed->help)
        wx_buf_puts(&out, "help ");
    if (values->loud)
        wx_buf_puts(&out, "loud ");
    if (values->quiet)
        wx_buf_puts(&out, "quiet ");
    wx_buf_printf(&out, "w=%u f=%u s=%lld size=%llu", values->workers, values->format,
                  (long long)values->interval, (unsigned long long)values->size);
    if (values->name)
        wx_buf_printf(&out, " name=%s", values->name);
    for (uint32_t i = 0; i < values->params.n; i++)
        wx_buf_printf(&out, " D:%s", values->params.item[i]);
    for (uint32_t i = 0; i < parsed->operands; i++)
        wx_buf_printf(&out, " [%s]", parsed->operand[i]);
    snprintf(text, cap, "%s", wx_buf_text(&out));
    wx_buf_free(&out);
}

/* ---- parsing --------------------------------------------------------------------------------- */

#define REST "s=10000000 size=16777216"

static const struct {
    const char *args[ARGS_MAX];
    const char *env[ARGS_MAX];
    const char *want;
} good[] = {
    {{"a"}, {0}, "w=1 f=0 " REST " [a]"},
    {{"a", "b"}, {0}, "w=1 f=0 " REST " [a] [b]"},
    {{"-w3", "a"}, {0}, "w=3 f=0 " REST " [a]"},
    {{"a", "-w", "3"}, {0}, "w=3 f=0 " REST " [a]"},
    {{"a", "--workers=3"}, {0}, "w=3 f=0 " REST " [a]"},
    {{"--workers", "64", "a"}, {0}, "w=64 f=0 " REST " [a]"},
    {{"a", "-w3", "-w", "5"}, {0}, "w=5 f=0 " REST " [a]"},
    {{"a", "-lq"}, {0}, "loud quiet w=1 f=0 " REST " [a]"},
    {{"a", "-lw7"}, {0}, "loud w=7 f=0 " REST " [a]"},
    {{"a", "--loud"}, {0}, "loud w=1 f=0 " REST " [a]"},
    {{"a", "-fjson"}, {0}, "w=1 f=1 " REST " [a]"},
    {{"a", "--format=dot"}, {0}, "w=1 f=2 " REST " [a]"},
    {{"a", "-D", "x=1", "-Dy=2;3", "--param=z="}, {0}, "w=1 f=0 " REST " D:x=1 D:y=2;3 D:z= [a]"},
    {{"a", "--name", "-"}, {0}, "w=1 f=0 " REST " name=- [a]"},
    {{"a", "--name=-x"}, {0}, "w=1 f=0 " REST " name=-x [a]"},
    {{"a", "--name=a=b"}, {0}, "w=1 f=0 " REST " name=a=b [a]"},
    {{"--", "-w3", "--loud"}, {0}, "w=1 f=0 " REST " [-w3] [--loud]"},
    {{"-", "--"}, {0}, "w=1 f=0 " REST " [-]"},
    {{"a", "-s250ms", "--size", "64k"}, {0}, "w=1 f=0 s=250000 size=65536 [a]"},
    {{"a", "-s", "0.5"}, {0}, "w=1 f=0 s=500000 size=16777216 [a]"},
    {{"-h"}, {0}, "help w=0 f=0 s=0 size=0"},
    {{"a", "--help", "--nonsense"}, {0}, "help w=0 f=0 s=0 size=0 [a]"},
    {{"a"}, {"OPT_WORKERS=4", "OPT_FORMAT=json"}, "w=4 f=1 " REST " [a]"},
    {{"a", "-w2"}, {"OPT_WORKERS=4"}, "w=2 f=0 " REST " [a]"},
    {{"a", "-w2"}, {"OPT_WORKERS=rubbish"}, "w=2 f=0 " REST " [a]"},
    {{"a"}, {"OPT_WORKERS=", "OPT_NAME=", "OPT_PARAMS=", "OPT_LOUD="}, "w=1 f=0 " REST " [a]"},
    {{"a"}, {"OPT_NAME=x y"}, "w=1 f=0 " REST " name=x y [a]"},
    {{"a"}, {"OPT_LOUD=1"}, "loud w=1 f=0 " REST " [a]"},
    {{"a"}, {"OPT_LOUD=true"}, "loud w=1 f=0 " REST " [a]"},
    {{"a"}, {"OPT_LOUD=0"}, "w=1 f=0 " REST " [a]"},
    {{"a"}, {"OPT_LOUD=off"}, "w=1 f=0 " REST " [a]"},
    {{"a"}, {"OPT_INTERVAL=2m", "OPT_SIZE=1G"}, "w=1 f=0 s=120000000 size=1073741824 [a]"},
    {{"a"}, {"OPT_PARAMS=x=1;;y=2;"}, "w=1 f=0 " REST " D:x=1 D:y=2 [a]"},
    {{"a", "-Dx=3"}, {"OPT_PARAMS=x=1"}, "w=1 f=0 " REST " D:x=1 D:x=3 [a]"},
};

Test(opt, takes_values_from_everywhere)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct values values = {0};
        struct wx_parsed parsed;
        struct wx_error err = {0};
        char text[512];
        set_environment(good[i].env);
        int rc = wx_opt_parse(&command, count(good[i].args), (char **)good[i].args, &values,
                              &parsed, &err);
        describe(&values, &parsed, text, sizeof text);
        cr_expect_eq(rc, 0, "case %zu (%s ...): %s", i, good[i].args[0], err.text);
        cr_expect_str_eq(text, good[i].want, "case %zu gives '%s' instead of '%s'", i, text,
                         good[i].want);
        wx_parsed_fini(&parsed);
    }
}

static const struct {
    const char *args[ARGS_MAX];
    const char *env[ARGS_MAX];
    const char *want; /* the whole message */
} bad[] = {
    {{0}, {0}, "an argument is missing: WHAT [WHERE]"},
    {{"a", "b", "c"}, {0}, "'c' is one argument too many"},
    {{"a", "-w0"}, {0}, "'-w' takes a whole number from 1 to 64, not '0'"},
    {{"a", "-w65"}, {0}, "'-w' takes a whole number from 1 to 64, not '65'"},
    {{"a", "-w", "-3"}, {0}, "'-w' takes a whole number from 1 to 64, not '-3'"},
    {{"a", "-w=3"}, {0}, "'-w' takes a whole number from 1 to 64, not '=3'"},
    {{"a", "--workers", "+3"}, {0}, "'--workers' takes a whole number from 1 to 64, not '+3'"},
    {{"a", "--workers=3 "}, {0}, "'--workers' takes a whole number from 1 to 64, not '3 '"},
    {{"a", "--workers="}, {0}, "'--workers' takes a whole number from 1 to 64, not ''"},
    {{"a", "--workers=1e1"}, {0}, "'--workers' takes a whole number from 1 to 64, not '1e1'"},
    {{"a", "--workers=18446744073709551617"},
     {0},
     "'--workers' takes a whole number from 1 to 64, not '18446744073709551617'"},
    {{"a", "-w"}, {0}, "'-w' needs a value"},
    {{"a", "--workers"}, {0}, "'--workers' needs a value"},
    {{"a", "-w", "-l"}, {0}, "'-w' needs a value"},
    {{"a", "--loud=1"}, {0}, "'--loud' takes no value"},
    {{"a", "--name="}, {0}, "'--name' is empty: it takes a value, or leave it out"},
    {{"a", "-fxml"}, {0}, "'-f' takes one of text|json|dot, not 'xml'"},
    {{"a", "-ftex"}, {0}, "'-f' takes one of text|json|dot, not 'tex'"},
    {{"a", "-s0"},
     {0},
     "'-s' takes a duration such as 250ms, 10s, 5m or 1h, from 1ms to 1h, not '0'"},
    {{"a", "-s", "ten"},
     {0},
     "'-s' takes a duration such as 250ms, 10s, 5m or 1h, from 1ms to 1h, not 'ten'"},
    {{"a", "--size=1"},
     {0},
     "'--size' takes a size such as 4096, 64k or 16M, of at least 1k, not '1'"},
    {{"a", "--wokers=3"}, {0}, "there is no option '--wokers': did you mean '--workers'?"},
    {{"a", "--work=3"}, {0}, "there is no option '--work': did you mean '--workers'?"},
    {{"a", "--hlep"}, {0}, "there is no option '--hlep': did you mean '--help'?"},
    {{"a", "--completely-different"}, {0}, "there is no option '--completely-different'"},
    {{"a", "-x"}, {0}, "there is no option '-x'"},
    {{"a", "-lx"}, {0}, "there is no option '-x'"},
    {{"a"},
     {"OPT_WORKERS=0"},
     "environment variable 'OPT_WORKERS' takes a whole number from 1 to 64, not '0'"},
    {{"a"},
     {"OPT_WORKERS= 1"},
     "environment variable 'OPT_WORKERS' takes a whole number from 1 to 64, not ' 1'"},
    {{"a"}, {"OPT_LOUD=maybe"}, "environment variable 'OPT_LOUD' takes 1 or 0, not 'maybe'"},
    {{"a"},
     {"OPT_FORMAT=xml"},
     "environment variable 'OPT_FORMAT' takes one of text|json|dot, not 'xml'"},
    {{"a", "-w2"},
     {"OPT_INTERVAL=1x"},
     "environment variable 'OPT_INTERVAL' takes a duration such as 250ms, 10s, 5m or 1h, from "
     "1ms to 1h, not '1x'"},
};

Test(opt, names_what_is_wrong)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct values values = {0};
        struct wx_parsed parsed;
        struct wx_error err = {0};
        set_environment(bad[i].env);
        int rc = wx_opt_parse(&command, count(bad[i].args), (char **)bad[i].args, &values, &parsed,
                              &err);
        cr_expect_eq(rc, -1, "case %zu should fail: %s", i, bad[i].want);
        cr_expect_str_eq(err.text, bad[i].want, "case %zu says '%s' instead of '%s'", i, err.text,
                         bad[i].want);
        cr_expect_eq(err.exit_code, WX_EXIT_USAGE, "case %zu: exit code %d", i, err.exit_code);
        wx_parsed_fini(&parsed);
    }
}

Test(opt, has_limits)
{
    static char *args[2 * WX_OPT_LIST_MAX + 3];
    int n = 0;
    args[n++] = "a";
    for (int i = 0; i <= WX_OPT_LIST_MAX; i++)
        args[n++] = "-Dx=1";
    struct values values = {0};
    struct wx_parsed parsed;
    struct wx_error err = {0};
    set_environment(NULL);
    cr_expect_eq(wx_opt_parse(&command, n - 1, args, &values, &parsed, &err), 0, "%s", err.text);
    cr_expect_eq(values.params.n, WX_OPT_LIST_MAX);
    wx_parsed_fini(&parsed);
    values = (struct values){0};
    cr_expect_eq(wx_opt_parse(&command, n, args, &values, &parsed, &err), -1);
    cr_expect_str_eq(err.text, "'-D' is given more than 256 times");
    wx_parsed_fini(&parsed);

    static char long_text[4000];
    memset(long_text, 'w', sizeof long_text - 1);
    memcpy(long_text, "--", 2);
    char *words[] = {"a", long_text};
    values = (struct values){0};
    cr_expect_eq(wx_opt_parse(&command, 2, words, &values, &parsed, &err), -1);
    cr_expect(strncmp(err.text, "there is no option '--wwww", 26) == 0, "%s", err.text);
    wx_parsed_fini(&parsed);
}

Test(opt, repeats_a_command_line)
{
    static const struct {
        const char *args[ARGS_MAX], *but[3], *want;
    } cases[] = {
        {{"a", "-w3", "-lDx=1", "-D", "y=2"}, {0}, "--loud --workers=3 --param=x=1 --param=y=2"},
        {{"a", "-w3", "-w4", "--name", "n m"}, {"workers"}, "--name=n m"},
        {{"a", "-w3", "-l"}, {"workers", "loud"}, ""},
        {{"a"}, {0}, ""},
    };
    set_environment(NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct values values = {0};
        struct wx_parsed parsed;
        struct wx_error err = {0};
        wx_opt_parse(&command, count(cases[i].args), (char **)cases[i].args, &values, &parsed,
                     &err);
        struct wx_call call = {&program, &command, &values, &parsed, "tool"};
        char *args[ARGS_MAX], text[256] = "";
        size_t n = wx_opt_rebuild(&call, cases[i].but, args, COUNT(args)), len = 0;
        for (size_t k = 0; k < n; k++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", k ? " " : "", args[k]);
            free(args[k]);
        }
        cr_expect_str_eq(text, cases[i].want, "case %zu gives '%s'", i, text);
        n = wx_opt_rebuild(&call, cases[i].but, args, 1);
        cr_expect_leq(n, 1, "case %zu ignores the room there is", i);
        for (size_t k = 0; k < n; k++)
            free(args[k]);
        wx_parsed_fini(&parsed);
    }
}

/* ---- values as text -------------------------------------------------------------------------- */

Test(opt, reads_and_writes_durations)
{
    static const struct {
        const char *text;
        int64_t want;     /* -1: refused */
        const char *back; /* as it is written again, or NULL: as it was */
    } cases[] = {
        {"0", 0, NULL},
        {"0s", 0, "0"},
        {"1us", 1, NULL},
        {"1", 1000000, "1s"},
        {"250ms", 250000, NULL},
        {"1000ms", 1000000, "1s"},
        {"10s", 10000000, NULL},
        {"90s", 90000000, NULL},
        {"5m", 300000000, NULL},
        {"60m", 3600000000, "1h"},
        {"1h", 3600000000, NULL},
        {"2d", 172800000000, NULL},
        {"0.5", 500000, "500ms"},
        {"1.5s", 1500000, "1500ms"},
        {"0.25h", 900000000, "15m"},
        {"0.0000001s", 0, "0"},
        {"1.9999999s", 1999999, "1999999us"},
        {"0.000001d", 86400, "86400us"},
        {"106751991d", 9223372022400000000, NULL},
        {"106751992d", -1, NULL},
        {"9223372036854775808us", -1, NULL},
        {"18446744073709551616", -1, NULL},
        {"", -1, NULL},
        {"s", -1, NULL},
        {".5", -1, NULL},
        {"1.", -1, NULL},
        {"1.s", -1, NULL},
        {"-1", -1, NULL},
        {"+1", -1, NULL},
        {" 1", -1, NULL},
        {"1 s", -1, NULL},
        {"1S", -1, NULL},
        {"1min", -1, NULL},
        {"1h30m", -1, NULL},
        {"1e3", -1, NULL},
        {"0x10", -1, NULL},
        {"nan", -1, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t us = -1;
        bool sound = wx_parse_duration(cases[i].text, &us);
        cr_expect_eq(sound, cases[i].want >= 0, "'%s'", cases[i].text);
        cr_expect_eq(us, cases[i].want, "'%s' is %lld", cases[i].text, (long long)us);
        if (!sound)
            continue;
        char text[32];
        const char *back = cases[i].back ? cases[i].back : cases[i].text;
        wx_duration_text(us, text, sizeof text);
        cr_expect_str_eq(text, back, "'%s' is written '%s'", cases[i].text, text);
    }
}

Test(opt, reads_and_writes_sizes)
{
    static const struct {
        const char *text;
        bool sound;
        uint64_t want;
        const char *back;
    } cases[] = {
        {"0", true, 0, NULL},
        {"1", true, 1, NULL},
        {"1023", true, 1023, NULL},
        {"1024", true, 1024, "1k"},
        {"64k", true, 65536, NULL},
        {"64K", true, 65536, "64k"},
        {"64KiB", true, 65536, "64k"},
        {"64kB", true, 65536, "64k"},
        {"100B", true, 100, "100"},
        {"16M", true, 16777216, NULL},
        {"1536k", true, 1572864, NULL},
        {"3G", true, 3221225472, NULL},
        {"2T", true, 2199023255552, NULL},
        {"16777215T", true, 18446742974197923840u, NULL},
        {"16777216T", false, 0, NULL},
        {"18446744073709551615", true, UINT64_MAX, NULL},
        {"18446744073709551616", false, 0, NULL},
        {"", false, 0, NULL},
        {"k", false, 0, NULL},
        {"1m", false, 0, NULL},
        {"1.5M", false, 0, NULL},
        {"-1", false, 0, NULL},
        {"1 k", false, 0, NULL},
        {"1kk", false, 0, NULL},
        {"1iB", false, 0, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t bytes = 0;
        bool sound = wx_parse_size(cases[i].text, &bytes);
        cr_expect_eq(sound, cases[i].sound, "'%s'", cases[i].text);
        cr_expect_eq(bytes, cases[i].want, "'%s' is %llu", cases[i].text,
                     (unsigned long long)bytes);
        if (!sound)
            continue;
        char text[32];
        const char *back = cases[i].back ? cases[i].back : cases[i].text;
        wx_size_text(bytes, text, sizeof text);
        cr_expect_str_eq(text, back, "'%s' is written '%s'", cases[i].text, text);
    }
}

Test(opt, suggests_the_nearest_name)
{
    static const char *const names[] = {"run", "build", "graph", "new", "version", "completion"};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"rnu", "run"},
        {"rum", "run"},
        {"runn", "run"},
        {"ru", "run"},
        {"biuld", "build"},
        {"bild", "build"},
        {"grahp", "graph"},
        {"grap", "graph"},
        {"nwe", "new"},
        {"comp", "completion"},
        {"verison", "version"},
        {"complition", "completion"},
        {"", NULL},
        {"x", NULL},
        {"deploy", NULL},
        {"zzzzzzzzzz", NULL},
        {"a-word-that-is-longer-than-any-name-could-ever-be-in-a-table", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *meant = wx_nearest(cases[i].word, names, COUNT(names));
        cr_expect((!meant && !cases[i].want) ||
                      (meant && cases[i].want && strcmp(meant, cases[i].want) == 0),
                  "'%s' suggests '%s' instead of '%s'", cases[i].word, meant ? meant : "nothing",
                  cases[i].want ? cases[i].want : "nothing");
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void expect_lines(const char *what, const char *text, const char *const *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_expect(strstr(text, wanted[i]) != NULL, "%s lacks '%s':\n%s", what, wanted[i], text);
}

Test(manual, help_shows_the_table)
{
    static const char *const wanted[] = {
        "usage: tool work WHAT [WHERE] [options]\n",
        "First paragraph.\n\n.second",
        "\n  verbatim -x\n  lines\n",
        "  -w, --workers N\n          threads (default 1, or $OPT_WORKERS)\n",
        "      --name FILE\n          a file (or $OPT_NAME)\n",
        "  -q, --quiet\n          say less\n",
        "  -h, --help\n",
        "Examples:\n  tool work",
    };
    struct wx_buf out = {.max = WX_MANUAL_MAX};
    wx_manual_help(&out, &program, &command);
    expect_lines("help", wx_buf_text(&out), wanted, COUNT(wanted));
    for (const char *line = wx_buf_text(&out); *line; line += strcspn(line, "\n") + 1)
        cr_expect_leq(strcspn(line, "\n"), 80, "a line is too wide: %.100s", line);
    wx_buf_free(&out);

    out = (struct wx_buf){.max = WX_MANUAL_MAX};
    wx_manual_help(&out, &program, NULL);
    static const char *const all[] = {"usage: tool COMMAND", "  work        do the work\n",
                                      "  help        tell more\n"};
    expect_lines("help of all", wx_buf_text(&out), all, COUNT(all));
    wx_buf_free(&out);

    out = (struct wx_buf){.max = WX_MANUAL_MAX};
    wx_manual_help(&out, NULL, &command);
    static const char *const single[] = {"usage: work WHAT [WHERE] [options]\n"};
    expect_lines("help of a program without commands", wx_buf_text(&out), single, COUNT(single));
    wx_buf_free(&out);
}

Test(manual, page_is_escaped_roff)
{
    static const char *const wanted[] = {
        ".TH TOOL\\-WORK 1 \"\" \"tool 1.2.3\" \"User Commands\"\n",
        ".SH NAME\ntool\\-work \\- do the work\n",
        "\n\\&.second \\(aqparagraph\\(aq with a back\\eslash\n",
        ".nf\nverbatim \\-x\nlines\n.fi\n",
        "\\fB\\-w\\fR, \\fB\\-\\-workers\\fR \\fIN\\fR\nthreads (default 1, or $OPT_WORKERS)\n",
        ".SH EXIT STATUS\n.TP\n.B 0\nfine\n",
        ".BR tool (1)\n",
    };
    struct wx_buf out = {.max = WX_MANUAL_MAX};
    wx_manual_page(&out, &program, &command);
    expect_lines("the page", wx_buf_text(&out), wanted, COUNT(wanted));
    wx_buf_free(&out);

    out = (struct wx_buf){.max = WX_MANUAL_MAX};
    wx_manual_page(&out, &program, NULL);
    static const char *const all[] = {".TH TOOL 1 ", ".B work\ndo the work\n",
                                      ".B help\ntell more\n"};
    expect_lines("the page of all", wx_buf_text(&out), all, COUNT(all));
    wx_buf_free(&out);
}

Test(manual, completion_knows_every_option)
{
    static const struct {
        const char *shell, *wanted[7];
    } cases[] = {
        {"bash",
         {"compgen -W \"work help\"",
          "work:-f|work:--format) COMPREPLY=($(compgen -W \"text json dot\"",
          "work:--name) COMPREPLY=($(compgen -f", "work:*) _tool_flows",
          "complete -F _tool tool\n"}},
        {"zsh",
         {"#compdef tool\n", "'(-w --workers)'{-w+,--workers=}'[threads]:N:'",
          "'*'{-D+,--param=}'[may be repeated]:NAME=VALUE:'",
          "'(-l --loud)'{-l,--loud}'[say more; it'\\''s \\[loud\\]\\: 100%]'",
          "'--name=[a file]:FILE:_files'", "'1:flow:_tool_flows'", "'1:word:(work help)'"}},
        {"fish",
         {"complete -c tool -n '__fish_seen_subcommand_from work' -l workers -s w -x -d 'thr",
          "-l format -s f -x -a 'text json dot'", "-l name -r -F",
          "-d 'say more; it\\'s [loud]: 100%'", "-F -a '(__tool_flows)'\n"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wx_buf out = {.max = WX_MANUAL_MAX};
        wx_manual_completion(&out, &program, cases[i].shell);
        size_t n = 0;
        while (n < COUNT(cases[i].wanted) && cases[i].wanted[n])
            n++;
        expect_lines(cases[i].shell, wx_buf_text(&out), cases[i].wanted, n);
        for (const struct wx_opt *opt = opts; opt->name; opt++)
            cr_expect(strstr(wx_buf_text(&out), opt->name) != NULL, "%s lacks '%s'", cases[i].shell,
                      opt->name);
        wx_buf_free(&out);
    }
}
