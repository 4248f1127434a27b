/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How processes come together. On every connection both sides do the same: greet, prove that they
 * know the secret, and only then say HELLO with everything that must agree. Both compare, so both
 * can say what differs. When the lowest id has all the others it proposes the membership with
 * everybody's nonce; the others promise when those are the incarnations that they know too; START
 * follows the last promise.
 */
#include <stdio.h>
#include <string.h>

#include <wax/str.h>

#include "base/sha256.h"
#include "cluster/session_state.h"

#define PROPOSER       0u             /* the lowest id: a tie-break, nothing more */
#define HANDSHAKE_WAIT wax_seconds(5) /* for a connection to become a member */
#define RIVAL_WAIT                                                                                 \
    wax_seconds(10) /* for the one who has the place, when there is no peer time-out */
#define PATIENCE_MIN wax_seconds(2) /* for promises; doubles */
#define PATIENCE_MAX wax_seconds(30)
#define LIST_SHOWN   400u           /* bytes of an address list in a message */
#define QUIET_START  wax_seconds(1) /* before it is said who is waited for */

/* ---- refusals ----------------------------------------------------------------------------------
 */

/* The two cannot run together. Both sides know it, so nothing is sent; the sentence names what
 * differs. */
static void refuse(struct wx_session *s, uint32_t conn, const char *sentence)
{
    if (s->phase >= WX_RUNNING) {
        wx_session_say(s, WX_LOG_WARN, "turned away: %s", sentence);
        wx_session_drop(s, conn);
        return;
    }
    wx_session_end(s, WX_EXIT_MISMATCH, "%s", sentence);
}

/* Tell the other side alone that it must go, and why. */
static void turn_away(struct wx_session *s, uint32_t conn, const char *reason)
{
    struct wx_message message = {.kind = WX_MSG_ABORT, .items = ""};
    message.u.abort.process = s->config.self;
    message.u.abort.exit_code = WX_EXIT_NETWORK;
    message.u.abort.reason = (wax_str){reason, (uint32_t)strlen(reason)};
    s->host->send(s->host, conn, &message); /* generation 0: it is no member */
    wx_session_drop(s, conn);
}

/* ---- greeting and proof -------------------------------------------------------------------------
 */

void wx_session_connected(struct wx_session *s, wax_time now, uint32_t conn, uint32_t peer,
                          const uint8_t challenge[WX_CHALLENGE])
{
    wx_session_tick(s, now);
    if (s->phase == WX_OVER) {
        s->host->close(s->host, conn);
        return;
    }
    struct wx_session_conn *c = &s->conn[conn];
    *c = (struct wx_session_conn){
        .stage = WX_STAGE_GREETING, .called = peer, .peer = WX_NOBODY, .since = s->now};
    memcpy(c->challenge, challenge, WX_CHALLENGE);
    struct wx_message message = {.kind = WX_MSG_GREETING};
    message.u.greeting.version = WX_WIRE_VERSION;
    message.u.greeting.process = s->config.self;
    message.u.greeting.flags = s->config.secret_len > 0 ? WX_GREETING_SECRET : 0;
    message.u.greeting.nonce = s->config.nonce;
    memcpy(message.u.greeting.challenge, challenge, WX_CHALLENGE);
    wx_session_send(s, conn, &message);
}

/* What the caller (`calls`) or the called proves with. The roles differ, so neither can echo the
 * other. */
static void prove(const struct wx_session *s, const struct wx_session_conn *c, bool mine,
                  uint8_t proof[WX_PROOF])
{
    memset(proof, 0, WX_PROOF);
    if (s->config.secret_len == 0)
        return;
    bool calls = (c->called != WX_NOBODY) == mine;
    char text[256];
    struct wx_buf bytes = {.max = sizeof text};
    wx_buf_printf(
        &bytes, "wax proof %s %u %llu %u %llu ", calls ? "calling" : "called",
        mine ? s->config.self : c->peer, (unsigned long long)(mine ? s->config.nonce : c->nonce),
        mine ? c->peer : s->config.self, (unsigned long long)(mine ? c->nonce : s->config.nonce));
    wx_buf_put(&bytes, mine ? c->their_challenge : c->challenge, WX_CHALLENGE);
    wx_buf_put(&bytes, mine ? c->challenge : c->their_challenge, WX_CHALLENGE);
    wx_hmac_sha256(s->config.secret, s->config.secret_len, bytes.data, bytes.len, proof);
    wx_buf_free(&bytes);
}

