/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the session: whole clusters in one process, over wires that deliver bytes late, in
 * pieces or not at all, with a clock of their own and everything drawn from a seed. The same seed
 * gives the same run, so a failing one can be repeated with it alone.
 *
 * After every step it is checked that nothing is called complete that some worker has not passed,
 * that all who start one generation start the same membership, and that nothing is done after the
 * end.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/session.h"

#define NODES_MAX 6u
#define WORKERS   2u
#define WIRES_MAX 256u
#define CONNS_MAX 128u
#define LOG_MAX   8000u

/* ---- randomness ---------------------------------------------------------------------------------
 */

static uint64_t random_state;

static uint64_t draw(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(draw() % n);
}

/* ---- the world ----------------------------------------------------------------------------------
 */

/* One worker, as far as the session can see it. */
struct worker {
    struct wx_message_worker status;
    uint64_t open;
    bool ended; /* its input */
    bool draining;
};

struct node {
    struct wx_session_host host; /* first */
    bool used, over;
    struct wx_session_config config;
    struct wx_session *session;  /* NULL: killed */
    uint32_t wire_of[CONNS_MAX]; /* 2 * wire + side, or UINT32_MAX */
    wax_time dial_at[NODES_MAX];
    wax_time frozen_until;
    int exit_code;
    bool started, said_done;
    uint64_t generation, digest;
    struct worker worker[WORKERS];
    uint64_t close_below, committed;
    enum wx_stop stop;
    char log[LOG_MAX];
    size_t log_len;
};

/* A connection. Side 0 called, side 1 was called. */
struct wire {
    bool used;
    uint32_t node[2], number[2];
    bool open[2]; /* this side has not closed */
    bool ends[2]; /* the other side has: this one is told after the last byte */
    bool greeted[2];
    struct wx_buf to[2]; /* bytes on their way to this side */
    wax_time ready[2];   /* not delivered before */
};

static struct world {
    wax_time now;
    uint32_t nodes;                  /* ids in the address list */
    struct node node[NODES_MAX * 2]; /* [id], and then those that should not be there */
    struct wire wire[WIRES_MAX];
    uint32_t cut;       /* chance in 1000 a step that some wire of a joining cluster breaks */
    uint32_t version;   /* spoken by node 1 in its greeting; 0: the right one */
    wax_time end_input; /* workers come to the end of their input after this */
    uint64_t seed;
} world;

static const char *const addresses[] = {"a:1", "b:2", "c:3", "d:4", "e:5", "f:6"};
static const char *const params[] = {"n=7", "path=x"};

#define CHECK(cond, ...) cr_assert(cond, "seed %llu: " __VA_ARGS__)
#define SEED             (unsigned long long)world.seed

static struct node *node_of(struct wx_session_host *host)
{
    struct node *node = (struct node *)host;
    CHECK(!node->over, "something was done after the end; it said: %s", SEED, node->log);
    return node;
}

static struct wire *wire_of(struct node *node, uint32_t conn, uint32_t *side)
{
    uint32_t at = node->wire_of[conn];
    CHECK(at != UINT32_MAX, "there is no connection %u", SEED, conn);
    *side = at % 2;
    return &world.wire[at / 2];
}

static void on_send(struct wx_session_host *host, uint32_t conn, const struct wx_message *message)
{
    uint32_t side;
    struct node *node = node_of(host);
    struct wire *wire = wire_of(node, conn, &side);
    if (!wire->open[1 - side] && wire->ends[side])
        return;
    struct wx_buf *to = &wire->to[1 - side];
    to->max = SIZE_MAX / 2;
    if (to->len == 0)
        wire->ready[1 - side] = world.now + below(40000);
    struct wx_message changed = *message;
    if (world.version && node == &world.node[1] && message->kind == WX_MSG_GREETING)
        changed.u.greeting.version = world.version;
    wx_message_write(&changed, to);
}

static void close_side(struct wire *wire, uint32_t side)
{
    struct node *node = &world.node[wire->node[side]];
    if (!wire->open[side])
        return;
    wire->open[side] = false;
    node->wire_of[wire->number[side]] = UINT32_MAX;
    wire->ends[1 - side] = true;
    wire->to[side].len = 0;
    if (!wire->open[1 - side])
        wire->used = false;
}

static void on_close(struct wx_session_host *host, uint32_t conn)
{
    uint32_t side;
    struct wire *wire = wire_of(node_of(host), conn, &side);
    close_side(wire, side);
}

