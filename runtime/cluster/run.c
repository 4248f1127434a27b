/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a dataflow: everything is made here, in the order in which it is needed, and taken apart
 * in the opposite one. Channels between two workers of this process are rings; those to and from
 * other processes are the links of the worker's sockets. A worker finds both behind the same two
 * tables.
 */
#include "cluster/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cluster/clock.h"
#include "cluster/crash.h"
#include "cluster/process.h"

#define SECRET_MAX 4096u /* bytes */
#define SECRET_MIN 8u

/* ---- options -----------------------------------------------------------------------------------
 */

static int read_secret(struct wx_process *p, struct wx_error *err)
{
    const char *path = p->options->secret_file;
    if (!path)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return wx_fail(err, WX_EXIT_USAGE, "cannot open the secret file '%s': %s", path,
                       strerror(errno));
    p->secret = wx_alloc(SECRET_MAX + 1);
    ssize_t len = read(fd, p->secret, SECRET_MAX + 1);
    int why = errno;
    close(fd);
    if (len < 0)
        return wx_fail(err, WX_EXIT_USAGE, "cannot read the secret file '%s': %s", path,
                       strerror(why));
    /* Editors end a file with a newline; it is no part of the secret. */
    while (len > 0 && (p->secret[len - 1] == '\n' || p->secret[len - 1] == '\r'))
        len--;
    if ((size_t)len < SECRET_MIN || (size_t)len > SECRET_MAX)
        return wx_fail(err, WX_EXIT_USAGE,
                       "the secret in '%s' has %zd bytes; it must have %u to %u", path, len,
                       SECRET_MIN, SECRET_MAX);
    p->secret_len = (size_t)len;
    return 0;
}

static int read_options(struct wx_process *p, struct wx_error *err)
{
    const struct wx_run_options *options = p->options;
    p->processes = 1;
    if (!options->addresses && options->process_id)
        return wx_fail(err, WX_EXIT_USAGE, "-i needs the list of all processes: give -a too");
    if (options->addresses && !options->process_id)
        return wx_fail(err, WX_EXIT_USAGE,
                       "-a needs to know which process of the list this is: give -i too");
    if (options->addresses) {
        if (wx_addresses_parse(&p->addresses, options->addresses, err) < 0)
            return -1;
        p->processes = p->addresses.n;
        if (wx_process_id_parse(options->process_id, p->processes, &p->self, err) < 0)
            return -1;
    }
    if (options->workers == 0 || options->workers > WX_WORKERS_MAX / p->processes)
        return wx_fail(err, WX_EXIT_USAGE,
                       "%u workers in each of %u processes: a cluster has 1 to %u workers",
                       options->workers, p->processes, WX_WORKERS_MAX);
    return read_secret(p, err);
}

/* ---- making it ---------------------------------------------------------------------------------
 */

static void notify_control(struct wx_shared *shared)
{
    struct wx_process *p = (struct wx_process *)shared;
    /* Acquire and release with the exchange in control's loop: what was written before is seen
     * after it. */
    if (atomic_exchange_explicit(&p->notified, 1, memory_order_acq_rel))
        return;
    uint64_t one = 1;
    ssize_t written = write(p->event, &one, sizeof one);
    (void)written; /* it fails only when the counter is full, and then control wakes anyway */
}

static int make_shared(struct wx_process *p, struct wx_error *err)
{
    struct wx_shared *shared = &p->shared;
    uint32_t workers = p->options->workers;
    shared->workers_here = workers;
    shared->workers_total = workers * p->processes;
    shared->first_worker = workers * p->self;
    shared->epoch_interval = p->options->epoch_interval;
    shared->notify = notify_control;
    shared->status = aligned_alloc(64, workers * sizeof *shared->status);
    WX_ASSERT(shared->status);
    memset(shared->status, 0, workers * sizeof *shared->status);
    shared->wakers = wx_calloc(workers, sizeof *shared->wakers);
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->event < 0)
        return wx_fail(err, WX_EXIT_INTERNAL, "cannot create an eventfd: %s", strerror(errno));
    return 0;
}