static void hear_greeting(struct wx_session *s, uint32_t conn,
                          const struct wx_message_greeting *greeting)
{
    struct wx_session_conn *c = &s->conn[conn];
    char name[WX_WHY_MAX], text[WX_SENTENCE_MAX];
    c->peer = greeting->process;
    c->nonce = greeting->nonce;
    memcpy(c->their_challenge, greeting->challenge, WX_CHALLENGE);
    wx_session_name(s, c->peer, name);
    if (c->peer >= WX_PROCESSES_MAX) {
        wx_session_drop(s, conn); /* no release of wax says that */
        return;
    }
    if (greeting->version != WX_WIRE_VERSION) {
        snprintf(text, sizeof text,
                 "%s speaks version %u of the protocol and this process version %u: run the same "
                 "release of wax everywhere",
                 name, greeting->version, WX_WIRE_VERSION);
        refuse(s, conn, text);
        return;
    }
    bool theirs = greeting->flags & WX_GREETING_SECRET, ours = s->config.secret_len > 0;
    if (theirs != ours) {
        snprintf(text, sizeof text,
                 "%s runs %s a secret and this process %s one: give all processes the same "
                 "--secret-file",
                 name, theirs ? "with" : "without", ours ? "with" : "without");
        refuse(s, conn, text);
        return;
    }
    if (c->peer == s->config.self && c->nonce == s->config.nonce) {
        wx_session_drop(
            s, conn); /* this process has called itself, and now knows its address to be right */
        return;
    }
    struct wx_message message = {.kind = WX_MSG_PROOF};
    prove(s, c, true, message.u.proof);
    c->stage = WX_STAGE_PROOF;
    wx_session_send(s, conn, &message);
}

static void send_hello(struct wx_session *s, uint32_t conn)
{
    const struct wx_session_config *config = &s->config;
    struct wx_buf items = {.max = WX_MESSAGE_MAX};
    for (uint32_t i = 0; i < config->param_count; i++)
        wx_message_put_param(&items, config->params[i]);
    struct wx_message message = {.kind = WX_MSG_HELLO, .items = items.data, .items_len = items.len};
    message.u.hello = (struct wx_message_hello){
        .workers = config->workers,
        .promised = s->generation,
        .plan_hash = config->plan_hash,
        .release = {"", 0},
        .flow = {config->flow, (uint32_t)strlen(config->flow)},
        .module_hash = {config->module_hash, (uint32_t)strlen(config->module_hash)},
        .address_list = {config->address_list, (uint32_t)strlen(config->address_list)},
        .param_count = config->param_count,
    };
    wx_session_send(s, conn, &message);
    wx_buf_free(&items);
}

static void hear_proof(struct wx_session *s, uint32_t conn, const uint8_t theirs[WX_PROOF])
{
    struct wx_session_conn *c = &s->conn[conn];
    uint8_t expected[WX_PROOF], differs = 0;
    prove(s, c, false, expected);
    for (uint32_t i = 0; i < WX_PROOF; i++)
        differs |= expected[i] ^ theirs[i]; /* takes the same time for every wrong proof */
    if (differs) {
        char name[WX_WHY_MAX], text[WX_SENTENCE_MAX];
        snprintf(
            text, sizeof text,
            "%s has another secret than this process: give all processes the same --secret-file",
            wx_session_name(s, c->peer, name));
        refuse(s, conn, text);
        return;
    }
    c->stage = WX_STAGE_HELLO;
    send_hello(s, conn);
}

/* ---- HELLO -------------------------------------------------------------------------------------
 */

