/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session, running and ending. Every process hears from every other one: heartbeats with the
 * state of its workers, EPOCH when one of them closes an epoch first, DURABLE when all of them have
 * passed one. Each computes by itself what is complete everywhere, and when everything is done;
 * GOODBYE says so, and proves it to those who have not heard it all. Whatever goes wrong ends in
 * wx_session_end(), once.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/session_state.h"

#define BEAT         wax_seconds(1)  /* between heartbeats; less when the peer time-out is short */
#define BEATS_MIN    5               /* heartbeats in a peer time-out */
#define GOODBYE_WAIT wax_seconds(10) /* for the others' GOODBYE */
#define REASON_WAIT  wax_seconds(1)  /* after a data connection broke, for the reason */
#define EPOCHS_AHEAD 16u             /* a peer may be at most so far beyond what we have passed */

/* ---- speaking ----------------------------------------------------------------------------------
 */

const char *wx_session_name(const struct wx_session *s, uint32_t peer, char text[WX_WHY_MAX])
{
    if (s->config.addresses && peer < s->config.processes)
        snprintf(text, WX_WHY_MAX, "process %u at '%.100s'", peer, s->config.addresses[peer]);
    else
        snprintf(text, WX_WHY_MAX, "process %u", peer);
    return text;
}

void wx_session_say(struct wx_session *s, enum wx_log_level level, const char *fmt, ...)
{
    char text[WX_SENTENCE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->host->log(s->host, level, text);
}

void wx_session_send(struct wx_session *s, uint32_t conn, struct wx_message *message)
{
    message->generation = s->generation;
    if (!message->items)
        message->items = "";
    s->host->send(s->host, conn, message);
}

void wx_session_broadcast(struct wx_session *s, struct wx_message *message)
{
    for (uint32_t i = 0; i < s->config.processes; i++)
        if (s->peer[i].conn != WX_NOBODY)
            wx_session_send(s, s->peer[i].conn, message);
}

void wx_session_clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static void finish(struct wx_session *s, int exit_code)
{
    s->phase = WX_OVER;
    s->host->finish(s->host, exit_code);
}

/* Ends the session with a sentence that was logged. */
static void abort_all(struct wx_session *s, int exit_code, int peers_exit, const char *reason)
{
    /* Before anything is agreed only a mismatch concerns the others: they would wait for ever. */
    bool tell = s->phase >= WX_PROMISED || exit_code == WX_EXIT_MISMATCH;
    if (exit_code == WX_EXIT_NETWORK)
        tell = false;
    size_t len = strlen(reason);
    struct wx_message message = {.kind = WX_MSG_ABORT};
    message.u.abort.process = s->config.self;
    message.u.abort.exit_code = (uint32_t)peers_exit;
    message.u.abort.reason =
        (wax_str){reason, (uint32_t)(len < WX_REASON_MAX ? len : WX_REASON_MAX)};
    if (s->phase < WX_PROMISED)
        s->generation = 0;
    if (tell)
        wx_session_broadcast(s, &message);
    if (s->phase == WX_RUNNING || s->phase == WX_LEAVING)
        s->host->stop(s->host, WX_STOP_NOW);
    finish(s, exit_code);
}

void wx_session_end(struct wx_session *s, int exit_code, const char *fmt, ...)
{
    if (s->phase == WX_OVER)
        return;
    char text[WX_SENTENCE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->host->log(s->host, WX_LOG_ERROR, text);
    abort_all(s, exit_code, exit_code, text);
}

void wx_session_drop(struct wx_session *s, uint32_t conn)
{
    if (s->conn[conn].stage == WX_STAGE_FREE)
        return;
    s->conn[conn].stage = WX_STAGE_FREE;
    s->host->close(s->host, conn);
}

/* A process that was stopped for longer than the time-out has been given up by the others. */
static bool was_asleep(struct wx_session *s, wax_time now)
{
    wax_duration gap = now - s->now;
    if (s->config.processes == 1 || s->config.peer_timeout == 0 || gap <= s->config.peer_timeout)
        return false;
    if (s->phase != WX_RUNNING)
        return false;
    s->now = now;
    wx_session_end(s, WX_EXIT_PEER,
                   "this process was stopped for %.1f seconds, longer than --peer-timeout: the "
                   "others have given it up",
                   (double)gap / 1e6);
    return true;
}

/* ---- progress ----------------------------------------------------------------------------------
 */

static void send_heartbeat(struct wx_session *s)
{
    struct wx_buf items = {.max = WX_MESSAGE_MAX};
    bool running = s->phase == WX_RUNNING || s->phase == WX_LEAVING;
    for (uint32_t i = 0; running && s->local_known && i < s->config.workers; i++)
        wx_message_put_worker(&items, &s->local[i]);
    struct wx_message message = {.kind = WX_MSG_HEARTBEAT, .items = items.data};
    message.items_len = items.len;
    message.u.heartbeat.digest = s->digest;
    message.u.heartbeat.open = s->open;
    wx_session_broadcast(s, &message);
    wx_buf_free(&items);
}

static void send_epoch(struct wx_session *s, enum wx_message_kind kind, uint64_t epoch)
{
    struct wx_message message = {.kind = kind};
    message.u.epoch = epoch;
    wx_session_broadcast(s, &message);
}

static void send_goodbye(struct wx_session *s)
{
    struct wx_message message = {.kind = WX_MSG_GOODBYE};
    message.u.ended = s->ended;
    wx_session_broadcast(s, &message);
    s->said_goodbye = true;
    s->leave_by = s->now + GOODBYE_WAIT;
}

/* Every worker of the cluster has come to its end; ours may go. */
static void enter_leaving(struct wx_session *s, bool ended)
{
    s->phase = WX_LEAVING;
    s->ended = ended;
    if (ended && s->committed != WX_EPOCH_END)
        s->host->committed(s->host, s->committed = WX_EPOCH_END);
    if (!ended)
        s->host->stop(s->host, WX_STOP_NOW);
}

static int last_exit_code(const struct wx_session *s)
{
    if (s->ended)
        return WX_EXIT_OK;
    return s->own_signal ? 128 + (int)s->own_signal : WX_EXIT_PEER;
}

/* Takes the steps of leaving that are due. */
static void leave(struct wx_session *s)
{
    if (s->phase != WX_LEAVING || !s->local_done)
        return;
    if (!s->said_goodbye)
        send_goodbye(s);
    for (uint32_t i = 0; i < s->config.processes; i++)
        if (i != s->config.self && !s->peer[i].goodbye)
            return;
    finish(s, last_exit_code(s));
}

/* Recomputes what all have reached. */
static void advance(struct wx_session *s)
{
    if (s->phase != WX_RUNNING)
        return;
    uint64_t passed = WX_EPOCH_END;
    bool idle = true, finished = true;
    for (uint32_t i = 0; i < s->config.processes; i++) {
        const struct wx_session_peer *peer = &s->peer[i];
        passed = peer->passed < passed ? peer->passed : passed;
        idle = idle && (peer->idle || peer->passed == WX_EPOCH_END);
        finished = finished && (peer->finished || peer->passed == WX_EPOCH_END);
    }
    if (passed > s->committed)
        s->host->committed(s->host, s->committed = passed);
    if (idle && (finished || (s->stopping && passed + 1 >= s->close_below)))
        enter_leaving(s, finished);
    leave(s);
}

/*
 * What was said once stays: a drained worker may still come to the end of its input, but then some
 * would see the one and some the other, and disagree about how the dataflow ended.
 */
static struct wx_message_worker keep_stopped(struct wx_message_worker before,
                                             struct wx_message_worker worker)
{
    if (before.state != WX_WORKER_STOPPED)
        return worker;
    worker.state = WX_WORKER_STOPPED;
    if (worker.passed == WX_EPOCH_END)
        worker.passed = before.passed;
    return worker;
}

void wx_session_local(struct wx_session *s, wax_time now, const struct wx_session_local *local)
{
    wx_session_tick(s, now);
    if (s->phase != WX_RUNNING && s->phase != WX_LEAVING)
        return;
    struct wx_session_peer *self = &s->peer[s->config.self];
    uint64_t passed = WX_EPOCH_END;
    bool idle = true, finished = true, changed = !s->local_known;
    for (uint32_t i = 0; i < s->config.workers; i++) {
        struct wx_message_worker worker = keep_stopped(s->local[i], local->workers[i]);
        passed = worker.passed < passed ? worker.passed : passed;
        idle = idle && worker.state != WX_WORKER_RUNNING;
        finished = finished && worker.state == WX_WORKER_FINISHED;
        changed = changed || worker.state != s->local[i].state;
        s->local[i] = worker;
    }
    s->local_known = true;
    s->open = local->open;
    self->idle = idle;
    self->finished = finished;
    if (local->close_below > s->close_below)
        send_epoch(s, WX_MSG_EPOCH, s->close_below = local->close_below);
    if (passed > self->passed)
        send_epoch(s, WX_MSG_DURABLE, self->passed = passed);
    if (changed)
        send_heartbeat(s);
    advance(s);
}

void wx_session_done(struct wx_session *s, wax_time now)
{
    wx_session_tick(s, now);
    s->local_done = true;
    leave(s);
}

void wx_session_run(struct wx_session *s)
{
    s->phase = WX_RUNNING;
    wx_buf_free(&s->held);
    bool waited = false;
    for (uint32_t i = 0; i < s->config.processes; i++)
        waited = waited || s->peer[i].why_said;
    if (s->config.processes > 1)
        wx_session_say(s, waited ? WX_LOG_INFO : WX_LOG_DEBUG, "all %u processes are there",
                       s->config.processes);
    s->host->start(s->host, s->generation, s->digest);
    if (s->close_below > 0)
        s->host->close_below(s->host, s->close_below);
    if (s->stopping)
        s->host->stop(s->host, WX_STOP_DRAIN);
}

/* ---- what members say --------------------------------------------------------------------------
 */

static void lose(struct wx_session *s, uint32_t peer, const char *why)
{
    char name[WX_WHY_MAX];
    wx_session_end(s, WX_EXIT_PEER, "%s was lost: %s", wx_session_name(s, peer, name), why);
}

/* Its connection is closed, and it has not said goodbye. */
static void lose_closed(struct wx_session *s, uint32_t peer, const char *why)
{
    char text[WX_WHY_MAX];
    uint32_t signal_number = s->peer[peer].stop_signal;
    snprintf(text, sizeof text, "SIG%s stopped it before it had finished",
             signal_number ? sigabbrev_np((int)signal_number) : "");
    lose(s, peer, signal_number ? text : why);
}

static void hear_heartbeat(struct wx_session *s, uint32_t from, const struct wx_message *message)
{
    struct wx_session_peer *peer = &s->peer[from];
    if (message->items_len == 0 || message->u.heartbeat.digest != s->digest)
        return;
    uint64_t passed = WX_EPOCH_END;
    bool idle = true, finished = true;
    uint32_t n = 0;
    struct wx_message_worker worker;
    for (size_t at = 0; wx_message_next_worker(message, &at, &worker); n++) {
        passed = worker.passed < passed ? worker.passed : passed;
        idle = idle && worker.state != WX_WORKER_RUNNING;
        finished = finished && worker.state == WX_WORKER_FINISHED;
    }
    if (n != s->config.workers)
        return;
    peer->passed = passed > peer->passed ? passed : peer->passed;
    peer->idle = idle;
    peer->finished = finished;
}

static void hear_epoch(struct wx_session *s, uint32_t from, uint64_t epoch)
{
    if (epoch <= s->close_below)
        return;
    uint64_t passed = s->peer[s->config.self].passed;
    if (passed == WX_EPOCH_END)
        return;
    if (epoch - 1 > passed + EPOCHS_AHEAD) {
        lose(s, from, "it asked to close an epoch that is far ahead");
        return;
    }
    s->close_below = epoch;
    if (s->phase == WX_RUNNING)
        s->host->close_below(s->host, epoch);
}

static void hear_stop(struct wx_session *s, uint32_t from, uint32_t signal_number)
{
    bool known = signal_number == SIGINT || signal_number == SIGTERM;
    s->peer[from].stop_signal = known ? signal_number : SIGTERM;
    if (s->stopping)
        return;
    s->stopping = true;
    if (s->phase != WX_RUNNING)
        return; /* wx_session_run() will stop at once */
    char name[WX_WHY_MAX];
    wx_session_say(s, WX_LOG_WARN, "%s was stopped by SIG%s: stopping with it",
                   wx_session_name(s, from, name), sigabbrev_np((int)s->peer[from].stop_signal));
    s->host->stop(s->host, WX_STOP_DRAIN);
}

static void hear_abort(struct wx_session *s, uint32_t from, const struct wx_message *message)
{
    /* Who is turned away at the door says so without a generation: that ends no running session. */
    if (message->generation != s->generation &&
        (message->generation != 0 || s->phase >= WX_RUNNING))
        return;
    char text[WX_SENTENCE_MAX], name[WX_WHY_MAX];
    uint32_t origin = message->u.abort.process;
    wax_str reason = message->u.abort.reason;
    snprintf(text, sizeof text, "%.*s", (int)reason.len, reason.ptr);
    wx_session_clean(text);
    wx_session_name(s, origin < s->config.processes ? origin : from, name);
    int exit_code = (int)message->u.abort.exit_code;
    switch (exit_code) {
    case WX_EXIT_NETWORK:
        wx_session_say(s, WX_LOG_ERROR, "%s", text);
        break;
    case WX_EXIT_FAILED:
        wx_session_say(s, WX_LOG_ERROR, "%s has failed: %s", name, text);
        break;
    case WX_EXIT_MISMATCH:
        wx_session_say(s, WX_LOG_ERROR, "%s has stopped: %s", name, text);
        break;
    default:
        exit_code = WX_EXIT_PEER;
        wx_session_say(s, WX_LOG_ERROR, "%s has stopped: %s", name, text);
    }
    /* Whoever sees this process leave must hear why first: the first message may still be on its
     * way. */
    struct wx_message relay = *message;
    if (s->phase >= WX_PROMISED && exit_code != WX_EXIT_NETWORK)
        wx_session_broadcast(s, &relay);
    if (s->phase == WX_RUNNING || s->phase == WX_LEAVING)
        s->host->stop(s->host, WX_STOP_NOW);
    finish(s, exit_code);
}

static void hear_goodbye(struct wx_session *s, uint32_t from, bool ended)
{
    s->peer[from].goodbye = true;
    if (s->phase == WX_RUNNING)
        enter_leaving(s, ended);
    leave(s);
}

static void hear_member(struct wx_session *s, uint32_t from, const struct wx_message *message)
{
    s->peer[from].heard = s->now;
    wx_join_settle_rival(s, from);
    if (message->kind == WX_MSG_ABORT) {
        hear_abort(s, from, message);
        return;
    }
    if (message->kind >= WX_MSG_PROPOSE && message->kind <= WX_MSG_START) {
        wx_join_agree(s, from, message);
        return;
    }
    /* A member that started before us speaks of the generation that we have promised: that counts.
     */
    if (message->generation == 0 || message->generation != s->generation || s->phase == WX_JOINING)
        return;
    switch (message->kind) {
    case WX_MSG_HEARTBEAT:
        hear_heartbeat(s, from, message);
        break;
    case WX_MSG_EPOCH:
        hear_epoch(s, from, message->u.epoch);
        break;
    case WX_MSG_DURABLE:
        if (message->u.epoch > s->peer[from].passed)
            s->peer[from].passed = message->u.epoch;
        break;
    case WX_MSG_STOP:
        hear_stop(s, from, message->u.signal_number);
        break;
    case WX_MSG_GOODBYE:
        hear_goodbye(s, from, message->u.ended);
        break;
    default:
        lose(s, from, "it said something that does not belong here");
    }
    advance(s);
}

void wx_session_message(struct wx_session *s, wax_time now, uint32_t conn,
                        const struct wx_message *message)
{
    wx_session_tick(s, now);
    if (s->phase == WX_OVER || s->conn[conn].stage == WX_STAGE_FREE)
        return;
    if (s->conn[conn].stage == WX_STAGE_MEMBER)
        hear_member(s, s->conn[conn].peer, message);
    else
        wx_join_message(s, conn, message);
}

void wx_session_closed(struct wx_session *s, wax_time now, uint32_t conn, const char *why)
{
    struct wx_session_conn *c = &s->conn[conn];
    enum wx_session_stage stage = c->stage;
    c->stage = WX_STAGE_FREE; /* before anything else: nothing may be sent there */
    if (stage == WX_STAGE_MEMBER)
        s->peer[c->peer].conn = WX_NOBODY;
    if (stage == WX_STAGE_RIVAL)
        s->peer[c->peer].rival = WX_NOBODY;
    if (s->phase == WX_OVER || was_asleep(s, now))
        return;
    s->now = now > s->now ? now : s->now;
    if (stage == WX_STAGE_MEMBER && s->phase < WX_RUNNING)
        wx_join_lost(s, c->peer, why);
    else if (stage == WX_STAGE_MEMBER && !s->peer[c->peer].goodbye)
        lose_closed(s, c->peer, why);
    else if (stage < WX_STAGE_RIVAL && stage != WX_STAGE_FREE && c->called != WX_NOBODY)
        wx_session_waiting(s, now, c->called, why);
}

/* ---- what happens here --------------------------------------------------------------------------
 */

void wx_session_signal(struct wx_session *s, wax_time now, int signal_number)
{
    wx_session_tick(s, now);
    if (s->phase == WX_OVER)
        return;
    const char *name = sigabbrev_np(signal_number);
    struct wx_message message = {.kind = WX_MSG_STOP};
    message.u.signal_number = (uint32_t)signal_number;
    if (s->signals++ > 0) {
        char reason[WX_WHY_MAX];
        snprintf(reason, sizeof reason, "a second SIG%s stopped it at once", name);
        wx_session_say(s, WX_LOG_WARN, "stopped by SIG%s at once", name);
        abort_all(s, 128 + signal_number, WX_EXIT_PEER, reason);
        return;
    }
    s->own_signal = (uint32_t)signal_number;
    if (s->phase == WX_LEAVING)
        return; /* it is about to end as it is */
    if (s->phase == WX_PROMISED)
        wx_session_broadcast(s, &message);
    if (s->phase < WX_RUNNING) {
        wx_session_say(s, WX_LOG_INFO, "stopped by SIG%s before the dataflow began", name);
        finish(s, 128 + signal_number);
        return;
    }
    wx_session_say(s, WX_LOG_INFO, "stopping on SIG%s; a second one stops at once", name);
    wx_session_broadcast(s, &message);
    if (!s->stopping)
        s->host->stop(s->host, WX_STOP_DRAIN);
    s->stopping = true;
    advance(s);
}

void wx_session_fail(struct wx_session *s, wax_time now, int exit_code, const char *why)
{
    wx_session_tick(s, now);
    wx_session_end(s, exit_code, "%s", why);
}

void wx_session_link_broken(struct wx_session *s, wax_time now, uint32_t peer, const char *why)
{
    wx_session_tick(s, now);
    if (s->phase != WX_RUNNING || s->broken != WX_NOBODY)
        return;
    s->broken = peer;
    s->broken_by = s->now + REASON_WAIT;
    snprintf(s->broken_why, sizeof s->broken_why, "%s", why);
}

/* ---- time --------------------------------------------------------------------------------------
 */

static wax_duration beat(const struct wx_session *s)
{
    wax_duration timeout = s->config.peer_timeout;
    return timeout > 0 && timeout / BEATS_MIN < BEAT ? timeout / BEATS_MIN : BEAT;
}

static void check_silence(struct wx_session *s)
{
    wax_duration timeout = s->config.peer_timeout;
    for (uint32_t i = 0; timeout > 0 && i < s->config.processes && s->phase != WX_OVER; i++) {
        struct wx_session_peer *peer = &s->peer[i];
        if (peer->conn == WX_NOBODY || peer->goodbye || s->now - peer->heard <= timeout)
            continue;
        char why[WX_WHY_MAX];
        snprintf(why, sizeof why, "nothing was heard from it for %.1f seconds",
                 (double)(s->now - peer->heard) / 1e6);
        if (s->phase >= WX_RUNNING) {
            lose(s, i, why);
            continue;
        }
        uint32_t conn = peer->conn;
        peer->conn = WX_NOBODY;
        wx_session_drop(s, conn);
        wx_join_lost(s, i, why);
    }
}

static void check_leaving(struct wx_session *s)
{
    if (s->phase != WX_LEAVING || !s->said_goodbye || s->now < s->leave_by)
        return;
    for (uint32_t i = 0; i < s->config.processes; i++) {
        char name[WX_WHY_MAX];
        if (i != s->config.self && !s->peer[i].goodbye)
            wx_session_say(s, WX_LOG_WARN, "%s has not said goodbye; not waiting any longer",
                           wx_session_name(s, i, name));
    }
    finish(s, last_exit_code(s));
}

void wx_session_tick(struct wx_session *s, wax_time now)
{
    if (s->phase == WX_OVER || was_asleep(s, now))
        return;
    s->now = now > s->now ? now : s->now;
    if (s->config.processes == 1)
        return;
    check_silence(s);
    wx_join_tick(s);
    if (s->phase == WX_RUNNING && s->broken != WX_NOBODY && s->now >= s->broken_by)
        lose(s, s->broken, s->broken_why);
    check_leaving(s);
    if (s->phase != WX_OVER && s->now >= s->next_beat) {
        send_heartbeat(s);
        s->next_beat = s->now + beat(s);
    }
}

static wax_time earlier(wax_time a, wax_time b)
{
    return a < b ? a : b;
}

wax_time wx_session_next_tick(const struct wx_session *s)
{
    if (s->phase == WX_OVER || s->config.processes == 1)
        return INT64_MAX;
    wax_time at = s->next_beat;
    if (s->phase < WX_RUNNING)
        at = earlier(at, s->now + BEAT / 4);
    if (s->phase < WX_RUNNING && s->propose_at > s->now)
        at = earlier(at, s->propose_at);
    if (s->broken != WX_NOBODY)
        at = earlier(at, s->broken_by);
    if (s->said_goodbye)
        at = earlier(at, s->leave_by);
    return at;
}

/* ---- life --------------------------------------------------------------------------------------
 */

struct wx_session *wx_session_create(const struct wx_session_config *config,
                                     struct wx_session_host *host, wax_time now)
{
    struct wx_session *s = wx_calloc(1, sizeof *s);
    s->config = *config;
    s->host = host;
    s->now = s->began = now;
    s->next_beat = now + beat(s);
    s->conns = config->processes == 1 ? WX_STRANGERS_MAX : 2 * config->processes + WX_STRANGERS_MAX;
    s->conn = wx_calloc(s->conns, sizeof *s->conn);
    s->peer = wx_calloc(config->processes, sizeof *s->peer);
    s->local = wx_calloc(config->workers, sizeof *s->local);
    s->held.max = WX_MESSAGE_MAX;
    s->broken = WX_NOBODY;
    for (uint32_t i = 0; i < config->processes; i++) {
        s->peer[i].conn = s->peer[i].rival = WX_NOBODY;
        snprintf(s->peer[i].why, sizeof s->peer[i].why, "it has not called yet");
    }
    return s;
}

void wx_session_begin(struct wx_session *s, wax_time now)
{
    s->now = s->began = now;
    if (s->config.processes == 1)
        wx_join_propose(s);
}

void wx_session_destroy(struct wx_session *s)
{
    if (!s)
        return;
    wx_buf_free(&s->held);
    free(s->conn);
    free(s->peer);
    free(s->local);
    free(s);
}

uint32_t wx_session_conns(const struct wx_session *s)
{
    return s->conns;
}

bool wx_session_wants(const struct wx_session *s, uint32_t peer)
{
    return s->phase < WX_RUNNING && s->peer[peer].conn == WX_NOBODY;
}

uint32_t wx_session_message_max(const struct wx_session *s, uint32_t conn)
{
    return s->conn[conn].stage >= WX_STAGE_HELLO ? WX_MESSAGE_MAX : WX_MESSAGE_STRANGER;
}

bool wx_session_generation(const struct wx_session *s, uint64_t *generation, uint64_t *digest)
{
    *generation = s->generation;
    *digest = s->digest;
    return s->phase == WX_PROMISED || s->phase == WX_RUNNING;
}

bool wx_session_is_over(const struct wx_session *s)
{
    return s->phase == WX_OVER;
}
