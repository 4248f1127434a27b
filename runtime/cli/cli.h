/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CLI_H
#define WX_CLI_H

#include "base/opt.h"

/* The commands of `wax`, one file each, cmd_NAME.c. */

extern const struct wx_command wx_cmd_run, wx_cmd_build, wx_cmd_graph, wx_cmd_new, wx_cmd_version,
    wx_cmd_help, wx_cmd_man, wx_cmd_completion;

/* Says on standard error what went wrong and gives the exit code for it. */
int wx_cli_fail(const struct wx_error *err);

#endif /* WX_CLI_H */