/* The value of the parameter in `param` ("name=value"), and its name's length. */
static wax_str param_value(wax_str param, uint32_t *name_len)
{
    const char *equals = memchr(param.ptr, '=', param.len);
    *name_len = equals ? (uint32_t)(equals - param.ptr) : param.len;
    uint32_t skip = *name_len < param.len ? *name_len + 1 : *name_len;
    return (wax_str){param.ptr + skip, param.len - skip};
}

static bool same_name(wax_str a, wax_str b)
{
    uint32_t a_len, b_len;
    param_value(a, &a_len);
    param_value(b, &b_len);
    return a_len == b_len && memcmp(a.ptr, b.ptr, a_len) == 0;
}

static bool same_text(wax_str a, wax_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static wax_str cut(wax_str text, uint32_t most)
{
    return (wax_str){text.ptr, text.len < most ? text.len : most};
}

static bool their_param(const struct wx_message *message, wax_str wanted, wax_str *found)
{
    for (size_t at = 0; wx_message_next_param(message, &at, found);)
        if (same_name(*found, wanted))
            return true;
    return false;
}

static wax_str our_param(const struct wx_session *s, uint32_t i)
{
    return (wax_str){s->config.params[i], (uint32_t)strlen(s->config.params[i])};
}

static void say_param(char *text, size_t cap, const char *name, const wax_str *theirs,
                      const wax_str *ours)
{
    char there[300] = "none", here[300] = "none";
    uint32_t len = 0;
    wax_str value;
    if (theirs) {
        value = cut(param_value(*theirs, &len), 200);
        snprintf(there, sizeof there, "'" WAX_FMT "'", WAX_ARG(value));
    }
    if (ours) {
        value = cut(param_value(*ours, &len), 200);
        snprintf(here, sizeof here, "'" WAX_FMT "'", WAX_ARG(value));
    }
    wax_str param = cut((wax_str){(ours ? ours : theirs)->ptr, len}, 100);
    snprintf(text, cap, "%s has %s for parameter '" WAX_FMT "' and this process %s", name, there,
             WAX_ARG(param), here);
}

static bool params_differ(const struct wx_session *s, const struct wx_message *message,
                          const char *name, char *text, size_t cap)
{
    wax_str theirs;
    for (uint32_t i = 0; i < s->config.param_count; i++) {
        wax_str ours = our_param(s, i);
        bool there = their_param(message, ours, &theirs);
        if (there && same_text(ours, theirs))
            continue;
        say_param(text, cap, name, there ? &theirs : NULL, &ours);
        return true;
    }
    for (size_t at = 0; wx_message_next_param(message, &at, &theirs);) {
        bool here = false;
        for (uint32_t i = 0; i < s->config.param_count && !here; i++)
            here = same_name(our_param(s, i), theirs);
        if (here)
            continue;
        say_param(text, cap, name, &theirs, NULL);
        return true;
    }
    return false;
}

/* Long lists are shown from the first entry that differs. */
static void say_lists(char *text, size_t cap, const char *name, wax_str theirs, wax_str ours)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < theirs.len && i < ours.len && theirs.ptr[i] == ours.ptr[i]; i++)
        if (theirs.ptr[i] == ';' && (theirs.len > LIST_SHOWN || ours.len > LIST_SHOWN))
            from = i + 1;
    wax_str there = cut((wax_str){theirs.ptr + from, theirs.len - from}, LIST_SHOWN);
    wax_str here = cut((wax_str){ours.ptr + from, ours.len - from}, LIST_SHOWN);
    const char *dots = from > 0 ? "..." : "";
    snprintf(text, cap,
             "%s has the address list '%s" WAX_FMT "' and this process '%s" WAX_FMT "': give all "
             "processes the same -a",
             name, dots, WAX_ARG(there), dots, WAX_ARG(here));
}