static void on_start(struct wx_session_host *host, uint64_t generation, uint64_t digest)
{
    struct node *node = node_of(host);
    CHECK(!node->started, "started twice", SEED);
    node->started = true;
    node->generation = generation;
    node->digest = digest;
    for (uint32_t i = 0; i < 2 * NODES_MAX; i++) {
        struct node *other = &world.node[i];
        if (other->used && other->started && other->generation == generation)
            CHECK(other->digest == digest, "two memberships in generation %llu", SEED,
                  (unsigned long long)generation);
    }
}

static void on_close_below(struct wx_session_host *host, uint64_t epoch)
{
    struct node *node = node_of(host);
    CHECK(epoch > node->close_below, "epoch %llu was closed before", SEED,
          (unsigned long long)epoch);
    node->close_below = epoch;
}

static void on_committed(struct wx_session_host *host, uint64_t epoch)
{
    struct node *node = node_of(host);
    for (uint32_t i = 0; i < world.nodes; i++)
        for (uint32_t w = 0; w < node->config.workers && world.node[i].session; w++)
            CHECK(world.node[i].worker[w].status.passed >= epoch,
                  "epoch %llu is called complete but worker %u of process %u has passed only %llu",
                  SEED, (unsigned long long)epoch, w, i,
                  (unsigned long long)world.node[i].worker[w].status.passed);
    node->committed = epoch;
}

static void on_stop(struct wx_session_host *host, enum wx_stop stop)
{
    struct node *node = node_of(host);
    CHECK(stop >= node->stop, "stop goes back", SEED);
    node->stop = stop;
}

static void on_log(struct wx_session_host *host, enum wx_log_level level, const char *text)
{
    struct node *node = node_of(host);
    if (level == WX_LOG_DEBUG)
        return;
    int n = snprintf(node->log + node->log_len, LOG_MAX - node->log_len, "%s\n", text);
    node->log_len += (size_t)n;
    CHECK(node->log_len < LOG_MAX, "it says too much: %s", SEED, node->log);
}

static void close_all(struct node *node)
{
    for (uint32_t i = 0; i < CONNS_MAX; i++)
        if (node->wire_of[i] != UINT32_MAX)
            close_side(&world.wire[node->wire_of[i] / 2], node->wire_of[i] % 2);
}

static void on_finish(struct wx_session_host *host, int exit_code)
{
    struct node *node = node_of(host);
    node->over = true;
    node->exit_code = exit_code;
}

/* Starts (or starts again) the process in place `at` with id `id`. */
static struct node *start_node(uint32_t at, uint32_t id)
{
    struct node *node = &world.node[at];
    wx_session_destroy(node->session);
    *node = (struct node){.used = true, .exit_code = -1};
    node->host = (struct wx_session_host){on_send,      on_close, on_start, on_close_below,
                                          on_committed, on_stop,  on_log,   on_finish};
    node->config = (struct wx_session_config){.self = id,
                                              .processes = world.nodes,
                                              .workers = WORKERS,
                                              .addresses = addresses,
                                              .address_list = "a:1;b:2;c:3",
                                              .flow = "simple",
                                              .params = params,
                                              .param_count = 2,
                                              .plan_hash = 42,
                                              .module_hash = "abc",
                                              .nonce = draw(),
                                              .peer_timeout = wax_seconds(10)};
    for (uint32_t i = 0; i < CONNS_MAX; i++)
        node->wire_of[i] = UINT32_MAX;
    for (uint32_t w = 0; w < WORKERS; w++)
        node->worker[w].open = 1;
    return node;
}

/* The node has its configuration: now it runs. */
static void begin(struct node *node)
{
    node->session = wx_session_create(&node->config, &node->host, world.now);
    CHECK(wx_session_conns(node->session) <= CONNS_MAX, "the world has too few connections", SEED);
    wx_session_begin(node->session, world.now);
}

static void new_world(uint64_t seed, uint32_t nodes)
{
    for (uint32_t i = 0; i < 2 * NODES_MAX; i++)
        wx_session_destroy(world.node[i].session);
    for (uint32_t i = 0; i < WIRES_MAX; i++) {
        wx_buf_free(&world.wire[i].to[0]);
        wx_buf_free(&world.wire[i].to[1]);
    }
    memset(&world, 0, sizeof world);
    random_state = seed;
    world.seed = seed;
    world.nodes = nodes;
    world.now = wax_seconds(1000);
    world.end_input = INT64_MAX;
}

static void begin_all(void)
{
    for (uint32_t i = 0; i < world.nodes; i++)
        start_node(i, i);
    for (uint32_t i = 0; i < world.nodes; i++)
        begin(&world.node[i]);
}

