/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster. An actor is a worker (or, when that has ended, what serves its sockets) or
 * the control of a process. Each step of the schedule takes one of the actors that have something
 * to do, at random, and lets it take one turn. A worker that said it is idle sleeps until something
 * wakes it, by the same paths as in earnest: its waker, its sockets, or its deadline. When
 * everybody sleeps, the clock goes to the next thing that will happen; when nothing will, and
 * workers are left, they wait for each other.
 */
#include "sim/cluster.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"
#include "sim/control.h"
#include "sim/memory.h"

#define TURNS_MAX 3000000u         /* a run that takes more goes round in circles */
#define CLOCK_MAX 10000000000000   /* and so does one that takes months */
#define START     1700000000000000 /* a wax_time */

struct actor {
    struct wx_waker waker; /* first */
    struct wx_worker *worker;
    struct wx_pool *pool;
    struct sim_net *net;
    struct wx_outlet **outlets;
    struct wx_inlet **inlets;
    struct sim_cluster *cluster;
    uint32_t index;
    bool awake, finished;
    wax_time deadline;   /* while asleep */
    wax_time busy_until; /* a body takes its time */
    uint32_t laziness;   /* it is passed over so many times out of 8 */
};

struct sim_cluster {
    const struct sim_setup *setup;
    const struct sim_graph *graph;
    struct sim_io *io;
    struct sim_result *result;
    struct sim_random random;
    wax_time now;
    uint32_t workers;
    wax_flow *flow;
    struct wx_plan *plan;
    uint32_t edges;
    struct sim_control *control; /* [processes] */
    struct sim_controls controls;
    struct wx_worker_status *status; /* [workers] */
    struct actor *actor;             /* [workers] */
    struct wx_ring **ring;           /* [edge][from][to], NULL between processes */
    struct sim_tap *tap;             /* the same */
    struct sim_mischief mischief;
    bool told; /* `end` was asked for */
};

static struct sim_cluster
    *current; /* of this thread of tests: callbacks of io have no argument for it */

const char *sim_bug_name(enum sim_bug bug)
{
    static const char *const names[SIM_BUGS] = {
        "none",         "batch lost",      "batch delivered twice", "batches swapped",
        "marker early", "batch misrouted", "commit early",          "wake-up lost",
        "batch leaked", "credit ignored"};
    return names[bug];
}

/* ---- callbacks
 * --------------------------------------------------------------------------------------- */

static wax_time read_clock(void *arg)
{
    return ((struct sim_cluster *)arg)->now;
}

static void on_wake(struct wx_waker *waker)
{
    struct actor *actor = (struct actor *)(void *)waker;
    struct sim_cluster *c = actor->cluster;
    if (!actor->awake && sim_mischief_now(&c->mischief, SIM_DEAF))
        return;
    actor->awake = true;
}

static void on_notify(struct wx_shared *shared)
{
    ((struct sim_control *)(void *)shared)->dirty = true;
}

static void on_busy(struct sim_io *io, uint32_t worker, wax_duration us)
{
    (void)io;
    struct actor *actor = &current->actor[worker];
    wax_time from = actor->busy_until > current->now ? actor->busy_until : current->now;
    actor->busy_until = from + us;
}

static bool on_all_passed(struct sim_io *io, uint64_t epoch)
{
    (void)io;
    for (uint32_t i = 0; i < current->workers; i++)
        if (atomic_load(&current->status[i].passed) < epoch)
            return false;
    return true;
}

static void on_fault(struct sim_io *io, const char *text)
{
    (void)io;
    if (!current->result->fault)
        current->result->fault = wx_strdup(text);
}

