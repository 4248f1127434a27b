/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_RUN_H
#define WX_RUN_H

#include "core/worker.h"

/* How `wax run` was asked to run a dataflow. Strings are borrowed for the call. */
struct wx_run_options {
    uint32_t workers;            /* -w: worker threads of each process */
    const char *process_id;      /* -i: "2", or a name that ends in a number; or NULL */
    const char *addresses;       /* -a: the list of all processes; or NULL: this is the only one */
    wax_duration epoch_interval; /* -s */
    wax_duration peer_timeout;   /* --peer-timeout: a silent process is lost after this; 0: never */
    struct wx_limits limits;
    const char *secret_file; /* --secret-file: a secret every process must prove; or NULL */
    const char *module_hash; /* hexadecimal, of the module's content; or "" */
};

#define WX_EPOCH_INTERVAL wax_seconds(10) /* the default of -s */
#define WX_PEER_TIMEOUT   wax_seconds(10) /* the default of --peer-timeout */
#define WX_WORKERS_MAX    1024u           /* in the whole cluster: each owns part of the keys */

/*
 * Runs `flow` (borrowed, built without error) to its end on this process's workers, together with
 * the other processes of the list. Blocks SIGINT and SIGTERM for its own use while it runs; the
 * calling thread becomes the control thread. Returns the exit code of the process; has printed why
 * when it is not 0. Ends the process itself when a body that does not return stands in the way of
 * stopping.
 */
int wx_run(const wax_flow *flow, const struct wx_run_options *options);

#endif /* WX_RUN_H */
