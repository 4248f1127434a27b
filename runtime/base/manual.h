/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_MANUAL_H
#define WX_MANUAL_H

#include "base/buf.h"
#include "base/opt.h"

/*
 * The texts that are made of option tables: --help, manual pages, shell completion. They append to
 * `out`, which should have room for WX_MANUAL_MAX bytes. Pure functions.
 *
 * In the `text` of a table an empty line ends a paragraph; a line that begins with a space is kept
 * as it is. An option whose `arg` is "FILE" is completed with file names.
 */

#define WX_MANUAL_MAX (256u * 1024)

/* --help of `command`, or of the whole program when it is NULL. `program` may be NULL. */
void wx_manual_help(struct wx_buf *out, const struct wx_program *program,
                    const struct wx_command *command);

/* A manual page (roff with the macros of man(7), section 1), of the program or of one command. */
void wx_manual_page(struct wx_buf *out, const struct wx_program *program,
                    const struct wx_command *command);

/* A completion script for the shell "bash", "zsh" or "fish". */
void wx_manual_completion(struct wx_buf *out, const struct wx_program *program, const char *shell);

/* Write `text` to standard output and free it. Returns WX_EXIT_OK, or WX_EXIT_FAILED having said
 * why. */
int wx_manual_print(struct wx_buf *text);

#endif /* WX_MANUAL_H */
