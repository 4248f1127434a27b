/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from tables.
 *
 * Values go in three passes, weakest first: what the table says, then the environment (for options
 * that the command line did not give), then the command line, checked by one function that knows
 * where the text came from, so that every message names the option or variable and the value.
 */
#include "base/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/manual.h"

/* ---- one value ------------------------------------------------------------------------------- */

/* " from 1 to 1024", " of at least 1" or "": the range that `opt` allows. */
static void range_text(const struct wx_opt *opt, char *text, size_t cap)
{
    char min[32], max[32];
    if (opt->kind == WX_OPT_DURATION) {
        wx_duration_text((int64_t)opt->min, min, sizeof min);
        wx_duration_text((int64_t)opt->max, max, sizeof max);
    } else if (opt->kind == WX_OPT_SIZE) {
        wx_size_text(opt->min, min, sizeof min);
        wx_size_text(opt->max, max, sizeof max);
    } else {
        snprintf(min, sizeof min, "%llu", (unsigned long long)opt->min);
        snprintf(max, sizeof max, "%llu", (unsigned long long)opt->max);
    }
    if (opt->max)
        snprintf(text, cap, " from %s to %s", min, max);
    else if (opt->min)
        snprintf(text, cap, " of at least %s", min);
    else
        text[0] = '\0';
}

/* `given` is "'-w'" or "environment variable 'WAX_...'": where `text` stood. */
static int bad_value(const struct wx_opt *opt, const char *given, const char *text,
                     struct wx_error *err)
{
    static const char *const takes[] = {
        [WX_OPT_FLAG] = "1 or 0",
        [WX_OPT_UINT] = "a whole number",
        [WX_OPT_DURATION] = "a duration such as 250ms, 10s, 5m or 1h",
        [WX_OPT_SIZE] = "a size such as 4096, 64k or 16M",
    };
    char range[80];
    if (opt->kind == WX_OPT_CHOICE)
        return wx_fail(err, WX_EXIT_USAGE, "%s takes one of %s, not '%.200s'", given, opt->choices,
                       text);
    range_text(opt, range, sizeof range);
    return wx_fail(err, WX_EXIT_USAGE, "%s takes %s%s%s, not '%.200s'", given, takes[opt->kind],
                   *range && opt->kind != WX_OPT_UINT ? "," : "", range, text);
}

static bool in_range(const struct wx_opt *opt, uint64_t value)
{
    return value >= opt->min && (!opt->max || value <= opt->max);
}

/* The place of `text` in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (int i = 0; *choices; i++) {
        size_t n = strcspn(choices, "|");
        if (n == len && memcmp(choices, text, n) == 0)
            return i;
        choices += n + (choices[n] == '|');
    }
    return -1;
}

static int set_flag(const struct wx_opt *opt, bool *to, const char *given, const char *text,
                    struct wx_error *err)
{
    /* Each "no" is followed by its "yes". */
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *to = i & 1;
            return 0;
        }
    }
    return bad_value(opt, given, text, err);
}

static int set_number(const struct wx_opt *opt, void *to, const char *given, const char *text,
                      struct wx_error *err)
{
    uint64_t value = 0;
    int64_t us = 0;
    int choice = 0;
    bool sound = false;
    switch (opt->kind) {
    case WX_OPT_UINT:
        sound = wx_parse_uint(text, &value) && in_range(opt, value) && value <= UINT32_MAX;
        break;
    case WX_OPT_SIZE:
        sound = wx_parse_size(text, &value) && in_range(opt, value);
        break;
    case WX_OPT_DURATION:
        sound = wx_parse_duration(text, &us) && in_range(opt, (uint64_t)us);
        break;
    default:
        choice = choice_index(opt->choices, text);
        sound = choice >= 0;
    }
    if (!sound)
        return bad_value(opt, given, text, err);
    if (opt->kind == WX_OPT_UINT)
        *(uint32_t *)to = (uint32_t)value;
    else if (opt->kind == WX_OPT_SIZE)
        *(uint64_t *)to = value;
    else if (opt->kind == WX_OPT_DURATION)
        *(int64_t *)to = us;
    else
        *(uint32_t *)to = (uint32_t)choice;
    return 0;
}

