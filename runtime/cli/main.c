/* SPDX-License-Identifier: Apache-2.0 */
/* wax: its commands, and what its manual says about all of them together. */
#include "base/error.h"
#include "cli/cli.h"

#include <wax/flow.h>

static const struct wx_command *const commands[] = {
    &wx_cmd_run,  &wx_cmd_build, &wx_cmd_graph,      &wx_cmd_new, &wx_cmd_version,
    &wx_cmd_help, &wx_cmd_man,   &wx_cmd_completion, NULL,
};

static const struct wx_exit_text exits[] = {
    {WX_EXIT_OK, "the input has ended and everything is written"},
    {WX_EXIT_FAILED, "a body, a source or a sink failed: the dataflow stopped"},
    {WX_EXIT_USAGE, "the command line or the environment is wrong"},
    {WX_EXIT_MODULE, "the module cannot be found, compiled or loaded, or its graph is wrong"},
    {WX_EXIT_MISMATCH, "the processes of the cluster disagree about what to run"},
    {WX_EXIT_PEER, "a process of the cluster was lost or has stopped"},
    {WX_EXIT_NETWORK,
     "this process cannot take its place: port in use, or the same process id twice"},
    {WX_EXIT_INTERNAL, "a defect in wax"},
    {130, "stopped by SIGINT; 143: stopped by SIGTERM; 128 + N: ended by signal N"},
    {0, NULL},
};

static const struct wx_example examples[] = {
    {"wax new hello && wax run hello", "write a first dataflow and run it"},
    {"wax run wordcount -w2 -D path=book.txt", "run ./wordcount.c on two threads"},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const struct wx_program wax = {
        .name = "wax",
        .version = wax_version(),
        .summary = "run streaming dataflows written in C",
        .text =
            "Runs streaming dataflows written in C: on one thread, on many, or on many machines "
            "that need no coordinator.\n\n"
            "A dataflow is a C file that includes <wax/wax.h>. Results go to standard output, "
            "everything else to standard error. What an option sets, an environment variable "
            "sets too; one that is empty counts as not set.",
        .commands = commands,
        .exits = exits,
        .examples = examples,
    };
    return wx_program_main(&wax, argc, argv);
}
