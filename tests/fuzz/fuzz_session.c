/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the session and the reading of control messages. The input is a list of events: a byte
 * that says which, a byte for the connection, and for bytes from the network their number (2,
 * little-endian) and themselves. The process is number 1 of three, without a secret, so that the
 * input can pass for the others.
 */
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONNS   6u
#define WORKERS 1u

struct world {
    struct wx_session_host host; /* first */
    struct wx_session *session;
    wax_time now;
    bool open[CONNS], greeted[CONNS], over;
    struct wx_buf in[CONNS];
    struct wx_message_worker worker;
    uint64_t close_below;
};

static void on_send(struct wx_session_host *host, uint32_t conn, const struct wx_message *message)
{
    struct world *w = (struct world *)host;
    WX_ASSERT(w->open[conn] && !w->over);
    struct wx_buf out = {.max = 2 * WX_MESSAGE_MAX};
    wx_message_write(message, &out);
    WX_ASSERT(!out.full);
    wx_buf_free(&out);
}

static void on_close(struct wx_session_host *host, uint32_t conn)
{
    struct world *w = (struct world *)host;
    WX_ASSERT(w->open[conn]);
    w->open[conn] = false;
}

static void on_start(struct wx_session_host *host, uint64_t generation, uint64_t digest)
{
    (void)host;
    (void)generation;
    (void)digest;
}

static void on_close_below(struct wx_session_host *host, uint64_t epoch)
{
    ((struct world *)host)->close_below = epoch;
}

static void on_committed(struct wx_session_host *host, uint64_t epoch)
{
    struct world *w = (struct world *)host;
    WX_ASSERT(epoch <= w->worker.passed || epoch == WX_EPOCH_END);
}

static void on_stop(struct wx_session_host *host, enum wx_stop stop)
{
    WX_ASSERT(!((struct world *)host)->over && stop != WX_STOP_NO);
}

static void on_log(struct wx_session_host *host, enum wx_log_level level, const char *text)
{
    WX_ASSERT(!((struct world *)host)->over && level <= WX_LOG_DEBUG && strlen(text) < 4000);
}

static void on_finish(struct wx_session_host *host, int exit_code)
{
    struct world *w = (struct world *)host;
    WX_ASSERT(!w->over && exit_code >= 0);
    w->over = true;
}

static void take_bytes(struct world *w, uint32_t conn, const uint8_t *bytes, size_t len)
{
    struct wx_message message;
    struct wx_error err;
    size_t used;
    wx_buf_put(&w->in[conn], bytes, len);
    while (w->open[conn] && !w->over) {
        int rc = wx_message_read(w->in[conn].data, w->in[conn].len, w->greeted[conn],
                                 wx_session_message_max(w->session, conn), &message, &used, &err);
        if (rc == 0)
            return;
        if (rc < 0) {
            w->open[conn] = false;
            wx_session_closed(w->session, w->now, conn, err.text);
            return;
        }
        w->greeted[conn] = true;
        wx_session_message(w->session, w->now, conn, &message);
        wx_buf_consume(&w->in[conn], used);
    }
}

static void work(struct world *w, uint8_t how)
{
    bool ended = w->worker.passed == WX_EPOCH_END;
    if (how & 1 && !ended && w->close_below > w->worker.passed + 1)
        w->worker.passed++;
    if (how & 2 && !ended)
        w->close_below += w->close_below < w->worker.passed + 3;
    if (how & 4)
        w->worker = (struct wx_message_worker){WX_WORKER_FINISHED, WX_EPOCH_END, 1};
    if (how & 8)
        w->worker.state = WX_WORKER_STOPPED;
    struct wx_session_local local = {w->close_below, w->close_below, &w->worker};
    wx_session_local(w->session, w->now, &local);
}

static void open_conn(struct world *w, uint32_t conn, uint32_t called)
{
    uint8_t challenge[WX_CHALLENGE] = {0};
    if (w->open[conn])
        return;
    w->open[conn] = true;
    w->greeted[conn] = false;
    w->in[conn].len = 0;
    wx_session_connected(w->session, w->now, conn, called, challenge);
}

/* One event from the input; returns the bytes it took. */
static size_t happen(struct world *w, const uint8_t *data, size_t size)
{
    uint32_t conn = data[1] % CONNS;
    size_t len = 2;
    switch (data[0] % 10) {
    case 0:
        open_conn(w, conn, WX_NOBODY);
        break;
    case 1:
        open_conn(w, conn, data[1] / CONNS % 3);
        break;
    case 2:
        if (w->open[conn]) {
            w->open[conn] = false;
            wx_session_closed(w->session, w->now, conn, "it was closed");
        }
        break;
    case 3:
        w->now += (wax_duration)data[1] * data[1] * 1000;
        wx_session_tick(w->session, w->now);
        break;
    case 4:
        work(w, data[1]);
        break;
    case 5:
        wx_session_signal(w->session, w->now, data[1] % 2 ? SIGTERM : SIGINT);
        break;
    case 6:
        wx_session_link_broken(w->session, w->now, data[1] % 3, "the connection broke");
        break;
    case 7:
        wx_session_done(w->session, w->now);
        break;
    default:
        if (size < 4)
            return size;
        len = data[2] | (size_t)data[3] << 8;
        len = len < size - 4 ? len : size - 4;
        if (w->open[conn])
            take_bytes(w, conn, data + 4, len);
        len += 4;
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const addresses[] = {"a:1", "b:2", "c:3"};
    static const char *const params[] = {"n=7"};
    struct world world = {.now = wax_seconds(1000)}, *w = &world;
    w->host = (struct wx_session_host){on_send,      on_close, on_start, on_close_below,
                                       on_committed, on_stop,  on_log,   on_finish};
    struct wx_session_config config = {.self = 1,
                                       .processes = 3,
                                       .workers = WORKERS,
                                       .addresses = addresses,
                                       .address_list = "a:1;b:2;c:3",
                                       .flow = "f",
                                       .params = params,
                                       .param_count = 1,
                                       .plan_hash = 42,
                                       .module_hash = "",
                                       .nonce = 7,
                                       .peer_timeout = wax_seconds(10)};
    for (uint32_t i = 0; i < CONNS; i++)
        w->in[i].max = 2 * WX_MESSAGE_MAX;
    w->session = wx_session_create(&config, &w->host, w->now);
    wx_session_begin(w->session, w->now);
    while (size >= 2 && !w->over) {
        size_t used = happen(w, data, size);
        data += used;
        size -= used;
    }
    wx_session_destroy(w->session);
    for (uint32_t i = 0; i < CONNS; i++)
        wx_buf_free(&w->in[i]);
    return 0;
}