static void fault(struct sim_cluster *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void fault(struct sim_cluster *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (!c->result->fault && vasprintf(&c->result->fault, fmt, args) < 0)
        abort();
    va_end(args);
}

/* ---- wiring
 * ---------------------------------------------------------------------------------------------- */

static uint32_t process_of(const struct sim_cluster *c, uint32_t worker)
{
    return worker / c->setup->workers;
}

static size_t channel(const struct sim_cluster *c, uint32_t edge, uint32_t from, uint32_t to)
{
    return ((size_t)edge * c->workers + from) * c->workers + to;
}

/* The socket of a worker for its peer: peers are the workers of other processes, in order. */
static uint32_t socket_for(const struct sim_cluster *c, uint32_t worker, uint32_t peer)
{
    return peer > worker ? peer - c->setup->workers : peer;
}

static void make_net(struct sim_cluster *c, uint32_t worker)
{
    const struct wx_shape **shapes = wx_calloc(c->edges, sizeof *shapes);
    for (uint32_t i = 0; i < c->edges; i++)
        shapes[i] = wx_plan_edge_shape(c->plan, i);
    bool no_credit = c->setup->bug == SIM_NO_CREDIT;
    c->mischief.used |= no_credit && c->edges > 0;
    struct wx_link_config links = {
        .edges = c->edges,
        .shapes = shapes,
        .pool = c->actor[worker].pool,
        .credit = no_credit                          ? UINT64_MAX / 4
                  : c->setup->credit < WX_CREDIT_MIN ? WX_CREDIT_MIN
                                                     : c->setup->credit,
        .item_max = 2 * (SIM_RECORD_MAX + SIM_FANOUT_MAX) + WX_FRAME_MAX,
    };
    c->actor[worker].net = sim_net_create(c->workers - c->setup->workers, &links, &c->random,
                                          &c->now, &c->setup->wire);
    free(shapes);
}

static void make_channel(struct sim_cluster *c, uint32_t edge, uint32_t from, uint32_t to)
{
    struct actor *sender = &c->actor[from], *receiver = &c->actor[to];
    size_t at = channel(c, edge, from, to);
    struct wx_outlet *outlet;
    struct wx_inlet *inlet;
    if (process_of(c, from) == process_of(c, to)) {
        c->ring[at] = wx_ring_create(c->setup->credit, &receiver->waker, &sender->waker);
        outlet = wx_ring_outlet(c->ring[at]);
        inlet = wx_ring_inlet(c->ring[at]);
    } else {
        outlet = wx_link_outlet(sim_net_link(sender->net, socket_for(c, from, to)), edge);
        inlet = wx_link_inlet(sim_net_link(receiver->net, socket_for(c, to, from)), edge);
    }
    struct sim_tap *tap = &c->tap[at];
    *tap = (struct sim_tap){.io = c->io,
                            .random = &c->random,
                            .mischief = &c->mischief,
                            .pool = receiver->pool,
                            .edge = edge,
                            .sender = from,
                            .receiver = to};
    sim_tap_init(tap, outlet, inlet);
    if (to > 0)
        tap->neighbour = &c->tap[channel(c, edge, from, to - 1)];
    sender->outlets[edge * c->workers + to] = &tap->outlet;
    receiver->inlets[edge * c->workers + from] = &tap->inlet;
}

static void make_channels(struct sim_cluster *c)
{
    size_t n = (size_t)c->edges * c->workers * c->workers;
    c->ring = wx_calloc(n, sizeof *c->ring);
    c->tap = wx_calloc(n, sizeof *c->tap);
    for (uint32_t i = 0; i < c->workers && c->setup->processes > 1; i++)
        make_net(c, i);
    for (uint32_t i = 0; i < c->workers && c->setup->processes > 1; i++)
        for (uint32_t k = 0; k < i; k++)
            if (process_of(c, i) != process_of(c, k))
                sim_net_connect(c->actor[i].net, socket_for(c, i, k), c->actor[k].net,
                                socket_for(c, k, i));
    for (uint32_t edge = 0; edge < c->edges; edge++)
        for (uint32_t from = 0; from < c->workers; from++)
            for (uint32_t to = 0; to < c->workers; to++)
                make_channel(c, edge, from, to);
}

static void make_processes(struct sim_cluster *c)
{
    uint32_t processes = c->setup->processes, workers = c->setup->workers;
    c->status = aligned_alloc(64, c->workers * sizeof *c->status);
    WX_ASSERT(c->status);
    memset(c->status, 0, c->workers * sizeof *c->status);
    c->control = aligned_alloc(64, (processes * sizeof *c->control + 63) & ~(size_t)63);
    WX_ASSERT(c->control);
    memset(c->control, 0, processes * sizeof *c->control);
    for (uint32_t i = 0; i < processes; i++) {
        struct sim_control *control = &c->control[i];
        control->index = i;
        control->processes = processes;
        control->shared.workers_here = workers;
        control->shared.workers_total = c->workers;
        control->shared.first_worker = i * workers;
        control->shared.epoch_interval = c->setup->epoch_interval;
        control->shared.status = c->status + i * workers;
        control->shared.wakers = control->wakers;
        control->shared.notify = on_notify;
        for (uint32_t k = 0; k < workers; k++)
            control->wakers[k] = &c->actor[i * workers + k].waker;
    }
    c->controls = (struct sim_controls){.of = c->control,
                                        .n = processes,
                                        .random = &c->random,
                                        .delay = c->setup->message_delay,
                                        .mischief = &c->mischief};
}

static void make_workers(struct sim_cluster *c)
{
    for (uint32_t i = 0; i < c->workers; i++) {
        struct actor *actor = &c->actor[i];
        struct wx_worker_config config = {
            .plan = c->plan,
            .shared = &c->control[process_of(c, i)].shared,
            .index = i,
            .limits = {.record_max = SIM_RECORD_MAX,
                       .fanout_max = SIM_FANOUT_MAX,
                       .channel_max = c->setup->credit},
            .now = read_clock,
            .now_arg = c,
            .net = actor->net ? sim_net_of_worker(actor->net) : NULL,
            .outlets = actor->outlets,
            .inlets = actor->inlets,
            .pool = actor->pool,
        };
        actor->worker = wx_worker_create(&config);
    }
}

/* False: the graph was refused. */
static bool make(struct sim_cluster *c)
{
    struct wx_error err;
    c->flow = sim_graph_build(c->graph, c->io, &err);
    if (!c->flow) {
        fault(c, "the graph was refused: %s", err.text);
        return false;
    }
    c->plan = wx_plan_create(c->flow, c->workers);
    c->edges = wx_plan_edges(c->plan);
    c->actor = wx_calloc(c->workers, sizeof *c->actor);
    for (uint32_t i = 0; i < c->workers; i++) {
        struct actor *actor = &c->actor[i];
        actor->waker.wake = on_wake;
        actor->pool = wx_pool_create();
        actor->outlets = wx_calloc(c->edges * c->workers, sizeof(struct wx_outlet *));
        actor->inlets = wx_calloc(c->edges * c->workers, sizeof(struct wx_inlet *));
        actor->cluster = c;
        actor->index = i;
        actor->awake = true;
        actor->laziness = sim_once_in(&c->random, 3) ? sim_below(&c->random, 8) : 0;
    }
    make_channels(c);
    make_processes(c);
    make_workers(c);
    return true;
}

/* ---- taking it apart, with the checks that belong there
 * ------------------------------------------------------- */

static void check_pools(struct sim_cluster *c)
{
    double closest = -1;
    for (uint32_t i = 0; i < c->workers; i++) {
        struct wx_pool *pool = c->actor[i].pool;
        double bound = sim_memory_bound(c->plan, c->graph, i, c->setup->workers, c->setup->credit);
        size_t peak = wx_pool_peak(pool);
        if ((double)peak > bound)
            fault(c, "worker %u had %zu bytes in batches: the formula allows %.0f", i, peak, bound);
        if ((double)peak / bound > closest) {
            closest = (double)peak / bound;
            c->result->peak = peak;
            c->result->bound = (size_t)bound;
        }
    }
}

static void check_leaks(struct sim_cluster *c)
{
    for (uint32_t i = 0; i < c->workers; i++) {
        /* What others have sent back is still on its way: an allocation takes it in. */
        struct wx_pool *pool = c->actor[i].pool;
        wx_batch_put(pool, wx_batch_marker(pool, 1));
        if (wx_pool_used(pool) != 0)
            fault(c, "%zu bytes of batches of worker %u were never released", wx_pool_used(pool),
                  i);
    }
    for (uint32_t i = 0; i < c->graph->nodes * c->workers; i++)
        if (c->io->sunk[i].open)
            fault(c, "sink '%s' was not closed", c->graph->node[i / c->workers].id);
}

static void unmake(struct sim_cluster *c)
{
    size_t channels = (size_t)c->edges * c->workers * c->workers;
    for (uint32_t i = 0; i < c->workers && c->actor; i++)
        wx_worker_destroy(c->actor[i].worker);
    for (size_t i = 0; i < channels && c->tap; i++) {
        sim_tap_fini(&c->tap[i], c->actor[0].pool);
        wx_ring_destroy(c->ring[i], c->actor[0].pool);
    }
    for (uint32_t i = 0; i < c->workers && c->actor; i++)
        sim_net_destroy(c->actor[i].net);
    if (c->actor) {
        check_pools(c);
        check_leaks(c);
    }
    for (uint32_t i = 0; i < c->workers && c->actor; i++) {
        wx_pool_destroy(c->actor[i].pool);
        free(c->actor[i].outlets);
        free(c->actor[i].inlets);
    }
    for (uint32_t i = 0; i < c->setup->processes && c->control; i++)
        free(c->control[i].inbox);
    free(c->control);
    free(c->status);
    free(c->actor);
    free(c->ring);
    free(c->tap);
    wx_plan_destroy(c->plan);
    wx_flow_destroy(c->flow);
}

/* ---- a deadlock: what everybody waits for
 * --------------------------------------------------------------------------- */

static void print_step(const struct wx_step *step, FILE *to)
{
    static const char *const kinds[] = {"source",  "kernel", "inspect", "key",   "unkey", "merge",
                                        "combine", "send",   "receive", "final", "sink"};
    fprintf(to, "    %-8s %-12s passed %" PRIu64, kinds[step->node->kind], step->node->step->id,
            step->passed);
    if (step->marker)
        fprintf(to, ", passing %" PRIu64, step->marker);
    if (step->pending)
        fprintf(to, ", output pending");
    if (step->batch_n)
        fprintf(to, ", at record %u of %u", step->io.at, step->batch_n);
    for (uint32_t i = 0; i < step->node->slots; i++)
        fprintf(to, "%s%" PRIu64 "%s", i == 0 ? ", slots at " : " ", step->slot[i].passed,
                step->slot[i].batch ? "+batch" : "");
    fprintf(to, "\n");
}

static void describe_deadlock(struct sim_cluster *c)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    fprintf(to, "deadlock after %" PRIu64 " turns: everybody sleeps, nothing will happen\n",
            c->result->turns);
    for (uint32_t i = 0; i < c->workers; i++) {
        const struct wx_worker *worker = c->actor[i].worker;
        fprintf(to, "  worker %u%s: state %u, open %" PRIu64 ", passed %" PRIu64 "\n", i,
                c->actor[i].finished ? " (ended)" : "", atomic_load(&c->status[i].state),
                worker ? worker->open : 0, atomic_load(&c->status[i].passed));
        for (uint32_t k = 0; worker && k < c->plan->nodes; k++)
            print_step(&worker->step[k], to);
    }
    for (uint32_t i = 0; i < c->setup->processes; i++)
        fprintf(to, "  process %u: committed %" PRIu64 ", close below %" PRIu64 ", stop %u\n", i,
                atomic_load(&c->control[i].shared.committed),
                atomic_load(&c->control[i].shared.close_below),
                atomic_load(&c->control[i].shared.stop));
    fclose(to);
    if (!c->result->fault)
        c->result->fault = text;
    else
        free(text);
}

