/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options to a running dataflow.
 *
 * What the command line says about the cluster overrules what the environment says about it as a
 * whole: in a container whose environment makes it process 3 of 5, `wax run flow -p2` still is a
 * cluster of its own. Within one of the two, saying both is an error.
 */
#include "cli/launch.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/local.h"
#include "cli/path.h"
#include "cluster/run.h"
#include "core/flow.h"

#define PROCESSES_MAX 64 /* of a cluster on one machine */

const struct wx_opt wx_launch_opts[] = {
    {.name = "sanitize",
     .kind = WX_OPT_FLAG,
     .at = offsetof(struct wx_launch_args, sanitize),
     .env = "WAX_SANITIZE",
     .help = "compile the module with AddressSanitizer and UndefinedBehaviorSanitizer"},
    {.name = "workers-per-process",
     .letter = 'w',
     .kind = WX_OPT_UINT,
     .at = offsetof(struct wx_launch_args, workers),
     .arg = "N",
     .env = "WAX_WORKERS_PER_PROCESS",
     .fallback = "1",
     .min = 1,
     .max = WX_WORKERS_MAX,
     .help = "worker threads of each process"},
    {.name = "processes",
     .letter = 'p',
     .kind = WX_OPT_UINT,
     .at = offsetof(struct wx_launch_args, processes),
     .arg = "N",
     .env = "WAX_PROCESSES",
     .fallback = "1",
     .min = 1,
     .max = PROCESSES_MAX,
     .help = "run a cluster of N processes on this machine"},
    {.name = "process-id",
     .letter = 'i',
     .kind = WX_OPT_STRING,
     .at = offsetof(struct wx_launch_args, process_id),
     .arg = "ID",
     .env = "WAX_PROCESS_ID",
     .help =
         "which process of the cluster this is: its place in --addresses, from 0, or a name that "
         "ends in that number"},
    {.name = "addresses",
     .letter = 'a',
     .kind = WX_OPT_STRING,
     .at = offsetof(struct wx_launch_args, addresses),
     .arg = "LIST",
     .env = "WAX_ADDRESSES",
     .help = "the host:port of every process, the same list for all, separated by ';'; "
             "'node-{0..9}:2101' stands for ten"},
    {.name = "snapshot-interval",
     .letter = 's',
     .kind = WX_OPT_DURATION,
     .at = offsetof(struct wx_launch_args, snapshot_interval),
     .arg = "TIME",
     .env = "WAX_SNAPSHOT_INTERVAL",
     .fallback = "10s",
     .min = 1000,
     .max = UINT64_C(7) * 24 * 3600 * 1000000,
     .help =
         "how long an epoch lasts: the time between two points of progress that the whole cluster "
         "shares"},
    {.name = "param",
     .letter = 'D',
     .kind = WX_OPT_LIST,
     .at = offsetof(struct wx_launch_args, params),
     .arg = "NAME=VALUE",
     .env = "WAX_PARAMS",
     .help = "a parameter of the dataflow; may be repeated; the variable separates several by ';'"},
    {.name = "peer-timeout",
     .kind = WX_OPT_DURATION,
     .at = offsetof(struct wx_launch_args, peer_timeout),
     .arg = "TIME",
     .env = "WAX_PEER_TIMEOUT",
     .fallback = "10s",
     .max = UINT64_C(24) * 3600 * 1000000,
     .help = "a process that was silent for this long is lost; 0: never, for debuggers"},
    {.name = "max-record",
     .kind = WX_OPT_SIZE,
     .at = offsetof(struct wx_launch_args, max_record),
     .arg = "SIZE",
     .env = "WAX_MAX_RECORD",
     .fallback = "16M",
     .min = 1024,
     .max = UINT64_C(1) << 30,
     .help = "the largest record that may flow"},
    {.name = "max-fanout",
     .kind = WX_OPT_SIZE,
     .at = offsetof(struct wx_launch_args, max_fanout),
     .arg = "SIZE",
     .env = "WAX_MAX_FANOUT",
     .fallback = "64M",
     .min = 1024,
     .max = UINT64_C(64) << 30,
     .help = "the most that one record may become in one step"},
    {.name = "secret-file",
     .kind = WX_OPT_STRING,
     .at = offsetof(struct wx_launch_args, secret_file),
     .arg = "FILE",
     .env = "WAX_SECRET_FILE",
     .help = "a file with a secret that every process of the cluster must know"},
    {.name = "log-level",
     .kind = WX_OPT_CHOICE,
     .at = offsetof(struct wx_launch_args, log_level),
     .arg = "LEVEL",
     .env = "WAX_LOG_LEVEL",
     .fallback = "info",
     .choices = "error|warn|info|debug", /* the order of enum wx_log_level */
     .help = "how much is said on standard error: error, warn, info or debug"},
    {.name = "log-format",
     .kind = WX_OPT_CHOICE,
     .at = offsetof(struct wx_launch_args, log_format),
     .arg = "FORMAT",
     .env = "WAX_LOG_FORMAT",
     .fallback = "text",
     .choices = "text|logfmt|json", /* the order of enum wx_log_format */
     .help = "how it is said: text, logfmt or json"},
    {0},
};

