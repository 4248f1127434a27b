/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's thread. It lets the worker take turns until nothing is left to do, looks again for a
 * short while (waking a thread on another CPU costs as much), and then sleeps in one ppoll(2) on
 * everything that may concern it: its eventfd, its connections, the files its sources wait for, and
 * the next deadline. When the worker has finished, the thread goes on serving its connections,
 * which others may still need, until control lets it go.
 */
#include "cluster/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cluster/clock.h"
#include "cluster/crash.h"

static void wake_thread(struct wx_waker *waker)
{
    struct wx_thread *thread = (struct wx_thread *)waker;
    /* Only the first of several wakers pays for the system call. Pairs with the store in park(). */
    if (atomic_exchange_explicit(&waker->parked, 0, memory_order_seq_cst) == 0)
        return;
    uint64_t one = 1;
    ssize_t written = write(thread->event, &one, sizeof one);
    (void)written; /* it fails only when the counter is full, and then the thread wakes anyway */
}

int wx_thread_init(struct wx_thread *thread, struct wx_error *err)
{
    memset(thread, 0, sizeof *thread);
    thread->waker.wake = wake_thread;
    thread->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->event < 0)
        return wx_fail(err, WX_EXIT_INTERNAL, "cannot create an eventfd: %s", strerror(errno));
    return 0;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Sleep until the eventfd, a connection or one of `wait`'s files speaks, or the deadline comes. */
static void sleep_until(struct wx_thread *thread, const struct wx_wait *wait)
{
    struct pollfd fds[2 + sizeof wait->fds / sizeof wait->fds[0]];
    nfds_t n = 0;
    fds[n++] = (struct pollfd){.fd = thread->event, .events = POLLIN};
    if (thread->sockets)
        fds[n++] = (struct pollfd){.fd = wx_sockets_poll_fd(thread->sockets), .events = POLLIN};
    for (uint32_t i = 0; i < wait->fd_count; i++)
        fds[n++] = (struct pollfd){.fd = wait->fds[i], .events = POLLIN};

    struct timespec left, *timeout = NULL;
    if (wait->deadline != INT64_MAX) {
        wax_time us = wait->deadline - wx_clock_now(NULL);
        if (us <= 0)
            return;
        left = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
        timeout = &left;
    }
    if (ppoll(fds, n, timeout, NULL) > 0 && fds[0].revents) {
        uint64_t count;
        ssize_t got = read(thread->event, &count, sizeof count);
        (void)got; /* the wake-up is all it says */
    }
}

/* The worker said that it has nothing to do: check once more under `parked`, then sleep. */
static enum wx_turn park(struct wx_thread *thread, struct wx_worker *worker, struct wx_wait *wait)
{
    /* Pairs with wx_waker_notify(): either the other thread sees `parked`, or the turn sees its
     * news. */
    atomic_store_explicit(&thread->waker.parked, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    enum wx_turn turn = wx_worker_turn(worker, wait);
    bool moved = thread->sockets && wx_sockets_flush(thread->sockets) > 0;
    if (turn == WX_TURN_IDLE && !moved)
        sleep_until(thread, wait);
    atomic_store_explicit(&thread->waker.parked, 0,
                          memory_order_seq_cst); /* only saves a wake-up */
    return turn;
}

static void run_turns(struct wx_thread *thread, struct wx_worker *worker)
{
    struct wx_wait wait = {.deadline = INT64_MAX};
    wax_time idle_since = 0; /* 0: it was not idle */
    enum wx_turn turn;
    while ((turn = wx_worker_turn(worker, &wait)) != WX_TURN_FINISHED) {
        if (turn == WX_TURN_BUSY || (thread->sockets && wx_sockets_flush(thread->sockets) > 0)) {
            idle_since = 0;
            continue;
        }
        if (thread->spin > 0) {
            wax_time now = wx_clock_now(NULL);
            if (idle_since == 0)
                idle_since = now;
            if (now - idle_since < thread->spin || wait.deadline - thread->spin < now) {
                relax();
                continue;
            }
        }
        if (park(thread, worker, &wait) == WX_TURN_FINISHED)
            break;
    }
}

static bool asked_to_leave(struct wx_thread *thread)
{
    return atomic_load_explicit(&thread->leave, memory_order_acquire); /* wx_thread_leave() */
}

/* Our last markers must arrive, and a socket closed with unread bytes in it would lose them. */
static void serve_connections(struct wx_thread *thread)
{
    struct wx_wait forever = {.deadline = INT64_MAX};
    struct wx_net *net = wx_sockets_net(thread->sockets);
    wx_sockets_done(thread->sockets);
    while (!asked_to_leave(thread)) {
        int moved = net->pump(net);
        if (moved < 0)
            break;
        if (moved > 0 || wx_sockets_flush(thread->sockets) > 0)
            continue;
        atomic_store_explicit(&thread->waker.parked, 1, memory_order_seq_cst); /* as in park() */
        atomic_thread_fence(memory_order_seq_cst);
        if (!asked_to_leave(thread))
            sleep_until(thread, &forever);
        atomic_store_explicit(&thread->waker.parked, 0, memory_order_seq_cst);
    }
}

static void *thread_main(void *arg)
{
    struct wx_thread *thread = arg;
    char name[16];
    snprintf(name, sizeof name, "worker %u", thread->config.index);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_TIMERSLACK, 1UL); /* timers of sources are meant to the microsecond */
    thread->stack = wx_crash_stack_create();
    struct wx_worker *worker = wx_worker_create(&thread->config);
    run_turns(thread, worker);
    wx_worker_destroy(worker);
    struct wx_shared *shared = thread->config.shared;
    atomic_store_explicit(&thread->done, 1, memory_order_release); /* wx_thread_is_done() */
    shared->notify(shared);
    if (thread->sockets)
        serve_connections(thread);
    wx_crash_stack_destroy(thread->stack);
    thread->stack = NULL;
    atomic_store_explicit(&thread->left, 1, memory_order_release); /* wx_thread_has_left() */
    shared->notify(shared);
    return NULL;
}

int wx_thread_start(struct wx_thread *thread, struct wx_error *err)
{
    int rc = pthread_create(&thread->id, NULL, thread_main, thread);
    if (rc != 0)
        return wx_fail(err, WX_EXIT_INTERNAL, "cannot start the thread of worker %u: %s",
                       thread->config.index, strerror(rc));
    thread->running = true;
    return 0;
}

void wx_thread_leave(struct wx_thread *thread)
{
    atomic_store_explicit(&thread->leave, 1, memory_order_release); /* asked_to_leave() */
    wx_waker_notify(&thread->waker);
}

bool wx_thread_is_done(struct wx_thread *thread)
{
    return !thread->running || atomic_load_explicit(&thread->done, memory_order_acquire);
}

bool wx_thread_has_left(struct wx_thread *thread)
{
    return !thread->running || atomic_load_explicit(&thread->left, memory_order_acquire);
}

void wx_thread_fini(struct wx_thread *thread)
{
    if (thread->running)
        pthread_join(thread->id, NULL);
    if (thread->event >= 0)
        close(thread->event);
    thread->running = false;
    thread->event = -1;
}