/* ---- what happens in it -------------------------------------------------------------------------
 */

static uint32_t free_number(const struct node *node)
{
    for (uint32_t i = 0; i < CONNS_MAX; i++)
        if (node->wire_of[i] == UINT32_MAX)
            return i;
    cr_assert_fail("out of connections");
    return 0;
}

static void connect_nodes(uint32_t from, uint32_t to, uint32_t called)
{
    uint32_t at = 0;
    while (at < WIRES_MAX && world.wire[at].used)
        at++;
    CHECK(at < WIRES_MAX, "out of wires", SEED);
    struct wire *wire = &world.wire[at];
    wx_buf_free(&wire->to[0]);
    wx_buf_free(&wire->to[1]);
    *wire = (struct wire){.used = true, .node = {from, to}, .open = {true, true}};
    for (uint32_t side = 0; side < 2; side++) {
        struct node *node = &world.node[wire->node[side]];
        wire->number[side] = free_number(node);
        node->wire_of[wire->number[side]] = 2 * at + side;
    }
    uint8_t challenge[WX_CHALLENGE];
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < WX_CHALLENGE; i++)
            challenge[i] = (uint8_t)draw();
        wx_session_connected(world.node[wire->node[side]].session, world.now, wire->number[side],
                             side == 0 ? called : WX_NOBODY, challenge);
    }
}

static bool calling(uint32_t from, uint32_t peer)
{
    for (uint32_t i = 0; i < WIRES_MAX; i++)
        if (world.wire[i].used && world.wire[i].open[0] && world.wire[i].node[0] == from &&
            world.node[world.wire[i].node[1]].config.self == peer)
            return true;
    return false;
}

static bool lives(const struct node *node)
{
    return node->session && !node->over && world.now >= node->frozen_until;
}

/* Process `at` calls those with lower ids that it misses. */
static void dial(uint32_t at)
{
    struct node *node = &world.node[at];
    for (uint32_t peer = 0; peer < node->config.self; peer++) {
        if (world.now < node->dial_at[peer] || !wx_session_wants(node->session, peer) ||
            calling(at, peer))
            continue;
        node->dial_at[peer] = world.now + 10000 + below(500000);
        struct node *other = &world.node[peer];
        if (other->session && !other->over)
            connect_nodes(at, peer, peer);
        else
            wx_session_waiting(node->session, world.now, peer, "Connection refused");
        if (node->over)
            return;
    }
}

/* Hands `side` some of the bytes that have come. */
static void deliver(struct wire *wire, uint32_t side)
{
    struct node *node = &world.node[wire->node[side]];
    if (!wire->open[side] || world.now < wire->ready[side] || !lives(node))
        return;
    struct wx_buf *in = &wire->to[side];
    size_t visible = in->len == 0 ? 0 : 1 + below((uint32_t)in->len);
    if (below(3))
        visible = in->len;
    size_t at = 0;
    while (wire->used && wire->open[side] && !node->over) {
        struct wx_message message;
        struct wx_error err;
        size_t used;
        uint32_t number = wire->number[side];
        int rc =
            wx_message_read(in->data + at, visible - at, wire->greeted[side],
                            wx_session_message_max(node->session, number), &message, &used, &err);
        CHECK(rc >= 0, "our own bytes make no sense: %s", SEED, err.text);
        if (rc == 0)
            break;
        wire->greeted[side] = true;
        at += used;
        wx_session_message(node->session, world.now, number, &message);
    }
    if (wire->used && wire->open[side])
        wx_buf_consume(in, at);
    wire->ready[side] = world.now + below(10000);
    if (wire->used && wire->open[side] && in->len == 0 && wire->ends[side] && !node->over) {
        uint32_t number = wire->number[side];
        close_side(wire, side);
        wx_session_closed(node->session, world.now, number, "the connection was closed");
    }
}

static bool all_ended(void)
{
    for (uint32_t i = 0; i < world.nodes; i++)
        for (uint32_t w = 0; w < world.node[i].config.workers; w++)
            if (!world.node[i].worker[w].ended)
                return false;
    return true;
}

/* A worker closes epochs, passes them, comes to its end; the markers it waits for are those of all
 * others. */