/* ---- checks ---------------------------------------------------------------------------------- */

static bool typed(const struct wx_call *call, const char *name)
{
    return call->parsed->raw[wx_opt_index(call->command->opts, name)] != NULL;
}

static int check_cluster(const struct wx_call *call, struct wx_error *err)
{
    struct wx_launch_args *args = call->values;
    bool typed_peers = typed(call, "process-id") || typed(call, "addresses");
    if (typed(call, "processes") && !typed_peers)
        args->process_id = args->addresses = NULL;
    if (typed_peers && !typed(call, "processes"))
        args->processes = 1;
    if (args->processes > 1 && (args->process_id || args->addresses))
        return wx_fail(err, WX_EXIT_USAGE,
                       "'--processes' starts a cluster and '%s' joins one: give one of the two",
                       args->addresses ? "--addresses" : "--process-id");
    if (args->process_id && !args->addresses)
        return wx_fail(
            err, WX_EXIT_USAGE,
            "'--process-id' is '%s', but '--addresses' is missing: the host:port of every "
            "process, separated by ';'",
            args->process_id);
    if (args->addresses && !args->process_id)
        return wx_fail(
            err, WX_EXIT_USAGE,
            "'--addresses' is given, but '--process-id' is missing: which of them is this one, "
            "from 0");
    return 0;
}

int wx_launch_check_params(const struct wx_opt_list *list, struct wx_error *err)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const char *equals = strchr(list->item[i], '=');
        if (!equals || equals == list->item[i])
            return wx_fail(err, WX_EXIT_USAGE, "parameter '%.200s' should be NAME=VALUE",
                           list->item[i]);
    }
    return 0;
}

/* "simple-2" is process 2; anything else is left to the cluster to complain about. */
static int log_process(const char *id)
{
    const char *digits = id ? id + strlen(id) : NULL;
    uint64_t number;
    while (digits && digits > id && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    return digits && wx_parse_uint(digits, &number) && number < WX_WORKERS_MAX ? (int)number : -1;
}

int wx_launch_check(const struct wx_call *call, struct wx_error *err)
{
    const struct wx_launch_args *args = call->values;
    if (wx_launch_check_params(&args->params, err) < 0 || check_cluster(call, err) < 0)
        return -1;
    wx_log_setup((enum wx_log_level)args->log_level, (enum wx_log_format)args->log_format,
                 log_process(args->process_id));
    return 0;
}

size_t wx_launch_params(const struct wx_opt_list *list, const char *params[WX_OPT_LIST_MAX])
{
    size_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        size_t len = strcspn(list->item[i], "=") + 1;
        size_t k = 0;
        while (k < n && strncmp(params[k], list->item[i], len) != 0)
            k++;
        params[k] = list->item[i];
        n += k == n;
    }
    return n;
}

/* ---- running --------------------------------------------------------------------------------- */

char **wx_launch_arguments(const struct wx_call *call, const char *const *but, const char *operand)
{
    size_t cap = WX_OPTS_MAX + WX_OPT_LIST_MAX + 8, n = 0;
    char **args = wx_calloc(cap, sizeof *args);
    args[n++] = wx_strdup(call->argv0);
    if (call->program)
        args[n++] = wx_strdup(call->command->name);
    n += wx_opt_rebuild(call, but, args + n, cap - n - 3);
    if (operand) {
        args[n++] = wx_strdup("--");
        args[n++] = wx_strdup(operand);
    }
    return args;
}

static int run_cluster(const struct wx_call *call, const char *operand)
{
    static const char *const but[] = {"processes", "process-id", "addresses", "sanitize", NULL};
    const struct wx_launch_args *args = call->values;
    char **arguments = wx_launch_arguments(call, but, operand);
    unsetenv("WAX_SANITIZE"); /* the module is compiled */
    int code = wx_local_run(args->processes, arguments, call->program ? 2 : 1);
    for (char **arg = arguments; *arg; arg++)
        free(*arg);
    free(arguments);
    return code;
}

int wx_launch(const struct wx_call *call, const wax_dataflow *dataflow, const char *module_id,
              const char *operand)
{
    const struct wx_launch_args *args = call->values;
    const char *params[WX_OPT_LIST_MAX];
    size_t n = wx_launch_params(&args->params, params);
    struct wx_error err = {0};
    wax_flow *flow = wx_flow_build(dataflow, params, n, &err);
    if (!flow)
        return wx_cli_fail(&err);
    if (args->processes > 1) {
        /* The children build their own: here it was built to tell a mistake once. */
        wx_flow_destroy(flow);
        return run_cluster(call, operand);
    }
    struct wx_run_options options = {
        .workers = args->workers,
        .process_id = args->process_id,
        .addresses = args->addresses,
        .epoch_interval = args->snapshot_interval,
        .peer_timeout = args->peer_timeout,
        .limits = {.record_max = args->max_record, .fanout_max = args->max_fanout},
        .secret_file = args->secret_file,
        .module_hash = module_id,
    };
    int code = wx_run(flow, &options);
    wx_flow_destroy(flow);
    return code;
}