static int set_value(const struct wx_opt *opt, void *values, const char *given, const char *text,
                     struct wx_error *err)
{
    void *to = (char *)values + opt->at;
    if (opt->kind == WX_OPT_FLAG)
        return set_flag(opt, to, given, text, err);
    if (opt->kind == WX_OPT_STRING) {
        if (!*text)
            return wx_fail(err, WX_EXIT_USAGE, "%s is empty: it takes a value, or leave it out",
                           given);
        *(const char **)to = text;
        return 0;
    }
    if (opt->kind == WX_OPT_LIST) {
        struct wx_opt_list *list = to;
        if (list->n == WX_OPT_LIST_MAX)
            return wx_fail(err, WX_EXIT_USAGE, "%s is given more than %d times", given,
                           WX_OPT_LIST_MAX);
        list->item[list->n++] = text;
        return 0;
    }
    return set_number(opt, to, given, text, err);
}

/* ---- the three passes ------------------------------------------------------------------------ */

static int set_fallbacks(const struct wx_command *command, void *values, struct wx_error *err)
{
    for (const struct wx_opt *opt = command->opts; opt->name; opt++)
        if (opt->fallback && set_value(opt, values, "the default", opt->fallback, err) < 0)
            return -1;
    return 0;
}

static int set_from_env(const struct wx_opt *opt, uint32_t index, void *values,
                        struct wx_parsed *parsed, struct wx_error *err)
{
    const char *text = opt->env ? getenv(opt->env) : NULL;
    if (!text || !*text || (parsed->raw[index] && opt->kind != WX_OPT_LIST))
        return 0;
    char given[96];
    snprintf(given, sizeof given, "environment variable '%s'", opt->env);
    parsed->from_env[index] = true;
    if (opt->kind != WX_OPT_LIST)
        return set_value(opt, values, given, text, err);
    char *rest = parsed->env_items[index] = wx_strdup(text);
    for (char *item; (item = strsep(&rest, ";"));)
        if (*item && set_value(opt, values, given, item, err) < 0)
            return -1;
    return 0;
}

/* What the command line said about one option; applied after the environment. */
struct occurrence {
    uint32_t opt;
    char given[64]; /* "'--workers-per-process'" */
    const char *text;
};

struct scan {
    const struct wx_command *command;
    int argc, at;
    char **argv;
    struct wx_parsed *parsed;
    struct occurrence *seen; /* at most one for each argument letter */
    size_t seen_count;
};

static int note(struct scan *scan, uint32_t index, const char *dashes, const char *name, int len,
                const char *text, struct wx_error *err)
{
    struct occurrence *seen = &scan->seen[scan->seen_count++];
    seen->opt = index;
    snprintf(seen->given, sizeof seen->given, "'%s%.*s'", dashes, len, name);
    bool flag = scan->command->opts[index].kind == WX_OPT_FLAG;
    if (flag && text)
        return wx_fail(err, WX_EXIT_USAGE, "%s takes no value", seen->given);
    if (!flag && !text) {
        /* "-i -a LIST" is a forgotten value; "-5" and "-" are values, good or bad. */
        const char *next = scan->at < scan->argc ? scan->argv[scan->at] : NULL;
        bool is_option = next && next[0] == '-' && next[1] && !(next[1] >= '0' && next[1] <= '9');
        if (!next || is_option)
            return wx_fail(err, WX_EXIT_USAGE, "%s needs a value", seen->given);
        text = next;
        scan->at++;
    }
    seen->text = flag ? "1" : text;
    scan->parsed->raw[index] = seen->text;
    return 0;
}

static int scan_long(struct scan *scan, const char *word, struct wx_error *err)
{
    size_t len = strcspn(word, "=");
    const char *text = word[len] ? word + len + 1 : NULL;
    const char *names[WX_OPTS_MAX + 1];
    uint32_t n = 0;
    for (const struct wx_opt *opt = scan->command->opts; opt->name; opt++) {
        if (strlen(opt->name) == len && memcmp(opt->name, word, len) == 0)
            return note(scan, n, "--", word, (int)len, text, err);
        names[n++] = opt->name;
    }
    if (len == 4 && memcmp(word, "help", 4) == 0) {
        scan->parsed->help = true;
        return 0;
    }
    char typed[64];
    snprintf(typed, sizeof typed, "%.*s", (int)len, word);
    names[n++] = "help";
    const char *meant = wx_nearest(typed, names, n);
    if (!meant)
        return wx_fail(err, WX_EXIT_USAGE, "there is no option '--%s'", typed);
    return wx_fail(err, WX_EXIT_USAGE, "there is no option '--%s': did you mean '--%s'?", typed,
                   meant);
}