/* Says in `text` what differs between them and us. False: nothing does. */
static bool hello_differs(const struct wx_session *s, const struct wx_message *message,
                          uint32_t peer, char *text, size_t cap)
{
    const struct wx_session_config *config = &s->config;
    const struct wx_message_hello *hello = &message->u.hello;
    char name[WX_WHY_MAX];
    wx_session_name(s, peer, name);
    if (!wax_str_is(hello->address_list, config->address_list))
        say_lists(text, cap, name, hello->address_list, wax_from_c(config->address_list));
    else if (!wax_str_is(hello->flow, config->flow))
        snprintf(text, cap, "%s runs dataflow '" WAX_FMT "' and this process '%.100s'", name,
                 WAX_ARG(cut(hello->flow, 100)), config->flow);
    else if (hello->workers != config->workers)
        snprintf(text, cap, "%s runs with -w%u and this process with -w%u: give all the same -w",
                 name, hello->workers, config->workers);
    else if (params_differ(s, message, name, text, cap))
        return true;
    else if (hello->plan_hash != config->plan_hash)
        snprintf(text, cap,
                 "%s runs a dataflow '%.100s' with other steps or types (%016llx) than this "
                 "process (%016llx)",
                 name, config->flow, (unsigned long long)hello->plan_hash,
                 (unsigned long long)config->plan_hash);
    else if (hello->module_hash.len > 0 && config->module_hash[0] &&
             !wax_str_is(hello->module_hash, config->module_hash))
        snprintf(text, cap,
                 "%s runs other code for dataflow '%.100s' (" WAX_FMT ") than this process "
                 "(%.64s): use the same module everywhere",
                 name, config->flow, WAX_ARG(cut(hello->module_hash, 64)), config->module_hash);
    else
        return false;
    return true;
}

static void become_member(struct wx_session *s, uint32_t conn)
{
    struct wx_session_conn *c = &s->conn[conn];
    struct wx_session_peer *peer = &s->peer[c->peer];
    char name[WX_WHY_MAX];
    if (peer->why_said)
        wx_session_say(s, WX_LOG_INFO, "%s is there", wx_session_name(s, c->peer, name));
    c->stage = WX_STAGE_MEMBER;
    peer->conn = conn;
    peer->heard = s->now;
    if (s->phase == WX_PROMISED)
        s->phase = WX_JOINING; /* that membership named another incarnation */
    wx_join_propose(s);
}

/* Somebody says that it is a process we know already. */
static void meet_rival(struct wx_session *s, uint32_t conn)
{
    struct wx_session_conn *c = &s->conn[conn];
    struct wx_session_peer *peer = &s->peer[c->peer];
    if (s->conn[peer->conn].nonce == c->nonce && s->phase < WX_RUNNING) {
        uint32_t old =
            peer->conn; /* the same incarnation has called again: its old connection is dead */
        peer->conn = WX_NOBODY;
        wx_session_drop(s, old);
        become_member(s, conn);
        return;
    }
    if (peer->rival != WX_NOBODY) {
        wx_session_drop(s, conn);
        return;
    }
    c->stage = WX_STAGE_RIVAL;
    c->since = s->now;
    peer->rival = conn;
}

static void hear_hello(struct wx_session *s, uint32_t conn, const struct wx_message *message)
{
    struct wx_session_conn *c = &s->conn[conn];
    char text[WX_SENTENCE_MAX], name[WX_WHY_MAX];
    if (hello_differs(s, message, c->peer, text, sizeof text)) {
        refuse(s, conn, text);
        return;
    }
    c->promised = message->u.hello.promised;
    c->active = message->u.hello.active;
    c->durable = message->u.hello.durable;
    bool itself = c->peer == s->config.self;
    if (itself && c->called == s->config.self) {
        wx_session_end(s, WX_EXIT_NETWORK,
                       "another process runs as %s: give every process its own -i",
                       wx_session_name(s, c->peer, name));
    } else if (c->called != WX_NOBODY && c->called != c->peer) {
        snprintf(text, sizeof text,
                 "process %u answers at '%.200s', which is the address of process %u: check its -i",
                 c->peer, s->config.addresses[c->called], c->called);
        turn_away(s, conn, text);
        snprintf(text, sizeof text, "who answers there says that it is process %u", c->peer);
        wx_session_waiting(s, s->now, c->called, text);
    } else if (itself || c->peer >= s->config.processes || s->phase == WX_LEAVING) {
        wx_session_drop(s, conn);
    } else if (s->peer[c->peer].conn != WX_NOBODY) {
        meet_rival(s, conn);
    } else if (s->phase >= WX_RUNNING) {
        wx_session_drop(s, conn); /* it was here and has said goodbye */
    } else {
        become_member(s, conn);
    }
}

