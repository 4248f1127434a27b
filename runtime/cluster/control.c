/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: one loop over everything that must be answered while a body blocks. It feeds
 * the session with what the workers publish, with messages, signals and the time, and carries out
 * what the session decides: connecting the workers, starting them, closing epochs, stopping. When
 * the session is over it sees to it that the last messages go out and the threads leave.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cluster/clock.h"
#include "cluster/hub.h"
#include "cluster/process.h"

#define EVENTS 64
#define BLOCKED_SAY                                                                                \
    wax_seconds(10) /* a body that runs for longer is reported, and again after as long */
#define BLOCKED_LOOK wax_seconds(5)
#define LEAVE_WAIT                                                                                 \
    wax_seconds(2) /* for threads that are told to leave; a body may not return for long */
#define CONNECT_WAIT wax_seconds(30) /* for the workers' connections */

enum tag { TAG_EVENT, TAG_SIGNAL, TAG_HUB, TAG_CALL };

/* A data connection that is being made. */
struct data_call {
    int fd; /* -1: done */
    uint32_t peer;
    struct wx_preface preface;
};

/* What a worker was doing when control last looked. */
struct watched {
    uint64_t turns, step;
    wax_time since, said;
};

struct control {
    struct wx_session_host host; /* first: the session's actions find control by it */
    struct wx_process *process;
    struct wx_session *session;
    struct wx_hub *hub; /* NULL: there is no cluster */
    int epoll, signals;
    wax_time now;

    bool starting, started, over, said_done;
    int exit_code;
    uint32_t signal_count;
    wax_time connect_by;
    uint64_t generation, digest; /* that the attached data connections belong to */
    uint32_t calls;
    struct data_call *call;

    struct wx_message_worker *worker; /* [workers], scratch */
    struct watched *watched;          /* [workers] */
    wax_time look_at;
    char **params; /* of the session's config */
    uint32_t param_count;
    const char **addresses;
};

static uint32_t workers_of(const struct control *c)
{
    return c->process->options->workers;
}

static void watch(struct control *c, int fd, uint32_t events, enum tag tag, uint32_t index)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)tag << 32 | index};
    int rc = epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event);
    WX_ASSERT(rc == 0);
}

static void wake_workers(struct control *c)
{
    for (uint32_t i = 0; i < workers_of(c); i++)
        wx_waker_notify(&c->process->thread[i].waker);
}

/* ---- starting ----------------------------------------------------------------------------------
 */

/* Spinning helps only when every worker of this machine has a CPU to spin on. */
static wax_duration spin_of(const struct control *c)
{
    cpu_set_t cpus;
    uint32_t processes = 1 + (c->hub ? wx_hub_neighbours(c->hub) : 0);
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return 0;
    return processes * workers_of(c) <= (uint32_t)CPU_COUNT(&cpus) ? WX_SPIN : 0;
}

/* When all connections are there, the workers begin. */
static void start_if_ready(struct control *c)
{
    if (!c->starting || c->started || c->over)
        return;
    struct wx_process *p = c->process;
    for (uint32_t i = 0; p->sockets && i < workers_of(c); i++)
        if (!wx_sockets_complete(p->sockets[i]))
            return;
    c->started = true;
    wax_duration spin = spin_of(c);
    for (uint32_t i = 0; i < workers_of(c); i++) {
        struct wx_error err;
        p->thread[i].spin = spin;
        if (wx_thread_start(&p->thread[i], &err) < 0) {
            wx_session_fail(c->session, c->now, err.exit_code, err.text);
            return;
        }
    }
}

static void detach_all(struct control *c, uint64_t generation, uint64_t digest)
{
    if (c->generation == generation && c->digest == digest)
        return;
    for (uint32_t i = 0; c->process->sockets && i < workers_of(c); i++)
        wx_sockets_detach(c->process->sockets[i]);
    c->generation = generation;
    c->digest = digest;
}

static void attach(struct control *c, uint32_t here, uint32_t there, int fd)
{
    struct wx_process *p = c->process;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wx_sockets_attach(p->sockets[here - p->shared.first_worker], wx_process_link(p, there), fd);
}