static void run_worker(struct node *node, struct worker *worker)
{
    struct wx_message_worker *status = &worker->status;
    status->turns++;
    if (node->stop == WX_STOP_DRAIN && !worker->draining) {
        worker->draining = true; /* it closes the epoch it is in */
        node->close_below =
            node->close_below > worker->open + 1 ? node->close_below : worker->open + 1;
    } else if (below(40) == 0 && worker->open < node->committed + 3 && !worker->ended &&
               !node->stop) {
        node->close_below =
            node->close_below > worker->open + 1 ? node->close_below : worker->open + 1;
    }
    if (node->close_below > worker->open)
        worker->open = node->close_below;
    worker->ended |= world.now >= world.end_input && node->stop == WX_STOP_NO;
    uint64_t reach = worker->open - 1;
    for (uint32_t i = 0; i < world.nodes; i++)
        for (uint32_t w = 0; w < WORKERS; w++)
            if (world.node[i].started && world.node[i].worker[w].open - 1 < reach)
                reach = world.node[i].worker[w].open - 1;
            else if (!world.node[i].started)
                reach = 0;
    if (status->passed != WX_EPOCH_END && reach > status->passed && below(3) == 0)
        status->passed = reach;
    if (all_ended() && below(5) == 0) {
        status->passed = WX_EPOCH_END;
        status->state = WX_WORKER_FINISHED;
    } else if (node->stop && status->passed + 1 >= worker->open &&
               worker->open == node->close_below && status->passed != WX_EPOCH_END) {
        status->state = WX_WORKER_STOPPED;
    }
}

static void run_workers(struct node *node)
{
    struct wx_message_worker workers[WORKERS];
    struct wx_session_local local = {.workers = workers};
    bool may_go = node->committed == WX_EPOCH_END || node->stop == WX_STOP_NOW;
    for (uint32_t w = 0; w < WORKERS; w++) {
        if (!may_go)
            run_worker(node, &node->worker[w]);
        workers[w] = node->worker[w].status;
        local.open = node->worker[w].open > local.open ? node->worker[w].open : local.open;
    }
    local.close_below = node->close_below;
    wx_session_local(node->session, world.now, &local);
    if (may_go && !node->said_done && !node->over && below(4) == 0) {
        node->said_done = true;
        wx_session_done(node->session, world.now);
    }
}

static void break_a_wire(void)
{
    struct wire *wire = &world.wire[below(WIRES_MAX)];
    for (uint32_t i = 0; i < world.nodes; i++)
        if (world.node[i].started)
            return;
    if (!wire->used)
        return;
    for (uint32_t side = 0; side < 2; side++) {
        struct node *node = &world.node[wire->node[side]];
        uint32_t number = wire->number[side];
        if (!wire->open[side])
            continue;
        close_side(wire, side);
        if (!node->over)
            wx_session_closed(node->session, world.now, number, "the connection broke");
    }
}

static void step(void)
{
    world.now += 1000 + below(20000);
    if (world.cut && below(1000) < world.cut)
        for (uint32_t i = 0; i < 20; i++)
            break_a_wire();
    uint32_t first = below(WIRES_MAX);
    for (uint32_t i = 0; i < WIRES_MAX; i++) {
        struct wire *wire = &world.wire[(first + i) % WIRES_MAX];
        if (wire->used)
            deliver(wire, 0);
        if (wire->used)
            deliver(wire, 1);
    }
    for (uint32_t i = 0; i < 2 * NODES_MAX; i++) {
        struct node *node = &world.node[i];
        if (lives(node) && world.now >= wx_session_next_tick(node->session))
            wx_session_tick(node->session, world.now);
        if (lives(node))
            dial(i);
        if (lives(node) && node->started)
            run_workers(node);
        if (node->session && node->over)
            close_all(node);
    }
}

static void run_for(wax_duration duration)
{
    for (wax_time end = world.now + duration; world.now < end;)
        step();
}

static bool all_over(void)
{
    for (uint32_t i = 0; i < 2 * NODES_MAX; i++)
        if (world.node[i].session && !world.node[i].over)
            return false;
    return true;
}

/* Nobody hangs: everything is over within `most`. */
static void run_to_the_end(wax_duration most)
{
    wax_time end = world.now + most;
    while (!all_over()) {
        step();
        for (uint32_t i = 0; i < 2 * NODES_MAX && world.now > end; i++)
            CHECK(!world.node[i].session || world.node[i].over,
                  "process %u hangs%s; it has said: %s", SEED, i,
                  world.node[i].started ? " in its run" : "", world.node[i].log);
    }
}