/* "-w3", "-w 3", and flags in one word: "-xy". */
static int scan_letters(struct scan *scan, const char *letters, struct wx_error *err)
{
    for (; *letters; letters++) {
        if (*letters == 'h') {
            scan->parsed->help = true;
            return 0;
        }
        const struct wx_opt *opt = scan->command->opts;
        while (opt->name && opt->letter != *letters)
            opt++;
        if (!opt->name)
            return wx_fail(err, WX_EXIT_USAGE, "there is no option '-%c'", *letters);
        bool flag = opt->kind == WX_OPT_FLAG;
        const char *text = flag || !letters[1] ? NULL : letters + 1;
        if (note(scan, (uint32_t)(opt - scan->command->opts), "-", letters, 1, text, err) < 0)
            return -1;
        if (!flag)
            return 0;
    }
    return 0;
}

static int scan_operand(struct scan *scan, const char *word, struct wx_error *err)
{
    uint32_t max = scan->command->operands_max;
    WX_ASSERT(max <= WX_OPERANDS_MAX);
    if (scan->parsed->operands == max)
        return wx_fail(err, WX_EXIT_USAGE,
                       max ? "'%.200s' is one argument too many" : "takes no argument '%.200s'",
                       word);
    scan->parsed->operand[scan->parsed->operands++] = word;
    return 0;
}

static int scan_words(struct scan *scan, struct wx_error *err)
{
    bool only_operands = false;
    while (scan->at < scan->argc && !scan->parsed->help) {
        const char *word = scan->argv[scan->at++];
        int rc = 0;
        if (only_operands || word[0] != '-' || !word[1])
            rc = scan_operand(scan, word, err);
        else if (word[1] != '-')
            rc = scan_letters(scan, word + 1, err);
        else if (word[2])
            rc = scan_long(scan, word + 2, err);
        else
            only_operands = true;
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int apply(const struct scan *scan, void *values, struct wx_error *err)
{
    const struct wx_command *command = scan->command;
    if (set_fallbacks(command, values, err) < 0)
        return -1;
    for (uint32_t i = 0; command->opts[i].name; i++)
        if (set_from_env(&command->opts[i], i, values, scan->parsed, err) < 0)
            return -1;
    for (size_t i = 0; i < scan->seen_count; i++) {
        const struct occurrence *seen = &scan->seen[i];
        if (set_value(&command->opts[seen->opt], values, seen->given, seen->text, err) < 0)
            return -1;
    }
    if (scan->parsed->operands < command->operands_min)
        return wx_fail(err, WX_EXIT_USAGE, "an argument is missing: %s", command->operands);
    return 0;
}

int wx_opt_parse(const struct wx_command *command, int argc, char **argv, void *values,
                 struct wx_parsed *parsed, struct wx_error *err)
{
    memset(parsed, 0, sizeof *parsed);
    size_t letters = 0;
    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]);
    struct scan scan = {.command = command, .argc = argc, .argv = argv, .parsed = parsed};
    scan.seen = wx_calloc(letters + 1, sizeof *scan.seen);
    int rc = scan_words(&scan, err);
    if (rc == 0 && !parsed->help)
        rc = apply(&scan, values, err);
    free(scan.seen);
    return rc;
}

void wx_parsed_fini(struct wx_parsed *parsed)
{
    for (size_t i = 0; i < WX_OPTS_MAX; i++)
        free(parsed->env_items[i]);
}

uint32_t wx_opt_index(const struct wx_opt *opts, const char *name)
{
    uint32_t i = 0;
    while (opts[i].name && strcmp(opts[i].name, name) != 0)
        i++;
    WX_ASSERT(opts[i].name);
    return i;
}

/* "--name=text", or "--name" when `text` is NULL. */
static char *join(const char *name, const char *text)
{
    size_t cap = strlen(name) + (text ? strlen(text) : 0) + 4;
    char *arg = wx_alloc(cap);
    snprintf(arg, cap, "--%s%s%s", name, text ? "=" : "", text ? text : "");
    return arg;
}