/* A worker of a higher process has connected. */
static void accept_data(void *arg, const struct wx_preface *preface, int fd)
{
    struct control *c = arg;
    struct wx_process *p = c->process;
    uint64_t generation, digest;
    struct wx_preface expected = *preface;
    wx_preface_prove(&expected, p->secret, p->secret_len);
    uint32_t first = p->shared.first_worker, last = first + workers_of(c) - 1;
    bool good = wx_session_generation(c->session, &generation, &digest) &&
                preface->generation == generation && preface->digest == digest &&
                preface->to >= first && preface->to <= last && preface->from > last &&
                preface->from < p->shared.workers_total && !c->started &&
                memcmp(expected.proof, preface->proof, WX_PROOF) == 0;
    if (!good) {
        close(fd);
        return;
    }
    detach_all(c, generation, digest);
    attach(c, preface->to, preface->from, fd);
    start_if_ready(c);
}

static void fail_call(struct control *c, uint32_t peer, int why)
{
    char text[300];
    snprintf(text, sizeof text, "cannot connect the workers with process %u at '%s': %s", peer,
             c->process->addresses.entry[peer].text, strerror(why));
    wx_session_fail(c->session, c->now, WX_EXIT_PEER, text);
}

static void call_worker(struct control *c, uint32_t peer, uint32_t from, uint32_t to)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (c->over)
        return;
    struct data_call *call = &c->call[c->calls];
    call->fd = -1;
    bool known = wx_hub_peer(c->hub, peer, &address, &len);
    WX_ASSERT(known);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        fail_call(c, peer, why);
        return;
    }
    call->fd = fd;
    call->peer = peer;
    call->preface = (struct wx_preface){c->generation, c->digest, from, to, {0}};
    wx_preface_prove(&call->preface, c->process->secret, c->process->secret_len);
    watch(c, fd, EPOLLOUT, TAG_CALL, c->calls++);
}