/* The process dies; `silent`: as a machine does, without a word to the others. */
static void kill_node(uint32_t at, bool silent)
{
    struct node *node = &world.node[at];
    for (uint32_t i = 0; i < WIRES_MAX; i++) {
        struct wire *wire = &world.wire[i];
        for (uint32_t side = 0; side < 2; side++) {
            if (!wire->used || wire->node[side] != at)
                continue;
            if (below(2))
                wire->to[1 - side].len = 0; /* what was on its way may be lost */
            close_side(wire, side);
            if (silent)
                wire->ends[1 - side] = false;
        }
    }
    wx_session_destroy(node->session);
    node->session = NULL;
}

static void until_started(uint32_t n)
{
    for (uint32_t steps = 0; steps < 20000; steps++) {
        uint32_t started = 0;
        for (uint32_t i = 0; i < world.nodes; i++)
            started += world.node[i].started;
        if (started >= n)
            return;
        step();
    }
    CHECK(false, "the cluster has not started; process 0 has said: %s", SEED, world.node[0].log);
}

static void expect(uint32_t at, int exit_code, const char *said)
{
    struct node *node = &world.node[at];
    CHECK(node->over && node->exit_code == exit_code,
          "process %u has %d instead of %d; it said: %s", SEED, at, node->exit_code, exit_code,
          node->log);
    CHECK(strstr(node->log, said), "process %u has not said '%s' but: %s", SEED, at, said,
          node->log);
}

/* ---- good runs ----------------------------------------------------------------------------------
 */

Test(session, starts_runs_and_ends)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        new_world(seed, 1 + (uint32_t)(seed % NODES_MAX));
        begin_all();
        world.end_input = world.now + wax_millis(1 + below(4000));
        run_to_the_end(wax_seconds(60));
        for (uint32_t i = 0; i < world.nodes; i++) {
            expect(i, WX_EXIT_OK, "");
            CHECK(world.node[i].committed == WX_EPOCH_END, "process %u ended too early", SEED, i);
        }
    }
}

/*
 * Connections break, processes come late, die and come again, until all are there. A loss between
 * the promises and START may end the session, but then for all.
 */
Test(session, starts_through_all_kinds_of_trouble)
{
    uint32_t ended = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        new_world(seed, 2 + (uint32_t)(seed % (NODES_MAX - 1)));
        world.cut = below(60);
        uint32_t late = below(world.nodes);
        for (uint32_t i = 0; i < world.nodes; i++)
            if (i != late)
                begin(start_node(i, i));
        for (uint32_t n = below(4); n > 0; n--) {
            run_for(wax_millis(below(3000)));
            uint32_t victim = below(world.nodes);
            if (victim == late || below(2))
                continue;
            kill_node(victim, below(2));
            run_for(wax_millis(below(300)));
            begin(start_node(victim, victim));
        }
        begin(start_node(late, late));
        world.end_input = world.now + wax_seconds(30);
        run_to_the_end(wax_seconds(200));
        bool good = world.node[0].exit_code == WX_EXIT_OK;
        ended += !good;
        for (uint32_t i = 0; i < world.nodes; i++)
            expect(i, good ? WX_EXIT_OK : WX_EXIT_PEER, "");
    }
    cr_expect_lt(ended, 20, "%u of 400 runs were ended by trouble at their start", ended);
}

Test(session, says_who_is_waited_for_once)
{
    new_world(1, 3);
    begin(start_node(1, 1));
    run_for(wax_seconds(30));
    const char *log = world.node[1].log;
    cr_expect_str_eq(log,
                     "waiting for process 0 at 'a:1': Connection refused\n"
                     "waiting for process 2 at 'c:3': it has not called yet\n",
                     "%s", log);
    begin(start_node(0, 0));
    begin(start_node(2, 2));
    world.end_input = world.now + wax_seconds(5);
    run_to_the_end(wax_seconds(60));
    cr_expect(strstr(log, "process 0 at 'a:1' is there\n"), "%s", log);
    cr_expect(strstr(log, "process 2 at 'c:3' is there\n"), "%s", log);
    cr_expect(strstr(log, "all 3 processes are there\n"), "%s", log);
}

/* ---- who does not fit ---------------------------------------------------------------------------
 */