/* ---- the schedule ---------------------------------------------------------------------------- */

/* When the worker, or what serves its sockets, has something to do; 0: now. */
static wax_time actor_wakes_at(const struct actor *actor)
{
    wax_time at = actor->net ? sim_net_wakes_at(actor->net) : INT64_MAX;
    if (!actor->finished && actor->deadline < at)
        at = actor->deadline;
    if (actor->awake)
        at = 0;
    return at > actor->busy_until ? at : actor->busy_until;
}

static wax_time wakes_at(const struct sim_cluster *c, uint32_t i)
{
    return i < c->workers ? actor_wakes_at(&c->actor[i])
                          : sim_control_wakes_at(&c->control[i - c->workers]);
}

/* Somebody who has something to do now, or else the clock moves. UINT32_MAX: nobody ever will. */
static uint32_t choose(struct sim_cluster *c)
{
    uint32_t actors = c->workers + c->setup->processes;
    for (;;) {
        uint32_t ready[SIM_WORKERS_MAX + SIM_PROCESSES_MAX], n = 0;
        wax_time first = INT64_MAX;
        for (uint32_t i = 0; i < actors; i++) {
            wax_time at = wakes_at(c, i);
            first = at < first ? at : first;
            if (at <= c->now)
                ready[n++] = i;
        }
        if (n > 0) {
            uint32_t chosen = ready[sim_below(&c->random, n)];
            if (n > 1 && chosen < c->workers &&
                sim_below(&c->random, 8) < c->actor[chosen].laziness)
                continue;
            return chosen;
        }
        if (first == INT64_MAX)
            return UINT32_MAX;
        c->now = first;
    }
}