static struct wx_ring **ring_between(struct wx_process *p, uint32_t edge, uint32_t from,
                                     uint32_t to)
{
    uint32_t workers = p->options->workers;
    return &p->ring[((size_t)edge * workers + from) * workers + to];
}

/* A block holds one batch's share and what was in it before; both are bounded by these two limits.
 */
static uint64_t item_max(const struct wx_limits *limits)
{
    uint64_t max = 2 * (limits->record_max + limits->fanout_max) + WX_FRAME_MAX;
    return max < WX_ITEM_MAX ? max : WX_ITEM_MAX;
}

static void make_links(struct wx_process *p, uint32_t here)
{
    uint32_t edges = wx_plan_edges(p->plan), total = p->shared.workers_total;
    const struct wx_shape **shapes = wx_calloc(edges, sizeof *shapes);
    for (uint32_t edge = 0; edge < edges; edge++)
        shapes[edge] = wx_plan_edge_shape(p->plan, edge);
    struct wx_link_config links = {.edges = edges,
                                   .shapes = shapes,
                                   .pool = p->pool[here],
                                   .credit = p->credit,
                                   .item_max = item_max(&p->options->limits)};
    p->sockets[here] = wx_sockets_create(total - p->shared.workers_here, &links);
    free(shapes);
}

/* Fills the tables of one worker: the ends of all its channels. */
static void wire_worker(struct wx_process *p, uint32_t here)
{
    uint32_t edges = wx_plan_edges(p->plan), total = p->shared.workers_total;
    uint32_t first = p->shared.first_worker, workers = p->options->workers;
    size_t table = (size_t)edges * total * here;
    for (uint32_t edge = 0; edge < edges; edge++) {
        for (uint32_t other = 0; other < total; other++) {
            size_t at = table + (size_t)edge * total + other;
            if (other >= first && other < first + workers) {
                p->outlets[at] = wx_ring_outlet(*ring_between(p, edge, here, other - first));
                p->inlets[at] = wx_ring_inlet(*ring_between(p, edge, other - first, here));
            } else {
                WX_ASSERT(p->sockets);
                struct wx_link *link = wx_sockets_link(p->sockets[here], wx_process_link(p, other));
                p->outlets[at] = wx_link_outlet(link, edge);
                p->inlets[at] = wx_link_inlet(link, edge);
            }
        }
    }
    struct wx_thread *thread = &p->thread[here];
    thread->sockets = p->sockets ? p->sockets[here] : NULL;
    thread->config = (struct wx_worker_config){
        .plan = p->plan,
        .shared = &p->shared,
        .index = first + here,
        .limits = p->options->limits,
        .now = wx_clock_now,
        .net = thread->sockets ? wx_sockets_net(thread->sockets) : NULL,
        .outlets = p->outlets + table,
        .inlets = p->inlets + table,
        .pool = p->pool[here],
    };
}

static int make_workers(struct wx_process *p, struct wx_error *err)
{
    uint32_t workers = p->options->workers, total = p->shared.workers_total;
    p->plan = wx_plan_create(p->flow, total);
    uint32_t edges = wx_plan_edges(p->plan);
    p->credit = p->options->limits.channel_max;
    if (p->credit == 0)
        p->credit = wx_channel_credit(total);
    if (p->credit < WX_CREDIT_MIN)
        p->credit = WX_CREDIT_MIN;
    p->thread = aligned_alloc(64, (workers * sizeof *p->thread + 63) & ~(size_t)63);
    WX_ASSERT(p->thread);
    memset(p->thread, 0, workers * sizeof *p->thread);
    for (uint32_t i = 0; i < workers; i++)
        p->thread[i].event = -1;
    p->pool = wx_calloc(workers, sizeof *p->pool);
    p->ring = wx_calloc((size_t)edges * workers * workers, sizeof *p->ring);
    p->outlets = wx_calloc((size_t)edges * total * workers, sizeof *p->outlets);
    p->inlets = wx_calloc((size_t)edges * total * workers, sizeof *p->inlets);
    if (p->processes > 1)
        p->sockets = wx_calloc(workers, sizeof *p->sockets);
    for (uint32_t i = 0; i < workers; i++) {
        if (wx_thread_init(&p->thread[i], err) < 0)
            return -1;
        p->shared.wakers[i] = &p->thread[i].waker;
        p->pool[i] = wx_pool_create();
        if (p->sockets)
            make_links(p, i);
    }
    for (uint32_t edge = 0; edge < edges; edge++)
        for (uint32_t from = 0; from < workers; from++)
            for (uint32_t to = 0; to < workers; to++)
                *ring_between(p, edge, from, to) =
                    wx_ring_create(p->credit, p->shared.wakers[to], p->shared.wakers[from]);
    for (uint32_t i = 0; i < workers; i++)
        wire_worker(p, i);
    return 0;
}

