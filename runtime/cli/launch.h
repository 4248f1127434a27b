/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_LAUNCH_H
#define WX_LAUNCH_H

#include <wax/flow.h>

#include "base/opt.h"

/*
 * Running a dataflow as the options ask: here, as one process of a cluster, or as a whole cluster
 * on this machine. Shared by `wax run` and by programs of their own (wax_main).
 */
struct wx_launch_args {
    bool sanitize;
    uint32_t workers, processes;
    const char *process_id, *addresses, *secret_file;
    int64_t snapshot_interval, peer_timeout;
    uint64_t max_record, max_fanout;
    struct wx_opt_list params;
    uint32_t log_level, log_format;
};

/* The options of `wax run`. The first (--sanitize) is about compiling: wax_main() begins at the
 * second. */
extern const struct wx_opt wx_launch_opts[];

/*
 * Check what no single option can be checked for, and set up logging. Forgets options from the
 * environment that the command line overrules. 0, or -1 with `err` filled (exit code USAGE).
 */
int wx_launch_check(const struct wx_call *call, struct wx_error *err);

/* The parameters that -D gave, the last of each name, for wx_flow_build(). Borrowed from `args`. */
size_t wx_launch_params(const struct wx_opt_list *list, const char *params[WX_OPT_LIST_MAX]);
/* Is each of them NAME=VALUE? */
int wx_launch_check_params(const struct wx_opt_list *list, struct wx_error *err);

/*
 * Build `dataflow` and run it. `module_id` is the hash of its module, or "". `operand` is what the
 * processes of a local cluster are told to run; NULL when the program runs nothing else. Returns
 * the exit code.
 */
int wx_launch(const struct wx_call *call, const wax_dataflow *dataflow, const char *module_id,
              const char *operand);

/*
 * The arguments that repeat this call, but for the options named in `but` (NULL ends it) and with
 * `operand` (NULL: none) behind the options. NULL-terminated; each string and the array are owned
 * by the caller.
 */
char **wx_launch_arguments(const struct wx_call *call, const char *const *but, const char *operand);

#endif /* WX_LAUNCH_H */