/* Sockets are served after the worker has ended, too: others may wait for what it sent. */
static bool serve(struct sim_cluster *c, struct actor *actor)
{
    struct wx_net *net = sim_net_of_worker(actor->net);
    int moved = net->pump(net);
    int wrote = moved < 0 ? -1 : sim_net_flush(actor->net);
    if (wrote < 0)
        fault(c, "a link of worker %u broke: %s", actor->index, sim_net_error(actor->net));
    return moved > 0 || wrote > 0;
}

/* A worker that had come to its end has committed all that it was told to before it leaves. */
static void check_last_commits(struct sim_cluster *c, const struct actor *actor)
{
    uint64_t committed = atomic_load(&c->control[process_of(c, actor->index)].shared.committed);
    for (uint32_t i = 0; i < c->graph->nodes; i++) {
        const struct sim_sunk *sunk = &c->io->sunk[i * c->workers + actor->index];
        if (sunk->committed < (sunk->ready < committed ? sunk->ready : committed))
            fault(c,
                  "sink '%s' leaves with epoch %" PRIu64 " committed, ready %" PRIu64
                  " of %" PRIu64,
                  c->graph->node[i].id, sunk->committed, sunk->ready, committed);
    }
}

static uint32_t run_worker(struct sim_cluster *c, struct actor *actor)
{
    struct wx_wait wait;
    uint32_t before = atomic_load(&c->status[actor->index].state);
    atomic_store(&actor->waker.parked, 0);
    actor->awake = true;
    if (actor->finished) {
        actor->awake = actor->net && serve(c, actor);
        atomic_store(&actor->waker.parked, !actor->awake);
        return 3;
    }
    enum wx_turn turn = wx_worker_turn(actor->worker, &wait);
    if (turn == WX_TURN_FINISHED) {
        if (actor->net && *sim_net_error(actor->net))
            fault(c, "a link of worker %u broke: %s", actor->index, sim_net_error(actor->net));
        if (before == WX_WORKER_STOPPED || before == WX_WORKER_FINISHED)
            check_last_commits(c, actor);
        wx_worker_destroy(actor->worker);
        actor->worker = NULL;
        actor->finished = true;
        c->control[process_of(c, actor->index)].dirty = true;
    } else if (turn == WX_TURN_IDLE && !(actor->net && sim_net_flush(actor->net) > 0)) {
        actor->awake = false;
        actor->deadline = wait.deadline;
        atomic_store(&actor->waker.parked, 1);
    }
    return (uint32_t)turn;
}