/* ---- taking it apart ----------------------------------------------------------------------------
 */

static void say_wire_stats(struct wx_process *p)
{
    if (!getenv("WAX_WIRE_STATS"))
        return;
    uint64_t bytes = 0, records = 0;
    for (uint32_t i = 0; p->sockets && i < p->options->workers; i++)
        wx_sockets_count(p->sockets[i], &bytes, &records);
    fprintf(stderr, "wire bytes=%llu records=%llu\n", (unsigned long long)bytes,
            (unsigned long long)records);
}

/* Batches in channels belong to pools of several workers: channels go before any pool. */
static void unmake(struct wx_process *p)
{
    uint32_t workers = p->options->workers;
    size_t rings = p->plan ? (size_t)wx_plan_edges(p->plan) * workers * workers : 0;
    for (uint32_t i = 0; p->thread && i < workers; i++)
        wx_thread_fini(&p->thread[i]);
    for (size_t i = 0; p->ring && i < rings; i++)
        wx_ring_destroy(p->ring[i], p->pool[0]);
    for (uint32_t i = 0; p->sockets && i < workers; i++)
        wx_sockets_destroy(p->sockets[i]);
    for (uint32_t i = 0; p->pool && i < workers; i++)
        wx_pool_destroy(p->pool[i]);
    wx_plan_destroy(p->plan);
    if (p->event >= 0)
        close(p->event);
    free(p->inlets);
    free(p->outlets);
    free(p->sockets);
    free(p->ring);
    free(p->pool);
    free(p->thread);
    free(p->shared.wakers);
    free(p->shared.status);
    wx_addresses_fini(&p->addresses);
    if (p->secret)
        explicit_bzero(p->secret, p->secret_len);
    free(p->secret);
    free(p);
}

/* Control reads SIGINT and SIGTERM from a descriptor; a closed pipe or socket is an error, not a
 * signal. */
static void take_signals(sigset_t *old_mask, struct sigaction *old_pipe)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &mask, old_mask);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, old_pipe);
}

int wx_run(const wax_flow *flow, const struct wx_run_options *options)
{
    struct wx_error err = {0};
    struct wx_process *p = aligned_alloc(64, (sizeof *p + 63) & ~(size_t)63);
    WX_ASSERT(p);
    memset(p, 0, sizeof *p);
    p->flow = flow;
    p->options = options;
    p->event = -1;
    wx_clock_start();
    wx_crash_install();
    sigset_t old_mask;
    struct sigaction old_pipe;
    take_signals(&old_mask, &old_pipe);
    int exit_code;
    if (read_options(p, &err) < 0 || make_shared(p, &err) < 0 || make_workers(p, &err) < 0) {
        wx_log(WX_LOG_ERROR, "%s", err.text);
        exit_code = err.exit_code;
    } else {
        if (p->addresses.n > 0)
            wx_log_process((int)p->self);
        exit_code = wx_control_run(p);
        say_wire_stats(p);
    }
    unmake(p);
    sigaction(SIGPIPE, &old_pipe, NULL);
    pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
    return exit_code;
}