void wx_join_settle_rival(struct wx_session *s, uint32_t peer)
{
    uint32_t rival = s->peer[peer].rival;
    if (rival == WX_NOBODY || s->now <= s->conn[rival].since)
        return;
    char text[WX_SENTENCE_MAX], name[WX_WHY_MAX];
    s->peer[peer].rival = WX_NOBODY;
    wx_session_name(s, peer, name);
    wx_session_say(s, WX_LOG_WARN, "turned away: another process with -i %u has called", peer);
    snprintf(text, sizeof text, "%s is in the cluster already: another process has the same -i %u",
             name, peer);
    turn_away(s, rival, text);
}

void wx_join_message(struct wx_session *s, uint32_t conn, const struct wx_message *message)
{
    static const enum wx_message_kind expected[] = {[WX_STAGE_GREETING] = WX_MSG_GREETING,
                                                    [WX_STAGE_PROOF] = WX_MSG_PROOF,
                                                    [WX_STAGE_HELLO] = WX_MSG_HELLO};
    enum wx_session_stage stage = s->conn[conn].stage;
    if (stage == WX_STAGE_RIVAL)
        return; /* its heartbeats; what else it says was said to a member */
    if (message->kind == WX_MSG_ABORT && stage >= WX_STAGE_PROOF && s->phase < WX_RUNNING) {
        wx_session_drop(s,
                        conn); /* the reason is for a member; both sides know a mismatch anyway */
        return;
    }
    if (message->kind != expected[stage]) {
        wx_session_drop(s, conn);
        return;
    }
    switch (stage) {
    case WX_STAGE_GREETING:
        hear_greeting(s, conn, &message->u.greeting);
        break;
    case WX_STAGE_PROOF:
        hear_proof(s, conn, message->u.proof);
        break;
    default:
        hear_hello(s, conn, message);
    }
}

/* ---- who is not there ---------------------------------------------------------------------------
 */

static void say_waiting(struct wx_session *s, uint32_t id)
{
    struct wx_session_peer *peer = &s->peer[id];
    char name[WX_WHY_MAX];
    if (peer->conn != WX_NOBODY || peer->why_said || s->now - s->began < QUIET_START)
        return;
    peer->why_said = true;
    wx_session_say(s, WX_LOG_INFO, "waiting for %s: %s", wx_session_name(s, id, name), peer->why);
}

void wx_session_waiting(struct wx_session *s, wax_time now, uint32_t id, const char *why)
{
    if (now > s->now)
        wx_session_tick(s, now);
    if (s->phase >= WX_RUNNING || id >= s->config.processes || id == s->config.self)
        return;
    struct wx_session_peer *peer = &s->peer[id];
    if (strncmp(peer->why, why, sizeof peer->why - 1) != 0) {
        snprintf(peer->why, sizeof peer->why, "%s", why);
        peer->why_said = false;
    }
    say_waiting(s, id);
}

void wx_join_lost(struct wx_session *s, uint32_t peer, const char *why)
{
    s->phase = WX_JOINING;
    s->peer[peer].why_said = false;
    uint32_t rival = s->peer[peer].rival;
    s->peer[peer].rival = WX_NOBODY;
    if (rival != WX_NOBODY)
        become_member(s, rival);
    else
        wx_session_waiting(s, s->now, peer, why);
}

/* ---- agreeing on a membership
 * -------------------------------------------------------------------- */

static bool all_there(const struct wx_session *s)
{
    for (uint32_t i = 0; i < s->config.processes; i++)
        if (i != s->config.self && s->peer[i].conn == WX_NOBODY)
            return false;
    return true;
}

static uint64_t digest_of(uint64_t generation, const struct wx_message *message)
{
    struct wx_buf bytes = {.max = WX_MESSAGE_MAX + 64};
    uint8_t digest[WX_SHA256_BYTES];
    wx_buf_printf(&bytes, "wax membership %llu %llu ", (unsigned long long)generation,
                  (unsigned long long)message->u.resume);
    wx_buf_put(&bytes, message->items, message->items_len);
    wx_sha256(bytes.data, bytes.len, digest);
    wx_buf_free(&bytes);
    uint64_t number = 0;
    for (uint32_t i = 0; i < sizeof number; i++)
        number |= (uint64_t)digest[i] << (8 * i);
    return number;
}

