/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SESSION_STATE_H
#define WX_SESSION_STATE_H

#include "cluster/session.h"

/*
 * Inside the session: its state, and what its two halves need of each other. join.c brings the
 * processes together (handshakes, proposals); session.c runs the session and ends it.
 */

#define WX_SENTENCE_MAX 1500u
#define WX_WHY_MAX      160u

enum wx_session_phase {
    WX_JOINING,  /* looking for the others */
    WX_PROMISED, /* a membership is proposed and this process agrees */
    WX_RUNNING,
    WX_LEAVING, /* all workers everywhere have come to their end */
    WX_OVER,
};

/* Where a connection is in the handshake: what is expected from the other side. */
enum wx_session_stage {
    WX_STAGE_FREE, /* there is no such connection */
    WX_STAGE_GREETING,
    WX_STAGE_PROOF,
    WX_STAGE_HELLO,
    WX_STAGE_RIVAL, /* says it is a process that has a connection already */
    WX_STAGE_MEMBER,
};

struct wx_session_conn {
    enum wx_session_stage stage;
    uint32_t called; /* the process this connection was made to, or WX_NOBODY */
    uint32_t peer;   /* who it says it is */
    uint64_t nonce;
    uint64_t promised, active, durable; /* of its HELLO */
    uint8_t challenge[WX_CHALLENGE], their_challenge[WX_CHALLENGE];
    wax_time since;
};

struct wx_session_peer {
    uint32_t conn;   /* its MEMBER connection, or WX_NOBODY */
    uint32_t rival;  /* a RIVAL connection, or WX_NOBODY */
    wax_time heard;  /* the last message */
    uint64_t agreed; /* the generation it has promised */
    uint64_t nonce;  /* of its incarnation that is a member of our generation */
    uint64_t passed; /* the lowest epoch that all its workers have passed */
    bool idle;       /* none of its workers runs any more */
    bool finished;   /* all of them came to the end of input */
    bool goodbye;
    uint32_t stop_signal; /* that stopped it, or 0 */
    char why[WX_WHY_MAX]; /* it is not there */
    bool why_said;
};

struct wx_session {
    struct wx_session_config config;
    struct wx_session_host *host;
    enum wx_session_phase phase;
    wax_time now, began, next_beat;
    uint32_t conns;
    struct wx_session_conn *conn;
    struct wx_session_peer *peer; /* [processes]; its own entry stands for this process */

    uint64_t generation, digest; /* promised or running */
    struct wx_buf held;          /* a PROPOSE that waits for connections, as its bytes */
    wax_time propose_at;         /* proposer: not before; when PROMISED: give up waiting at */
    wax_duration patience;       /* doubles with every attempt */

    uint64_t close_below, committed, open;
    bool local_known, local_done;
    struct wx_message_worker *local; /* [workers] as last heard */
    bool stopping, ended;
    uint32_t own_signal, signals;
    bool said_goodbye;
    wax_time leave_by;
    uint32_t broken; /* peer of a broken data connection, or WX_NOBODY */
    wax_time broken_by;
    char broken_why[WX_WHY_MAX];
};

/* ---- session.c ---------------------------------------------------------------------------------
 */

/* "process 1 at 'two:2101'", into `text`. Returns it. */
const char *wx_session_name(const struct wx_session *s, uint32_t peer, char text[WX_WHY_MAX]);
void wx_session_say(struct wx_session *s, enum wx_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What another process said may go to a terminal: control characters become blanks. */
void wx_session_clean(char *text);
/* Log the sentence, tell the other members, finish. */
void wx_session_end(struct wx_session *s, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void wx_session_send(struct wx_session *s, uint32_t conn, struct wx_message *message);
void wx_session_broadcast(struct wx_session *s, struct wx_message *message);
/* Close and forget a connection, whatever its stage. */
void wx_session_drop(struct wx_session *s, uint32_t conn);
/* START has come (or there is nobody else). */
void wx_session_run(struct wx_session *s);

/* ---- join.c ------------------------------------------------------------------------------------
 */

/* A message of a connection that is not a member yet. */
void wx_join_message(struct wx_session *s, uint32_t conn, const struct wx_message *message);
/* PROPOSE, PROMISE, REFUSE and START of a member. */
void wx_join_agree(struct wx_session *s, uint32_t peer, const struct wx_message *message);
/* A member's connection is gone before the session runs. */
void wx_join_lost(struct wx_session *s, uint32_t peer, const char *why);
/* The member was heard: who claims its place is turned away. */
void wx_join_settle_rival(struct wx_session *s, uint32_t peer);
/* Propose a membership when everything is there for it. */
void wx_join_propose(struct wx_session *s);
void wx_join_tick(struct wx_session *s);

#endif /* WX_SESSION_STATE_H */
