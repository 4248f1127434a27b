/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of one dataflow: what WAX_MAIN calls. The options are those of `wax run`, and a local
 * cluster is made of the same program.
 */
#include <wax/flow.h>

#include <stdio.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/path.h"

#ifndef WAX_VERSION
#define WAX_VERSION "0.1.0"
#endif

const char *wax_version(void)
{
    return WAX_VERSION;
}

static const wax_dataflow *program_flow; /* set once, before anything runs */

static int run(const struct wx_call *call)
{
    struct wx_error err = {0};
    if (wx_launch_check(call, &err) < 0)
        return wx_cli_fail(&err);
    return wx_launch(call, program_flow, "", NULL);
}

int wax_main(int argc, char **argv, const wax_dataflow *flow)
{
    struct wx_error err = {0};
    const char *name = argc > 0 ? wx_path_base(argv[0]) : flow->name;
    WX_AUTO_FREE char *text = wx_text("Runs the dataflow '%s'.", flow->name);
    const struct wx_command command = {
        .name = name,
        .summary = "",
        .operands = "",
        .text = text,
        .opts = wx_launch_opts + 1,
        .values_size = sizeof(struct wx_launch_args),
        .run = run,
    };
    if (flow->abi != WAX_ABI || flow->size != sizeof *flow) {
        wx_fail(&err, WX_EXIT_MODULE, "'%s' was compiled for another version of wax than %s", name,
                wax_version());
        return wx_cli_fail(&err);
    }
    program_flow = flow;
    return wx_command_main(&command, argc, argv);
}
