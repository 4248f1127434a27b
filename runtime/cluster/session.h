/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SESSION_H
#define WX_SESSION_H

#include "base/log.h"
#include "cluster/message.h"
#include "core/shared.h"

/*
 * What the processes of a cluster agree on: who is there, when the dataflow starts, which epochs
 * are closed and complete, when it ends and why. A state machine without sockets, clocks or
 * threads: its owner feeds it events with the time, and it acts through the table
 * `wx_session_host`. Actions must not call back into the session. One thread.
 *
 *     JOINING ──PROPOSE/PROMISE──▶ PROMISED ──START──▶ RUNNING ──all done──▶ LEAVING ──GOODBYEs──▶
 * OVER ▲                            │ somebody left      │ failure, loss, mismatch, ABORT
 *        └────────────────────────────┘                    └──────────────────────────────────▶
 * OVER
 */

#define WX_PROCESSES_MAX 1024u
#define WX_NOBODY        UINT32_MAX
/* Connections at a time: one to each process, one that wants to replace it, and some strangers. */
#define WX_STRANGERS_MAX 64u

struct wx_session_host {
    /* `message` is borrowed for the call. */
    void (*send)(struct wx_session_host *host, uint32_t conn, const struct wx_message *message);
    /* Close after what was sent has gone out. The session forgets `conn`; its number may be used
     * again. */
    void (*close)(struct wx_session_host *host, uint32_t conn);
    /* Connect the workers of generation `generation`, then let them run. Once. */
    void (*start)(struct wx_session_host *host, uint64_t generation, uint64_t digest);
    /* Every epoch below `epoch` is to be closed; every epoch up to `epoch` is complete everywhere.
     */
    void (*close_below)(struct wx_session_host *host, uint64_t epoch);
    void (*committed)(struct wx_session_host *host, uint64_t epoch);
    void (*stop)(struct wx_session_host *host, enum wx_stop stop);
    void (*log)(struct wx_session_host *host, enum wx_log_level level, const char *text);
    /* The session is over, its end was logged. Nothing follows. */
    void (*finish)(struct wx_session_host *host, int exit_code);
};

struct wx_session_config {
    uint32_t self, processes;     /* this process's id; how many there are */
    uint32_t workers;             /* of each process */
    const char *const *addresses; /* [processes], for messages; NULL when there is one process */
    const char *address_list;     /* all of them in one normal form; "" */
    const char *flow;
    const char *const *params; /* "name=value", sorted by name */
    uint32_t param_count;
    uint64_t plan_hash;
    const char *module_hash;   /* "": unknown */
    uint64_t nonce;            /* drawn by this start of the process */
    wax_duration peer_timeout; /* 0: never */
    const void *secret;
    size_t secret_len; /* 0: none */
};

/* What the workers of this process have come to. */
struct wx_session_local {
    uint64_t open;                           /* the latest epoch a source is in */
    uint64_t close_below;                    /* what a worker wants closed */
    const struct wx_message_worker *workers; /* [config->workers] */
};

struct wx_session;

/* Borrows the config's pointers and `host` for the session's life. Returns owned. */
struct wx_session *wx_session_create(const struct wx_session_config *config,
                                     struct wx_session_host *host, wax_time now);
void wx_session_destroy(struct wx_session *session);
/* Once, when the owner is ready for actions: a process that is alone starts at once. */
void wx_session_begin(struct wx_session *session, wax_time now);

/* ---- events ------------------------------------------------------------------------------------
 */

/*
 * A connection was made. `conn` is a number below wx_session_conns() that is not in use; `peer` the
 * process that was called, or WX_NOBODY when it called us; `challenge` is random.
 */
void wx_session_connected(struct wx_session *session, wax_time now, uint32_t conn, uint32_t peer,
                          const uint8_t challenge[WX_CHALLENGE]);
void wx_session_message(struct wx_session *session, wax_time now, uint32_t conn,
                        const struct wx_message *message);
/* `why` ends a sentence: "the connection was closed". */
void wx_session_closed(struct wx_session *session, wax_time now, uint32_t conn, const char *why);
/* `peer` cannot be called: "cannot resolve the name". Said once until it changes. */
void wx_session_waiting(struct wx_session *session, wax_time now, uint32_t peer, const char *why);
void wx_session_local(struct wx_session *session, wax_time now,
                      const struct wx_session_local *local);
/* All workers of this process have ended, after their sinks were committed. */
void wx_session_done(struct wx_session *session, wax_time now);
/* SIGINT or SIGTERM: the first ends the dataflow cleanly everywhere, the second this process at
 * once. */
void wx_session_signal(struct wx_session *session, wax_time now, int signal_number);
/* Something here failed: the whole cluster stops with `exit_code`. */
void wx_session_fail(struct wx_session *session, wax_time now, int exit_code, const char *why);
/* A data connection with `peer` broke. Usually its reason follows on the control connection. */
void wx_session_link_broken(struct wx_session *session, wax_time now, uint32_t peer,
                            const char *why);
void wx_session_tick(struct wx_session *session, wax_time now);

/* ---- state -------------------------------------------------------------------------------------
 */

/* When wx_session_tick() must be called, at the latest; INT64_MAX: not needed. */
wax_time wx_session_next_tick(const struct wx_session *session);
uint32_t wx_session_conns(const struct wx_session *session);
/* Should `peer` be called now? */
bool wx_session_wants(const struct wx_session *session, uint32_t peer);
/* How much a connection may say: WX_MESSAGE_STRANGER until it has proved itself, WX_MESSAGE_MAX
 * after. */
uint32_t wx_session_message_max(const struct wx_session *session, uint32_t conn);
/* The generation promised or running, and its digest: what a data connection must name. False:
 * none. */
bool wx_session_generation(const struct wx_session *session, uint64_t *generation,
                           uint64_t *digest);
bool wx_session_is_over(const struct wx_session *session);

#endif /* WX_SESSION_H */
