/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_OPT_H
#define WX_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Command lines from tables. A program is a list of commands, a command a list of options; parsing
 * here and the texts of base/manual.h (--help, manual pages, shell completion) come from the same
 * tables. A value is looked for on the command line, then in the environment, then in the table; an
 * environment variable that is set but empty counts as not set.
 */

#define WX_OPTS_MAX     40  /* options of one command */
#define WX_OPERANDS_MAX 8   /* arguments of a command that are not options */
#define WX_OPT_LIST_MAX 256 /* times that one option may be repeated */

enum wx_opt_kind {
    WX_OPT_FLAG,     /* bool; takes no value; its variable takes 1 true yes on, 0 false no off */
    WX_OPT_UINT,     /* uint32_t */
    WX_OPT_STRING,   /* const char * */
    WX_OPT_DURATION, /* int64_t, microseconds */
    WX_OPT_SIZE,     /* uint64_t, bytes */
    WX_OPT_CHOICE,   /* uint32_t, index in `choices` */
    WX_OPT_LIST,     /* struct wx_opt_list; repeatable; its variable separates items by ';' */
};

struct wx_opt_list {
    const char *item[WX_OPT_LIST_MAX];
    uint32_t n;
};

struct wx_opt {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* or 0 */
    enum wx_opt_kind kind;
    size_t at;            /* offset of the value in the struct of values */
    const char *arg;      /* what the texts call the value: "N" */
    const char *env;      /* environment variable, or NULL */
    const char *fallback; /* the value when nothing is given, as text, or NULL: left as it is */
    const char *choices;  /* of CHOICE: "text|logfmt|json" */
    uint64_t min, max;    /* of numbers; `max` 0: no limit */
    const char *help;     /* lower case, no full stop */
};

/* What completion offers for an operand. */
enum wx_operand_kind { WX_OPERAND_NONE, WX_OPERAND_FLOW, WX_OPERAND_FILE, WX_OPERAND_COMMAND };

struct wx_example {
    const char *line, *what; /* `line` NULL ends a table */
};

struct wx_call;

struct wx_command {
    const char *name;     /* "run" */
    const char *summary;  /* one line, lower case, no full stop */
    const char *operands; /* as the texts show them: "FLOW[:NAME]", or "" */
    enum wx_operand_kind operand_kind;
    const char *operand_choices; /* "bash|zsh|fish", or NULL */
    uint32_t operands_min, operands_max;
    const char *text; /* paragraphs, separated by an empty line */
    const struct wx_opt *opts;
    size_t values_size; /* of the struct of values */
    const struct wx_example *examples;
    int (*run)(const struct wx_call *call); /* returns the exit code */
};

struct wx_exit_text {
    int code;
    const char *text; /* NULL ends a table */
};

struct wx_program {
    const char *name, *version, *summary, *text;
    const struct wx_command *const *commands; /* NULL ends the list */
    const struct wx_exit_text *exits;
    const struct wx_example *examples;
    const char *see; /* for the end of --help, or NULL */
};

/* What a command line said, besides the values. */
struct wx_parsed {
    const char *operand[WX_OPERANDS_MAX]; /* borrowed from argv */
    uint32_t operands;
    bool help;                    /* --help or -h: nothing else was looked at */
    const char *raw[WX_OPTS_MAX]; /* [option] its last value on the command line, or NULL */
    bool from_env[WX_OPTS_MAX];   /* [option] the environment gave it */
    char *env_items[WX_OPTS_MAX]; /* owned: lists from the environment, cut into items */
};

/* One call of a command. All borrowed for the call. */
struct wx_call {
    const struct wx_program *program; /* NULL when the program is its only command */
    const struct wx_command *command;
    void *values;
    const struct wx_parsed *parsed;
    const char *argv0; /* the program, as it was called */
};

/*
 * Parse `argv[0]` to `argv[argc - 1]`, which follow the command's name. Options may stand before
 * and after operands; "--" ends them; the last of several wins. Fills `values` (zeroed by the
 * caller) and `parsed` (wx_parsed_fini() it in any case). On error `err` names the option and the
 * value; exit code USAGE.
 */
int wx_opt_parse(const struct wx_command *command, int argc, char **argv, void *values,
                 struct wx_parsed *parsed, struct wx_error *err);
void wx_parsed_fini(struct wx_parsed *parsed);

/* The index of an option by its long name; it must exist. */
uint32_t wx_opt_index(const struct wx_opt *opts, const char *name);

/*
 * Options that stood on the command line, as one "--name=value" each, but not those named in `but`
 * (NULL ends it). At most `cap` pointers to `args`; returns how many. The texts are owned by the
 * caller.
 */
size_t wx_opt_rebuild(const struct wx_call *call, const char *const *but, char **args, size_t cap);

/* Parse and run the only command of a program, called `command->name`. Returns the exit code. */
int wx_command_main(const struct wx_command *command, int argc, char **argv);
/* The same for a program with commands: `argv[1]` is the command. */
int wx_program_main(const struct wx_program *program, int argc, char **argv);
/* The command of that name, or NULL with `err` filled. */
const struct wx_command *wx_program_find(const struct wx_program *program, const char *name,
                                         struct wx_error *err);

/* ---- values as text -------------------------------------------------------------------------- */

/* All of `text` is the value, or the result is false and nothing is written. No sign, no spaces. */
bool wx_parse_uint(const char *text, uint64_t *value);
/* "250ms", "1.5s", "5m", "1h", "2d", "10us", or plain seconds; in microseconds. */
bool wx_parse_duration(const char *text, int64_t *us);
/* "4096", "64k", "16M", "1G", also "64KiB"; in bytes, powers of 1024. */
bool wx_parse_size(const char *text, uint64_t *bytes);
/* The shortest of the forms above that says exactly that. */
void wx_duration_text(int64_t us, char *text, size_t cap);
void wx_size_text(uint64_t bytes, char *text, size_t cap);

/*
 * The name that somebody who wrote `word` probably meant, or NULL: one that begins with it, or the
 * one with the fewest letters to add, drop, change or swap.
 */
const char *wx_nearest(const char *word, const char *const *names, size_t n);

#endif /* WX_OPT_H */