static void other_workers(struct wx_session_config *config)
{
    config->workers = 1;
}
static void other_list(struct wx_session_config *config)
{
    config->address_list = "a:1;b:2";
}
static void other_flow(struct wx_session_config *config)
{
    config->flow = "complex";
}
static void other_plan(struct wx_session_config *config)
{
    config->plan_hash = 43;
}
static void other_code(struct wx_session_config *config)
{
    config->module_hash = "def";
}
static void other_secret(struct wx_session_config *config)
{
    config->secret = "battery";
    config->secret_len = 7;
}
static void no_secret(struct wx_session_config *config)
{
    config->secret_len = 0;
}
static void other_param(struct wx_session_config *config)
{
    static const char *const other[] = {"n=8", "path=x"};
    config->params = other;
}
static void one_param_less(struct wx_session_config *config)
{
    config->param_count = 1;
}
static void another_param(struct wx_session_config *config)
{
    static const char *const other[] = {"n=7", "new=1", "path=x"};
    config->params = other;
    config->param_count = 3;
}
static void nothing_else(struct wx_session_config *config)
{
    (void)config;
}

static const struct mismatch {
    void (*change)(struct wx_session_config *config); /* of process 1 */
    bool secret;                                      /* the others have one */
    uint32_t version;
    const char *said0, *said1;
} mismatches[] = {
    {other_workers, false, 0,
     "process 1 at 'b:2' runs with -w1 and this process with -w2: give all the same -w",
     "process 0 at 'a:1' runs with -w2 and this process with -w1"},
    {other_list, false, 0,
     "process 1 at 'b:2' has the address list 'a:1;b:2' and this process 'a:1;b:2;c:3'",
     "process 0 at 'a:1' has the address list 'a:1;b:2;c:3' and this process 'a:1;b:2'"},
    {other_flow, false, 0, "process 1 at 'b:2' runs dataflow 'complex' and this process 'simple'",
     "process 0 at 'a:1' runs dataflow 'simple' and this process 'complex'"},
    {other_plan, false, 0,
     "with other steps or types (000000000000002b) than this process (000000000000002a)",
     "(000000000000002a) than this process (000000000000002b)"},
    {other_code, false, 0,
     "process 1 at 'b:2' runs other code for dataflow 'simple' (def) than this process (abc)",
     "(abc) than this process (def)"},
    {other_param, false, 0, "process 1 at 'b:2' has '8' for parameter 'n' and this process '7'",
     "process 0 at 'a:1' has '7' for parameter 'n' and this process '8'"},
    {one_param_less, false, 0, "has none for parameter 'path' and this process 'x'",
     "has 'x' for parameter 'path' and this process none"},
    {another_param, false, 0, "has '1' for parameter 'new' and this process none",
     "has none for parameter 'new' and this process '1'"},
    {other_secret, true, 0, "process 1 at 'b:2' has another secret than this process",
     "process 0 at 'a:1' has another secret than this process"},
    {other_secret, false, 0, "process 1 at 'b:2' runs with a secret and this process without one",
     "process 0 at 'a:1' runs without a secret and this process with one"},
    {no_secret, true, 0, "process 1 at 'b:2' runs without a secret and this process with one",
     "process 0 at 'a:1' runs with a secret and this process without one"},
    {nothing_else, false, 9,
     "process 1 at 'b:2' speaks version 9 of the protocol and this process version 1", ""},
};

static void give_secret(struct node *node, const struct mismatch *m)
{
    node->config.secret = "correct horse";
    node->config.secret_len = m->secret ? 13 : 0;
}

Test(session, both_sides_name_what_differs)
{
    for (size_t i = 0; i < sizeof mismatches / sizeof mismatches[0]; i++) {
        const struct mismatch *m = &mismatches[i];
        for (uint64_t seed = 1; seed <= 20; seed++) {
            new_world(seed * 100 + i, 2);
            world.version = m->version;
            for (uint32_t k = 0; k < 2; k++)
                give_secret(start_node(k, k), m);
            m->change(&world.node[1].config);
            begin(&world.node[seed % 2]);
            run_for(wax_millis(below(2000)));
            begin(&world.node[1 - seed % 2]);
            if (m->version) { /* the other side sees our version, which is right: only it is refused
                               */
                run_for(wax_seconds(20));
                expect(0, WX_EXIT_MISMATCH, m->said0);
                continue;
            }
            run_to_the_end(wax_seconds(30));
            expect(0, WX_EXIT_MISMATCH, m->said0);
            expect(1, WX_EXIT_MISMATCH, m->said1);
        }
    }
}

/* A third process, which fits, is told and does not wait for ever; one that comes to a running
 * cluster leaves. */