static bool is_named(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

size_t wx_opt_rebuild(const struct wx_call *call, const char *const *but, char **args, size_t cap)
{
    const struct wx_opt *opts = call->command->opts;
    size_t n = 0;
    for (uint32_t i = 0; opts[i].name; i++) {
        if (!call->parsed->raw[i] || is_named(but, opts[i].name))
            continue;
        if (opts[i].kind != WX_OPT_LIST) {
            const char *text = opts[i].kind == WX_OPT_FLAG ? NULL : call->parsed->raw[i];
            if (n < cap)
                args[n++] = join(opts[i].name, text);
            continue;
        }
        const struct wx_opt_list *list = (const void *)((const char *)call->values + opts[i].at);
        for (uint32_t k = 0; k < list->n && n < cap; k++)
            args[n++] = join(opts[i].name, list->item[k]);
    }
    return n;
}

/* ---- programs -------------------------------------------------------------------------------- */

/* "wax run", or the name of a program without commands. */
static void full_name(const struct wx_program *program, const struct wx_command *command,
                      char *text, size_t cap)
{
    snprintf(text, cap, "%s%s%s", program ? program->name : "", program ? " " : "", command->name);
}

static int print_help(const struct wx_program *program, const struct wx_command *command)
{
    struct wx_buf text = {.max = WX_MANUAL_MAX};
    wx_manual_help(&text, program, command);
    return wx_manual_print(&text);
}

static int run_command(const struct wx_program *program, const struct wx_command *command,
                       const char *argv0, int argc, char **argv)
{
    struct wx_error err = {0};
    struct wx_parsed parsed;
    void *values = wx_calloc(1, command->values_size);
    int code;
    if (wx_opt_parse(command, argc, argv, values, &parsed, &err) < 0) {
        char name[80];
        full_name(program, command, name, sizeof name);
        wx_log(WX_LOG_ERROR, "%s (see '%s --help')", err.text, name);
        code = err.exit_code;
    } else if (parsed.help) {
        code = print_help(program, command);
    } else {
        code = command->run(&(struct wx_call){program, command, values, &parsed, argv0});
    }
    wx_parsed_fini(&parsed);
    free(values);
    return code;
}

int wx_command_main(const struct wx_command *command, int argc, char **argv)
{
    int skip = argc > 0;
    return run_command(NULL, command, skip ? argv[0] : command->name, argc - skip, argv + skip);
}

const struct wx_command *wx_program_find(const struct wx_program *program, const char *name,
                                         struct wx_error *err)
{
    const char *names[WX_OPTS_MAX];
    size_t n = 0;
    for (; program->commands[n]; n++) {
        WX_ASSERT(n < WX_OPTS_MAX);
        if (strcmp(program->commands[n]->name, name) == 0)
            return program->commands[n];
        names[n] = program->commands[n]->name;
    }
    const char *meant = wx_nearest(name, names, n);
    if (name[0] == '-')
        wx_fail(err, WX_EXIT_USAGE,
                "'%.100s' stands before the command: options follow it, as in '%s COMMAND %.100s'",
                name, program->name, name);
    else if (meant)
        wx_fail(err, WX_EXIT_USAGE, "there is no command '%.100s': did you mean '%s'?", name,
                meant);
    else
        wx_fail(err, WX_EXIT_USAGE, "there is no command '%.100s'", name);
    return NULL;
}

int wx_program_main(const struct wx_program *program, int argc, char **argv)
{
    struct wx_error err = {0};
    if (argc < 2) {
        struct wx_buf text = {.max = WX_MANUAL_MAX};
        wx_manual_help(&text, program, NULL);
        fprintf(stderr, "%s", wx_buf_text(&text));
        wx_buf_free(&text);
        return WX_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(program, NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct wx_command *command = wx_program_find(program, name, &err);
    if (!command) {
        wx_log(WX_LOG_ERROR, "%s (see '%s --help')", err.text, program->name);
        return err.exit_code;
    }
    return run_command(program, command, argv[0], argc - 2, argv + 2);
}

/* ---- values as text -------------------------------------------------------------------------- */

/* Reads digits at `*text`; false when there are none or the value has more than 64 bits. */
static bool take_digits(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
            return false;
    bool some = at != *text;
    *text = at;
    *value = sum;
    return some;
}

bool wx_parse_uint(const char *text, uint64_t *value)
{
    uint64_t sum;
    if (!take_digits(&text, &sum) || *text)
        return false;
    *value = sum;
    return true;
}

static const struct {
    const char *name;
    uint64_t us;
} duration_units[] = {
    {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000},
};
#define DURATION_UNITS (sizeof duration_units / sizeof duration_units[0])
#define DURATION_MAX   ((uint64_t)INT64_MAX)

bool wx_parse_duration(const char *text, int64_t *us)
{
    uint64_t whole, part = 0, scale = 1, unit = 1000000;
    if (!take_digits(&text, &whole))
        return false;
    if (*text == '.') {
        const char *digits = ++text;
        for (; *text >= '0' && *text <= '9'; text++) {
            if (scale < 1000000) { /* further digits say less than a microsecond of a second */
                part = part * 10 + (uint64_t)(*text - '0');
                scale *= 10;
            }
        }
        if (text == digits)
            return false;
    }
    if (*text) {
        size_t i = 0;
        while (i < DURATION_UNITS && strcmp(text, duration_units[i].name) != 0)
            i++;
        if (i == DURATION_UNITS)
            return false;
        unit = duration_units[i].us;
    }
    uint64_t sum;
    if (__builtin_mul_overflow(whole, unit, &sum) ||
        __builtin_add_overflow(sum, part * unit / scale, &sum) || sum > DURATION_MAX)
        return false;
    *us = (int64_t)sum;
    return true;
}

static const char size_units[] = "kMGT"; /* powers of 1024 */

bool wx_parse_size(const char *text, uint64_t *bytes)
{
    uint64_t sum;
    if (!take_digits(&text, &sum))
        return false;
    char letter = *text == 'K' ? 'k' : *text;
    const char *unit = letter ? strchr(size_units, letter) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - size_units + 1);
        if (sum > UINT64_MAX >> shift)
            return false;
        sum <<= shift;
        text++;
        if (*text == 'i' && text[1] == 'B')
            text++;
    }
    if (*text == 'B')
        text++;
    if (*text)
        return false;
    *bytes = sum;
    return true;
}

void wx_duration_text(int64_t us, char *text, size_t cap)
{
    size_t i = DURATION_UNITS - 1;
    uint64_t value = (uint64_t)us;
    while (i > 0 && value % duration_units[i].us)
        i--;
    if (value == 0)
        snprintf(text, cap, "0");
    else
        snprintf(text, cap, "%llu%s", (unsigned long long)(value / duration_units[i].us),
                 duration_units[i].name);
}

void wx_size_text(uint64_t bytes, char *text, size_t cap)
{
    size_t i = 0;
    while (bytes && bytes % 1024 == 0 && i + 1 < sizeof size_units) {
        bytes /= 1024;
        i++;
    }
    snprintf(text, cap, i ? "%llu%c" : "%llu", (unsigned long long)bytes,
             i ? size_units[i - 1] : 0);
}

/* ---- suggestions ----------------------------------------------------------------------------- */

#define NAME_MAX_LEN 48 /* longer words are not compared: nobody mistypes them by a letter */

/* Letters to add, drop, change or swap with a neighbour to make `b` of `a` (optimal string
 * alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return SIZE_MAX;
    unsigned char row[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    for (size_t i = 0; i <= n; i++) {
        for (size_t k = 0; k <= m; k++) {
            if (i == 0 || k == 0) {
                row[i][k] = (unsigned char)(i + k);
                continue;
            }
            unsigned best = (unsigned)(row[i - 1][k - 1] + (a[i - 1] != b[k - 1]));
            if (row[i - 1][k] + 1u < best)
                best = row[i - 1][k] + 1u;
            if (row[i][k - 1] + 1u < best)
                best = row[i][k - 1] + 1u;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                row[i - 2][k - 2] + 1u < best)
                best = row[i - 2][k - 2] + 1u;
            row[i][k] = (unsigned char)best;
        }
    }
    return row[n][m];
}

const char *wx_nearest(const char *word, const char *const *names, size_t n)
{
    size_t len = strlen(word), least = SIZE_MAX;
    const char *meant = NULL;
    if (len == 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (len >= 3 && strncmp(names[i], word, len) == 0)
            return names[i];
        size_t d = distance(word, names[i]);
        if (d < least) {
            least = d;
            meant = names[i];
        }
    }
    size_t allowed = len < 3 ? 1 : len < 7 ? 2 : 3;
    return least <= allowed ? meant : NULL;
}