static void finish_call(struct control *c, struct data_call *call)
{
    uint8_t bytes[WX_PREFACE_BYTES];
    int error = 0, fd = call->fd;
    socklen_t len = sizeof error;
    if (fd < 0)
        return;
    call->fd = -1;
    epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    wx_preface_write(&call->preface, bytes);
    /* A new connection takes so few bytes in one piece. */
    if (error == 0 && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
        error = errno;
    if (error != 0 || c->over) {
        close(fd);
        if (!c->over)
            fail_call(c, call->peer, error);
        return;
    }
    attach(c, call->preface.from, call->preface.to, fd);
    start_if_ready(c);
}

/* ---- what the session decides
 * -------------------------------------------------------------------- */

static void on_send(struct wx_session_host *host, uint32_t conn, const struct wx_message *message)
{
    wx_hub_send(((struct control *)host)->hub, conn, message);
}

static void on_close(struct wx_session_host *host, uint32_t conn)
{
    struct control *c = (struct control *)host;
    wx_hub_close(c->hub, c->now, conn);
}

/* Carried out by the loop: calls may fail at once, and the session must not hear of it now. */
static void on_start(struct wx_session_host *host, uint64_t generation, uint64_t digest)
{
    struct control *c = (struct control *)host;
    if (c->hub)
        detach_all(c, generation, digest);
    c->starting = true;
    c->connect_by = c->now + CONNECT_WAIT;
}

static void on_close_below(struct wx_session_host *host, uint64_t epoch)
{
    struct control *c = (struct control *)host;
    _Atomic uint64_t *below = &c->process->shared.close_below;
    uint64_t now = atomic_load_explicit(below, memory_order_relaxed);
    /* Release: the workers acquire it. A worker may raise it at the same time. */
    while (now < epoch && !atomic_compare_exchange_weak_explicit(
                              below, &now, epoch, memory_order_release, memory_order_relaxed))
        continue;
    wake_workers(c);
}

static void on_committed(struct wx_session_host *host, uint64_t epoch)
{
    struct control *c = (struct control *)host;
    atomic_store_explicit(&c->process->shared.committed, epoch,
                          memory_order_release); /* workers acquire */
    wake_workers(c);
}

static void on_stop(struct wx_session_host *host, enum wx_stop stop)
{
    struct control *c = (struct control *)host;
    atomic_store_explicit(&c->process->shared.stop, stop,
                          memory_order_release); /* workers acquire */
    wake_workers(c);
}

static void on_log(struct wx_session_host *host, enum wx_log_level level, const char *text)
{
    (void)host;
    wx_log(level, "%s", text);
}

static void on_finish(struct wx_session_host *host, int exit_code)
{
    struct control *c = (struct control *)host;
    c->over = true;
    c->exit_code = exit_code;
}

/* ---- what the workers do
 * ------------------------------------------------------------------------- */

static void report_broken(struct control *c)
{
    struct wx_process *p = c->process;
    for (uint32_t i = 0; p->sockets && i < workers_of(c); i++) {
        const char *why;
        int64_t link = wx_sockets_broken(p->sockets[i], &why);
        if (link < 0)
            continue;
        uint32_t worker = (uint32_t)link;
        worker += worker >= p->shared.first_worker ? workers_of(c) : 0;
        wx_session_link_broken(c->session, c->now, worker / workers_of(c), why);
    }
}

/* Tells the session what the workers have come to. */
static void report_workers(struct control *c)
{
    struct wx_shared *shared = &c->process->shared;
    if (!c->started || c->over)
        return;
    struct wx_session_local local = {.workers = c->worker};
    bool done = true;
    for (uint32_t i = 0; i < workers_of(c); i++) {
        const struct wx_worker_status *status = &shared->status[i];
        uint64_t open = atomic_load_explicit(&status->open, memory_order_relaxed);
        c->worker[i] = (struct wx_message_worker){
            /* Acquire: pairs with the worker's release; its sinks have done what `passed` says. */
            .state = atomic_load_explicit(&status->state, memory_order_acquire),
            .passed = atomic_load_explicit(&status->passed, memory_order_acquire),
            .turns = atomic_load_explicit(&status->turns, memory_order_relaxed),
        };
        local.open = open > local.open ? open : local.open;
        done = done && wx_thread_is_done(&c->process->thread[i]);
    }
    local.close_below = atomic_load_explicit(&shared->close_below, memory_order_acquire);
    /* Acquire: pairs with the release after `failure` was filled. */
    if (atomic_load_explicit(&shared->failed, memory_order_acquire)) {
        int exit_code = shared->failure.exit_code ? shared->failure.exit_code : WX_EXIT_FAILED;
        wx_session_fail(c->session, c->now, exit_code, shared->failure.text);
        return;
    }
    wx_session_local(c->session, c->now, &local);
    report_broken(c);
    if (done && !c->said_done && !c->over) {
        c->said_done = true;
        wx_session_done(c->session, c->now);
    }
}

/* Workers that have been in one body for long. */
static void look_for_blocked(struct control *c)
{
    if (!c->started || c->over || c->now < c->look_at)
        return;
    c->look_at = c->now + BLOCKED_LOOK;
    struct wx_shared *shared = &c->process->shared;
    for (uint32_t i = 0; i < workers_of(c); i++) {
        const struct wx_worker_status *status = &shared->status[i];
        struct watched *w = &c->watched[i];
        /* Relaxed: only to see whether they change. */
        uint64_t turns = atomic_load_explicit(&status->turns, memory_order_relaxed);
        uint64_t step = atomic_load_explicit(&status->busy_step, memory_order_relaxed);
        if (step == 0 || turns != w->turns || step != w->step) {
            *w = (struct watched){turns, step, c->now, c->now};
        } else if (c->now - w->said >= BLOCKED_SAY && step - 1 < c->process->flow->steps) {
            w->said = c->now;
            wx_log(WX_LOG_WARN, "worker %u has been blocked in step '%s' for %lld seconds",
                   shared->first_worker + i, c->process->flow->step[step - 1]->id,
                   (long long)((c->now - w->since) / 1000000));
        }
    }
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

static void take_event(struct control *c)
{
    uint64_t count;
    ssize_t got = read(c->process->event, &count, sizeof count);
    (void)got; /* the wake-up is all it says */
    /* Acquire and release with the exchange in notify_control(): what was published before is seen
     * now. */
    atomic_exchange_explicit(&c->process->notified, 0, memory_order_acq_rel);
}

static void take_signals(struct control *c)
{
    struct signalfd_siginfo info;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        c->signal_count++;
        /* A signal to the whole process group may come here after the others have stopped on
         * theirs. */
        if (c->over && c->exit_code == WX_EXIT_PEER)
            c->exit_code = 128 + (int)info.ssi_signo;
        wx_session_signal(c->session, c->now, (int)info.ssi_signo);
    }
}

static int timeout_until(wax_time now, wax_time at)
{
    if (at == INT64_MAX)
        return -1;
    wax_duration left = (at - now + 999) / 1000;
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void wait_and_dispatch(struct control *c, wax_time until)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(c->epoll, events, EVENTS, timeout_until(c->now, until));
    c->now = wx_clock_steady();
    wx_session_tick(c->session, c->now); /* first: it sees how long this process was stopped */
    for (int i = 0; i < n; i++) {
        uint32_t index = (uint32_t)events[i].data.u64;
        switch ((enum tag)(events[i].data.u64 >> 32)) {
        case TAG_EVENT:
            take_event(c);
            break;
        case TAG_SIGNAL:
            take_signals(c);
            break;
        case TAG_HUB:
            wx_hub_event(c->hub, c->now, index, events[i].events);
            break;
        case TAG_CALL:
            finish_call(c, &c->call[index]);
            break;
        }
    }
}

/* The session has said START: process j calls the workers of every i < j. */
static void connect_workers(struct control *c)
{
    if (!c->starting || c->started || c->call)
        return;
    struct wx_process *p = c->process;
    uint32_t workers = workers_of(c), first = p->shared.first_worker;
    c->call = wx_calloc((size_t)first * workers, sizeof *c->call);
    for (uint32_t to = 0; to < first; to++)
        for (uint32_t from = first; from < first + workers; from++)
            call_worker(c, to / workers, from, to);
    start_if_ready(c);
}

static wax_time next_wake(const struct control *c)
{
    wax_time at = wx_session_next_tick(c->session);
    wax_time hub = c->hub ? wx_hub_next_tick(c->hub) : INT64_MAX;
    at = hub < at ? hub : at;
    if (c->started && c->look_at < at)
        at = c->look_at;
    if (c->starting && !c->started && c->connect_by < at)
        at = c->connect_by;
    return at;
}

static void run_session(struct control *c)
{
    while (!c->over) {
        connect_workers(c);
        report_workers(c);
        if (c->hub && !c->over)
            wx_hub_tick(c->hub, c->now);
        look_for_blocked(c);
        if (c->starting && !c->started && c->now >= c->connect_by)
            wx_session_fail(c->session, c->now, WX_EXIT_PEER,
                            "the workers could not be connected in 30 seconds");
        if (!c->over)
            wait_and_dispatch(c, next_wake(c));
    }
}

static bool threads_left(struct control *c)
{
    for (uint32_t i = 0; i < workers_of(c); i++)
        if (!wx_thread_has_left(&c->process->thread[i]))
            return false;
    return true;
}

/*
 * The session is over. Sends what is still to be sent and waits for the threads; one that is in a
 * body that does not return cannot be waited for, nor can its memory be taken away: then the
 * process ends here.
 */
static void leave(struct control *c)
{
    for (uint32_t i = 0; i < workers_of(c); i++)
        wx_thread_leave(&c->process->thread[i]);
    if (c->hub)
        wx_hub_shut(c->hub, c->now);
    bool at_once = c->signal_count > 1;
    wax_time give_up = c->now + (at_once ? wax_millis(100) : LEAVE_WAIT);
    while (!threads_left(c) || (c->hub && !wx_hub_is_quiet(c->hub))) {
        if (c->now >= give_up)
            break;
        wax_time at = c->hub ? wx_hub_next_tick(c->hub) : INT64_MAX;
        wait_and_dispatch(c, at < give_up ? at : give_up);
        if (c->signal_count > 1 && !at_once)
            break;
        if (c->hub)
            wx_hub_tick(c->hub, c->now);
    }
    take_signals(c);
    if (threads_left(c))
        return;
    if (!at_once)
        wx_log(WX_LOG_WARN, "leaving while a body is still running");
    _exit(c->exit_code);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static int compare_params(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_param(struct control *c, const char *name, const char *value)
{
    size_t len = strlen(name) + strlen(value) + 2;
    char *param = wx_alloc(len);
    snprintf(param, len, "%s=%s", name, value);
    c->params[c->param_count++] = param;
}

/* The limits decide how much a channel holds, so they must agree just as the parameters must. */
static void make_params(struct control *c)
{
    const wax_flow *flow = c->process->flow;
    const struct wx_limits *limits = &c->process->options->limits;
    char number[24];
    c->params = wx_calloc(flow->param_count + 3, sizeof *c->params);
    for (uint32_t i = 0; i < flow->param_count; i++)
        add_param(c, flow->params[i].name, flow->params[i].value);
    snprintf(number, sizeof number, "%llu", (unsigned long long)limits->record_max);
    add_param(c, "--max-record", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)limits->fanout_max);
    add_param(c, "--max-fanout", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)c->process->credit);
    add_param(c, "channel credit", number);
    qsort(c->params, c->param_count, sizeof *c->params, compare_params);
}

static void make_session(struct control *c)
{
    struct wx_process *p = c->process;
    uint64_t nonce = 0;
    if (p->addresses.n > 0) {
        c->addresses = wx_calloc(p->addresses.n, sizeof *c->addresses);
        for (uint32_t i = 0; i < p->addresses.n; i++)
            c->addresses[i] = p->addresses.entry[i].text;
        make_params(c);
        ssize_t got = getrandom(&nonce, sizeof nonce, 0);
        WX_ASSERT(got ==
                  (ssize_t)sizeof nonce); /* so few bytes never fail once the kernel has started */
    }
    c->host = (struct wx_session_host){.send = on_send,
                                       .close = on_close,
                                       .start = on_start,
                                       .close_below = on_close_below,
                                       .committed = on_committed,
                                       .stop = on_stop,
                                       .log = on_log,
                                       .finish = on_finish};
    struct wx_session_config config = {
        .self = p->self,
        .processes = p->processes,
        .workers = p->options->workers,
        .addresses = c->addresses,
        .address_list = p->addresses.text ? p->addresses.text : "",
        .flow = p->flow->name,
        .params = (const char *const *)c->params,
        .param_count = c->param_count,
        .plan_hash = p->addresses.n > 0 ? wx_flow_hash(p->flow) : 0,
        .module_hash = p->options->module_hash ? p->options->module_hash : "",
        .nonce = nonce,
        .peer_timeout = p->options->peer_timeout,
        .secret = p->secret,
        .secret_len = p->secret_len,
    };
    c->session = wx_session_create(&config, &c->host, c->now);
}

/* W workers need W sockets for each worker of the others. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int make_hub(struct control *c, struct wx_error *err)
{
    struct wx_process *p = c->process;
    if (p->addresses.n == 0)
        return 0;
    allow_descriptors();
    struct wx_hub_config config = {.epoll = c->epoll,
                                   .tag = TAG_HUB,
                                   .event = p->event,
                                   .addresses = &p->addresses,
                                   .self = p->self,
                                   .accept_data = accept_data,
                                   .arg = c};
    c->hub = wx_hub_create(&config, err);
    return c->hub ? 0 : -1;
}

static void unmake(struct control *c)
{
    for (uint32_t i = 0; i < c->calls; i++)
        if (c->call[i].fd >= 0)
            close(c->call[i].fd);
    wx_hub_destroy(c->hub);
    wx_session_destroy(c->session);
    close(c->signals);
    close(c->epoll);
    for (uint32_t i = 0; i < c->param_count; i++)
        free(c->params[i]);
    free(c->params);
    free(c->addresses);
    free(c->call);
    free(c->worker);
    free(c->watched);
}

int wx_control_run(struct wx_process *process)
{
    struct control control = {.process = process, .now = wx_clock_steady()}, *c = &control;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    WX_ASSERT(c->epoll >= 0 && c->signals >= 0);
    watch(c, process->event, EPOLLIN, TAG_EVENT, 0);
    watch(c, c->signals, EPOLLIN, TAG_SIGNAL, 0);
    c->worker = wx_calloc(workers_of(c), sizeof *c->worker);
    c->watched = wx_calloc(workers_of(c), sizeof *c->watched);
    c->look_at = c->now + BLOCKED_LOOK;
    struct wx_error err;
    if (make_hub(c, &err) < 0) {
        wx_log(WX_LOG_ERROR, "%s", err.text);
        c->exit_code = err.exit_code;
    } else {
        make_session(c);
        if (c->hub)
            wx_hub_serve(c->hub, c->session);
        wx_session_begin(c->session, c->now);
        run_session(c);
        leave(c);
    }
    unmake(c);
    return c->exit_code;
}