Test(session, a_mismatch_ends_the_joining_but_not_the_running)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        new_world(seed, 3);
        for (uint32_t i = 0; i < 3; i++)
            start_node(i, i);
        other_workers(&world.node[1].config);
        begin(&world.node[0]);
        begin(&world.node[2]);
        run_for(wax_seconds(2));
        begin(&world.node[1]);
        run_to_the_end(wax_seconds(30));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_MISMATCH, "-w1");

        new_world(seed, 3);
        begin_all();
        until_started(3);
        other_param(&start_node(NODES_MAX, 2)->config);
        begin(&world.node[NODES_MAX]);
        connect_nodes(NODES_MAX, 0, 0);
        run_for(wax_seconds(5));
        expect(NODES_MAX, WX_EXIT_MISMATCH, "has '7' for parameter 'n' and this process '8'");
        world.end_input = world.now;
        run_to_the_end(wax_seconds(60));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_OK, "");
    }
}

Test(session, of_two_with_one_id_the_living_stays)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        bool running = seed % 2;
        new_world(seed, 3);
        if (running) {
            begin_all();
            until_started(3);
        } else {
            begin(start_node(0, 0));
            begin(start_node(1, 1));
            run_for(wax_seconds(3));
        }
        begin(start_node(NODES_MAX, 1));
        run_for(wax_seconds(5));
        expect(NODES_MAX, WX_EXIT_NETWORK,
               "process 1 at 'b:2' is in the cluster already: another process has the same -i 1");
        if (!running)
            begin(start_node(2, 2));
        world.end_input = world.now + wax_seconds(1);
        run_to_the_end(wax_seconds(60));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_OK, "");
    }
}

/* The other way round: a process that died without a word is replaced by its successor. */
Test(session, the_dead_does_not_keep_its_place)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        new_world(seed, 3);
        begin(start_node(0, 0));
        begin(start_node(1, 1));
        run_for(wax_seconds(3));
        kill_node(1, true);
        begin(start_node(1, 1));
        run_for(wax_seconds(below(20)));
        begin(start_node(2, 2));
        world.end_input = world.now + wax_seconds(20);
        run_to_the_end(wax_seconds(100));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_OK, "");
    }
}

Test(session, a_process_at_the_wrong_address_is_told)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        new_world(seed, 3);
        begin(start_node(0, 0));
        begin(start_node(2, 2));
        run_for(wax_seconds(1));
        begin(start_node(NODES_MAX, 0)); /* it should be process 1: process 2 calls it there */
        connect_nodes(2, NODES_MAX, 1);
        run_for(wax_seconds(2));
        expect(NODES_MAX, WX_EXIT_NETWORK,
               "process 0 answers at 'b:2', which is the address of process 1");
        CHECK(!world.node[2].over, "process 2 has stopped: %s", SEED, world.node[2].log);
        begin(start_node(NODES_MAX + 1, 0)); /* it calls its own address and finds process 0 */
        connect_nodes(NODES_MAX + 1, 0, 0);
        run_for(wax_seconds(2));
        expect(NODES_MAX + 1, WX_EXIT_NETWORK, "another process runs as process 0 at 'a:1'");
        begin(start_node(1, 1));
        connect_nodes(0, 0, 0); /* who reaches itself says nothing */
        world.end_input = world.now + wax_seconds(2);
        run_to_the_end(wax_seconds(60));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_OK, "");
    }
}

/* ---- ends ---------------------------------------------------------------------------------------
 */

Test(session, a_failure_stops_all_with_its_reason)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        new_world(seed, 2 + (uint32_t)(seed % (NODES_MAX - 1)));
        begin_all();
        until_started(1);
        run_for(wax_millis(below(3000)));
        uint32_t who = below(world.nodes);
        while (!world.node[who].started)
            who = below(world.nodes);
        wx_session_fail(world.node[who].session, world.now, WX_EXIT_FAILED, "step 'x' is broken");
        run_to_the_end(wax_seconds(30));
        for (uint32_t i = 0; i < world.nodes; i++)
            expect(i, WX_EXIT_FAILED, "step 'x' is broken");
    }
}

Test(session, a_lost_process_is_named)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        bool silent = seed % 3 == 0;
        new_world(seed, 2 + (uint32_t)(seed % (NODES_MAX - 1)));
        begin_all();
        until_started(world.nodes);
        run_for(wax_millis(below(3000)));
        uint32_t who = below(world.nodes);
        char name[40];
        snprintf(name, sizeof name, "process %u at '%s' was lost", who, addresses[who]);
        kill_node(who, silent);
        wax_time began = world.now;
        run_to_the_end(wax_seconds(30));
        CHECK(world.now - began < wax_seconds(14), "it took %lld s", SEED,
              (long long)(world.now - began) / 1000000);
        for (uint32_t i = 0; i < world.nodes; i++)
            if (i != who)
                expect(i, WX_EXIT_PEER, name);
    }
}