/* Of a process that is there, or of this one. */
static uint64_t nonce_of(const struct wx_session *s, uint32_t id)
{
    return id == s->config.self ? s->config.nonce : s->conn[s->peer[id].conn].nonce;
}

/* Another membership: what was heard about the one before does not count. */
static void enter_generation(struct wx_session *s, uint64_t generation, uint64_t digest)
{
    s->generation = generation;
    s->digest = digest;
    s->phase = WX_PROMISED;
    s->close_below = 0;
    s->stopping = false;
    for (uint32_t i = 0; i < s->config.processes; i++) {
        s->peer[i].passed = s->peer[i].agreed = 0;
        s->peer[i].nonce = nonce_of(s, i);
        s->peer[i].idle = s->peer[i].finished = false;
        s->peer[i].stop_signal = 0;
    }
}

void wx_join_propose(struct wx_session *s)
{
    if (s->phase != WX_JOINING || !all_there(s))
        return;
    if (s->config.self != PROPOSER) {
        if (s->held.len == 0)
            return;
        struct wx_message message;
        size_t used;
        if (wx_message_read(s->held.data, s->held.len, true, WX_MESSAGE_MAX, &message, &used,
                            NULL) == 1)
            wx_join_agree(s, PROPOSER, &message);
        return;
    }
    if (s->now < s->propose_at)
        return;
    struct wx_buf items = {.max = WX_MESSAGE_MAX};
    uint64_t highest = s->generation;
    for (uint32_t i = 0; i < s->config.processes; i++) {
        struct wx_message_member member = {i, nonce_of(s, i), s->generation, 0, 0};
        const struct wx_session_conn *c = i == s->config.self ? NULL : &s->conn[s->peer[i].conn];
        if (c)
            member = (struct wx_message_member){i, c->nonce, c->promised, c->active, c->durable};
        highest = member.promised > highest ? member.promised : highest;
        wx_message_put_member(&items, &member);
    }
    struct wx_message message = {
        .kind = WX_MSG_PROPOSE, .items = items.data, .items_len = items.len};
    enter_generation(s, highest + 1, digest_of(highest + 1, &message));
    s->patience = s->patience == 0 ? PATIENCE_MIN : s->patience;
    s->propose_at = s->now + s->patience;
    s->patience = s->patience * 2 > PATIENCE_MAX ? PATIENCE_MAX : s->patience * 2;
    if (s->config.processes == 1)
        wx_session_run(s);
    else
        wx_session_broadcast(s, &message);
    wx_buf_free(&items);
}

static void reply(struct wx_session *s, enum wx_message_kind kind, uint64_t generation,
                  uint64_t digest)
{
    struct wx_message message = {.kind = kind, .generation = generation, .items = ""};
    message.u.digest = digest;
    if (s->peer[PROPOSER].conn != WX_NOBODY)
        s->host->send(s->host, s->peer[PROPOSER].conn, &message);
}

/* Are the proposed members the incarnations that we know? */
static bool members_known(const struct wx_session *s, const struct wx_message *message)
{
    struct wx_message_member member;
    uint32_t n = 0;
    for (size_t at = 0; wx_message_next_member(message, &at, &member); n++) {
        if (n >= s->config.processes || member.process != n)
            return false;
        if (member.nonce != nonce_of(s, n))
            return false;
    }
    return n == s->config.processes;
}

static void hear_propose(struct wx_session *s, const struct wx_message *message)
{
    uint64_t digest = digest_of(message->generation, message);
    if (message->generation <= s->generation) {
        reply(s, WX_MSG_REFUSE, message->generation, digest);
        return;
    }
    if (!all_there(s)) {
        struct wx_buf held = {.max = WX_MESSAGE_MAX};
        wx_message_write(message, &held); /* before the old one goes: `message` may point into it */
        wx_buf_free(&s->held);
        s->held = held;
        return;
    }
    bool known = members_known(s, message);
    uint64_t generation = message->generation;
    s->held.len = 0;
    if (!known) {
        reply(s, WX_MSG_REFUSE, generation, digest);
        return;
    }
    enter_generation(s, generation, digest);
    reply(s, WX_MSG_PROMISE, generation, digest);
}