/* The user stops the dataflow. */
static void ask_to_end(struct sim_cluster *c)
{
    if (c->told || c->setup->end == SIM_END_OF_INPUT || c->result->turns < c->setup->end_after)
        return;
    c->told = true;
    struct sim_control *control = &c->control[sim_below(&c->random, c->setup->processes)];
    control->draining = c->setup->end == SIM_END_DRAIN;
    control->leaving = c->setup->end == SIM_END_NOW;
    control->dirty = true;
}

static bool all_finished(const struct sim_cluster *c)
{
    for (uint32_t i = 0; i < c->workers; i++)
        if (!c->actor[i].finished)
            return false;
    return true;
}

static void run(struct sim_cluster *c)
{
    struct sim_result *result = c->result;
    while (!result->fault && !all_finished(c)) {
        uint32_t chosen = choose(c), what = 0;
        if (chosen == UINT32_MAX) {
            describe_deadlock(c);
            return;
        }
        if (chosen < c->workers)
            what = run_worker(c, &c->actor[chosen]);
        else
            sim_control_run(&c->controls, chosen - c->workers, c->now);
        result->trace = sim_mix(result->trace, sim_mix((uint64_t)c->now, chosen * 8 + what));
        if (c->setup->trace)
            fprintf(c->setup->trace, "%" PRIu64 " t=%" PRId64 " actor %u: %u\n", result->turns,
                    c->now - START, chosen, what);
        c->now += sim_below(&c->random, 20);
        ask_to_end(c);
        if (++result->turns > TURNS_MAX || c->now - START > CLOCK_MAX)
            fault(c, "no end after %" PRIu64 " turns and %" PRId64 " us", result->turns,
                  c->now - START);
    }
}

static void take_result(struct sim_cluster *c)
{
    struct sim_result *result = c->result;
    result->finished = c->actor != NULL;
    for (uint32_t i = 0; i < c->workers && c->actor; i++)
        result->finished &= atomic_load(&c->status[i].state) == WX_WORKER_FINISHED;
    for (uint32_t i = 0; i < c->setup->processes && c->control; i++) {
        struct wx_shared *shared = &c->control[i].shared;
        if (!result->failed && atomic_load(&shared->failed)) {
            result->failed = true;
            result->failure = shared->failure;
        }
    }
    result->bug_used = c->mischief.used;
}

void sim_cluster_run(const struct sim_setup *setup, const struct sim_graph *graph,
                     struct sim_io *io, struct sim_result *result)
{
    struct sim_cluster c = {
        .setup = setup,
        .graph = graph,
        .io = io,
        .result = result,
        .random = {sim_mix(setup->seed, 2)},
        .now = START,
        .workers = setup->processes * setup->workers,
    };
    *result = (struct sim_result){0};
    c.mischief.bug = setup->bug;
    c.mischief.after = setup->bug ? sim_below(&c.random, 12) : 0;
    io->busy = on_busy;
    io->all_passed = on_all_passed;
    io->fault = on_fault;
    current = &c;
    if (make(&c)) {
        run(&c);
        take_result(&c);
    }
    unmake(&c);
    current = NULL;
}