/* Stopped for longer than the time-out, and continued: it must see by itself that it was given up.
 */
Test(session, who_slept_too_long_leaves)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        new_world(seed, 3);
        begin_all();
        until_started(3);
        run_for(wax_millis(below(1000)));
        uint32_t who = below(3);
        bool brief = seed % 2;
        world.node[who].frozen_until = world.now + wax_seconds(brief ? 7 : 20);
        run_for(wax_seconds(21));
        if (brief) {
            world.end_input = world.now;
            run_to_the_end(wax_seconds(60));
            for (uint32_t i = 0; i < 3; i++)
                expect(i, WX_EXIT_OK, "");
            continue;
        }
        run_to_the_end(wax_seconds(30));
        for (uint32_t i = 0; i < 3; i++)
            expect(i, WX_EXIT_PEER,
                   i == who ? "this process was stopped for" : "nothing was heard from it");
    }
}

Test(session, a_signal_stops_all_cleanly)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        new_world(seed, 1 + (uint32_t)(seed % NODES_MAX));
        begin_all();
        until_started(world.nodes);
        if (seed % 5 == 0) /* the input may end at the same time */
            world.end_input = world.now + wax_millis(below(2000));
        run_for(wax_millis(below(2000)));
        uint32_t who = below(world.nodes);
        int number = seed % 2 ? SIGTERM : SIGINT;
        bool was_over = world.node[who].over;
        wx_session_signal(world.node[who].session, world.now, number);
        run_to_the_end(wax_seconds(60));
        bool ended = world.node[0].exit_code == WX_EXIT_OK;
        CHECK(!ended || seed % 5 == 0, "the input had not ended", SEED);
        for (uint32_t i = 0; i < world.nodes; i++) {
            int code = ended ? WX_EXIT_OK : i == who ? 128 + number : WX_EXIT_PEER;
            expect(i, code, ended || was_over ? "" : number == SIGTERM ? "SIGTERM" : "SIGINT");
            CHECK(code != WX_EXIT_OK || world.node[i].committed == WX_EPOCH_END,
                  "process %u says that its input ended", SEED, i);
        }
    }
}

Test(session, a_signal_before_the_start_stops_one)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        new_world(seed, 3);
        begin_all();
        while (!world.node[0].started && below(8))
            step();
        uint32_t who = below(3);
        bool running = world.node[who].started;
        wx_session_signal(world.node[who].session, world.now, SIGTERM);
        run_for(wax_seconds(3));
        expect(who, 143, "SIGTERM");
        if (running)
            continue;
        bool anybody = world.node[0].started || world.node[1].started || world.node[2].started;
        if (!anybody) {
            begin(start_node(who, who));
            world.end_input = world.now + wax_seconds(10);
        }
        run_to_the_end(wax_seconds(60));
        for (uint32_t i = 0; i < 3; i++)
            if (i != who || !anybody)
                expect(i, anybody ? WX_EXIT_PEER : WX_EXIT_OK, "");
    }
}

Test(session, the_second_signal_does_not_wait)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        new_world(seed, 3);
        begin_all();
        until_started(3);
        uint32_t who = below(3);
        wx_session_signal(world.node[who].session, world.now, SIGINT);
        wx_session_signal(world.node[who].session, world.now, SIGINT);
        expect(who, 130, "stopped by SIGINT at once");
        run_to_the_end(wax_seconds(20));
        for (uint32_t i = 0; i < 3; i++)
            if (i != who)
                expect(i, WX_EXIT_PEER, "SIGINT");
    }
}

/* A data connection breaks: the reason that follows counts, or, after a second, the break itself.
 */
Test(session, a_broken_link_waits_for_its_reason)
{
    new_world(1, 2);
    begin_all();
    until_started(2);
    wx_session_link_broken(world.node[0].session, world.now, 1, "the connection was closed");
    wx_session_fail(world.node[1].session, world.now, WX_EXIT_FAILED, "no more disk");
    run_to_the_end(wax_seconds(10));
    expect(0, WX_EXIT_FAILED, "process 1 at 'b:2' has failed: no more disk");

    new_world(2, 2);
    begin_all();
    until_started(2);
    wx_session_link_broken(world.node[0].session, world.now, 1, "it sent more than its credit");
    run_to_the_end(wax_seconds(10));
    expect(0, WX_EXIT_PEER, "process 1 at 'b:2' was lost: it sent more than its credit");
    expect(1, WX_EXIT_PEER, "it sent more than its credit");
    new_world(3, 1);
}
