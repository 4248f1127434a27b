/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_THREAD_H
#define WX_THREAD_H

#include <pthread.h>

#include "cluster/net.h"
#include "core/worker.h"

/*
 * One worker's thread: turns while there is something to do, a short spin, then sleep until
 * something arrives. Initialise all of a process's threads first, because channels need the
 * receiver's `waker`. The control thread owns the struct; `waker` is for any thread.
 */
struct wx_thread {
    struct wx_waker waker;          /* first: the waker's callback finds the thread by it */
    int event;                      /* eventfd under the waker; -1: not initialised */
    struct wx_worker_config config; /* filled by the owner before the start */
    struct wx_sockets *sockets;     /* connections to other processes, borrowed; or NULL */
    wax_duration spin;              /* how long an idle worker looks before it sleeps */
    _Atomic uint32_t
        leave; /* control asks the thread to end: release, the thread reads with acquire */
    _Atomic uint32_t done; /* its worker has ended and is destroyed: release, control acquires */
    _Atomic uint32_t left; /* the thread has ended but for returning: release, control acquires */
    void *stack;           /* for signal handlers */
    pthread_t id;
    bool running;
};

#define WX_SPIN 80 /* microseconds; a blocked thread on another CPU takes about 30 to wake */

/* Returns 0, or -1 with `err` filled. Zeroed but `event` = -1 is valid for wx_thread_fini(). */
int wx_thread_init(struct wx_thread *thread, struct wx_error *err);
int wx_thread_start(struct wx_thread *thread, struct wx_error *err);
/* Has its worker ended? The thread then goes on serving the worker's connections. */
bool wx_thread_is_done(struct wx_thread *thread);
/* Ask it to end once its worker has. */
void wx_thread_leave(struct wx_thread *thread);
bool wx_thread_has_left(struct wx_thread *thread);
/* Waits for the thread if it runs. */
void wx_thread_fini(struct wx_thread *thread);

#endif /* WX_THREAD_H */
