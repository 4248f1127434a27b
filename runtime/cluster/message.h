/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_MESSAGE_H
#define WX_MESSAGE_H

#include <wax/type.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * What processes say to each other on a control connection, as bytes and as structs. Numbers are
 * little-endian. A connection begins with a greeting of 64 bytes, in both directions, whose layout
 * is frozen for ever, so that any two versions can tell each other apart:
 *
 *     0 magic (8)  8 version (4)  12 process id (4)  16 cluster id (8)  24 nonce (8)  32 flags (4)
 *     36 zero (12)  48 challenge (16)
 *
 * After it come frames: length of what follows (4), kind (2), zero (2), generation (8), then the
 * body.
 */

#define WX_WIRE_VERSION     1u
#define WX_GREETING_BYTES   64u
#define WX_CHALLENGE        16u        /* bytes */
#define WX_PROOF            32u        /* bytes: an HMAC-SHA-256 */
#define WX_MESSAGE_STRANGER 256u       /* longest frame from a peer that has proved nothing */
#define WX_MESSAGE_MAX      (1u << 20) /* longest frame from others */
#define WX_REASON_MAX       2000u      /* bytes of a reason; longer ones are cut */

#define WX_GREETING_SECRET 1u /* flag: the sender has a secret and wants proof of it */

enum wx_message_kind {
    WX_MSG_GREETING = 1,
    WX_MSG_PROOF,
    WX_MSG_HELLO,
    WX_MSG_PROPOSE,
    WX_MSG_PROMISE,
    WX_MSG_REFUSE,
    WX_MSG_START,
    WX_MSG_HEARTBEAT,
    WX_MSG_EPOCH,
    WX_MSG_DURABLE,
    WX_MSG_STOP,
    WX_MSG_ABORT,
    WX_MSG_GOODBYE,
};

struct wx_message_greeting {
    uint32_t version, process, flags;
    uint64_t cluster; /* 0: none yet */
    uint64_t nonce;
    uint8_t challenge[WX_CHALLENGE];
};

struct wx_message_hello {
    uint32_t workers;
    uint64_t promised;      /* highest generation */
    uint64_t active;        /* generation of the newest stored membership, 0: none */
    uint64_t active_resume; /* and its resume epoch */
    uint64_t durable;
    bool leaving;
    uint64_t plan_hash;
    wax_str release, flow, module_hash, address_list;
    uint32_t param_count; /* the params are items */
};

struct wx_message_member { /* an item of PROPOSE: what its HELLO said */
    uint32_t process;
    uint64_t nonce, promised, active, durable;
};
struct wx_message_worker { /* an item of HEARTBEAT */
    uint32_t state;        /* enum wx_worker_state */
    uint64_t passed, turns;
};

/* Strings and `items` are borrowed: of a message that was read, from its bytes. */
struct wx_message {
    enum wx_message_kind kind;
    uint64_t generation;
    union {
        struct wx_message_greeting greeting;
        uint8_t proof[WX_PROOF];
        struct wx_message_hello hello;
        uint64_t resume; /* PROPOSE */
        uint64_t digest; /* PROMISE, REFUSE, START */
        struct {
            uint64_t digest, open;
        } heartbeat;
        uint64_t epoch;         /* EPOCH, DURABLE */
        uint32_t signal_number; /* STOP */
        bool ended;             /* GOODBYE: the input came to its end on all workers */
        struct {
            uint32_t process; /* that stops the cluster; the sender may only pass it on */
            uint32_t exit_code;
            wax_str reason;
        } abort;
    } u;
    /* HELLO: params; PROPOSE: members; HEARTBEAT: workers. In their encoded form. */
    const char *items;
    size_t items_len;
};

/*
 * Read one message from the front of `bytes`. `greeted`: the greeting came before. Returns 1 with
 * `*used` bytes taken, 0 when more bytes are needed, -1 with `err` filled when this is not our
 * protocol. Any input is safe.
 */
int wx_message_read(const void *bytes, size_t len, bool greeted, uint32_t max,
                    struct wx_message *message, size_t *used, struct wx_error *err);
/* Append the bytes of `message`. */
void wx_message_write(const struct wx_message *message, struct wx_buf *out);

/* Items: append one; take the next (false at the end; what was read is checked to be whole). */
void wx_message_put_param(struct wx_buf *items, const char *param);
bool wx_message_next_param(const struct wx_message *message, size_t *at, wax_str *param);
void wx_message_put_member(struct wx_buf *items, const struct wx_message_member *member);
bool wx_message_next_member(const struct wx_message *message, size_t *at,
                            struct wx_message_member *member);
void wx_message_put_worker(struct wx_buf *items, const struct wx_message_worker *worker);
bool wx_message_next_worker(const struct wx_message *message, size_t *at,
                            struct wx_message_worker *worker);

/* ---- data connections ---------------------------------------------------------------------------
 */

/* The first bytes of a data connection, sent by the one who calls; nothing is sent back. */
#define WX_PREFACE_BYTES 64u
struct wx_preface {
    uint64_t generation, digest;
    uint32_t from, to;       /* workers, numbered over the cluster */
    uint8_t proof[WX_PROOF]; /* of the secret, over all that is before it; zero without one */
};
/* The kind of connection that 8 bytes begin, from either kind's magic. */
enum wx_magic { WX_MAGIC_NONE, WX_MAGIC_CONTROL, WX_MAGIC_DATA };
enum wx_magic wx_message_magic(const void *eight_bytes);
void wx_preface_write(const struct wx_preface *preface, uint8_t bytes[WX_PREFACE_BYTES]);
/* False: the magic is not there. */
bool wx_preface_read(const uint8_t bytes[WX_PREFACE_BYTES], struct wx_preface *preface);
/* Fills `proof` from the other fields. */
void wx_preface_prove(struct wx_preface *preface, const void *secret, size_t secret_len);

#endif /* WX_MESSAGE_H */