static void hear_promise(struct wx_session *s, uint32_t from)
{
    s->peer[from].agreed = s->generation;
    for (uint32_t i = 0; i < s->config.processes; i++)
        if (i != s->config.self && s->peer[i].agreed != s->generation)
            return;
    struct wx_message message = {.kind = WX_MSG_START};
    message.u.digest = s->digest;
    wx_session_broadcast(s, &message);
    wx_session_run(s);
}

/* Are all those there who were when the generation was promised? */
static bool same_members(const struct wx_session *s)
{
    for (uint32_t i = 0; i < s->config.processes; i++)
        if (s->peer[i].nonce != nonce_of(s, i))
            return false;
    return true;
}

void wx_join_agree(struct wx_session *s, uint32_t from, const struct wx_message *message)
{
    bool current = message->generation == s->generation && message->u.digest == s->digest;
    char name[WX_WHY_MAX];
    if (s->phase >= WX_RUNNING)
        return;
    switch (message->kind) {
    case WX_MSG_PROPOSE:
        if (from == PROPOSER)
            hear_propose(s, message);
        break;
    case WX_MSG_PROMISE:
        if (current && s->phase == WX_PROMISED && s->config.self == PROPOSER)
            hear_promise(s, from);
        break;
    case WX_MSG_REFUSE:
        if (current && s->phase == WX_PROMISED && s->config.self == PROPOSER)
            s->phase = WX_JOINING; /* proposed again when `propose_at` has come */
        break;
    default:
        if (!current || from != PROPOSER)
            break;
        /* A connection may have broken since the promise; what counts is that it is the same
         * incarnation. */
        if (s->phase == WX_PROMISED || (all_there(s) && same_members(s)))
            wx_session_run(s);
        else
            wx_session_end(s, WX_EXIT_PEER,
                           "a process was lost while the dataflow was started by %s",
                           wx_session_name(s, from, name));
    }
}

/* ---- time --------------------------------------------------------------------------------------
 */

static void give_up_handshakes(struct wx_session *s)
{
    for (uint32_t i = 0; i < s->conns; i++) {
        struct wx_session_conn *c = &s->conn[i];
        bool half_open = c->stage != WX_STAGE_FREE && c->stage < WX_STAGE_RIVAL;
        if (half_open && s->now - c->since > HANDSHAKE_WAIT)
            wx_session_drop(s, i);
    }
}

/* Who has the place is silent for long: before the start it goes to the one who claims it. */
static void settle_old_rivals(struct wx_session *s)
{
    for (uint32_t i = 0; i < s->config.processes; i++) {
        struct wx_session_peer *peer = &s->peer[i];
        if (peer->rival == WX_NOBODY || s->now - s->conn[peer->rival].since <= RIVAL_WAIT)
            continue;
        uint32_t loser = s->phase < WX_RUNNING ? peer->conn : peer->rival;
        if (loser == peer->rival)
            peer->rival = WX_NOBODY;
        else
            peer->conn = WX_NOBODY;
        wx_session_drop(s, loser);
        if (s->phase < WX_RUNNING)
            wx_join_lost(s, i, "it is silent");
    }
}

void wx_join_tick(struct wx_session *s)
{
    give_up_handshakes(s);
    settle_old_rivals(s);
    if (s->phase >= WX_RUNNING)
        return;
    for (uint32_t i = 0; i < s->config.processes && s->phase < WX_RUNNING; i++)
        if (i != s->config.self)
            say_waiting(s, i);
    if (s->config.self != PROPOSER || s->now < s->propose_at)
        return;
    if (s->phase == WX_PROMISED)
        s->phase = WX_JOINING; /* not all have promised in time: a higher generation asks again */
    wx_join_propose(s);
}
