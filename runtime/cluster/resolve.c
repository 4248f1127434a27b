/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving names. getaddrinfo(3) may take many seconds and cannot be interrupted, so it runs in a
 * detached thread that shares a counted block with its caller: whichever of the two lets go last
 * frees it.
 */
#include "cluster/resolve.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

struct wx_lookup {
    _Atomic uint32_t users; /* the caller and the thread */
    _Atomic uint32_t
        answered; /* release after `rc` and `found` are written; acquire before they are read */
    int event_fd; /* a copy: the caller may close its own */
    int rc;
    struct addrinfo *found;
    char port[8];
    char host[];
};

static void drop(struct wx_lookup *lookup)
{
    /* Acquire and release: the last user sees what the other one did. */
    if (atomic_fetch_sub_explicit(&lookup->users, 1, memory_order_acq_rel) > 1)
        return;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    if (lookup->event_fd >= 0)
        close(lookup->event_fd);
    free(lookup);
}

static void look_up(struct wx_lookup *lookup, int flags)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    lookup->rc = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
    if (lookup->rc != 0)
        lookup->found = NULL;
}

static void *look_up_thread(void *arg)
{
    struct wx_lookup *lookup = arg;
    look_up(lookup, 0);
    atomic_store_explicit(&lookup->answered, 1, memory_order_release); /* wx_lookup_poll() */
    uint64_t one = 1;
    ssize_t written = write(lookup->event_fd, &one, sizeof one);
    (void)written; /* it fails only when the counter is full, and then the caller wakes anyway */
    drop(lookup);
    return NULL;
}

struct wx_lookup *wx_lookup_start(const char *host, uint16_t port, int event_fd)
{
    size_t size = sizeof(struct wx_lookup) + strlen(host) + 1;
    struct wx_lookup *lookup = wx_calloc(1, size);
    snprintf(lookup->host, size - sizeof *lookup, "%s", host);
    snprintf(lookup->port, sizeof lookup->port, "%u", port);
    atomic_init(&lookup->users, 1);
    lookup->event_fd = -1;
    look_up(lookup, AI_NUMERICHOST);
    if (lookup->rc == 0) {
        atomic_store_explicit(&lookup->answered, 1,
                              memory_order_relaxed); /* this thread reads it */
        return lookup;
    }
    pthread_t id;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    lookup->event_fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 0);
    atomic_store_explicit(&lookup->users, 2, memory_order_relaxed); /* pthread_create() orders it */
    if (lookup->event_fd < 0 || pthread_create(&id, &attr, look_up_thread, lookup) != 0) {
        atomic_store_explicit(&lookup->users, 1, memory_order_relaxed); /* there is no thread */
        atomic_store_explicit(&lookup->answered, 1, memory_order_relaxed);
        lookup->rc = EAI_MEMORY;
    }
    pthread_attr_destroy(&attr);
    return lookup;
}

bool wx_lookup_poll(struct wx_lookup *lookup, const struct addrinfo **found, const char **why)
{
    if (!atomic_load_explicit(&lookup->answered, memory_order_acquire)) /* look_up_thread() */
        return false;
    *found = lookup->found;
    bool unknown = lookup->rc == EAI_NONAME || lookup->rc == EAI_NODATA;
    *why = lookup->rc == 0 ? "" : unknown ? "cannot resolve the name" : gai_strerror(lookup->rc);
    return true;
}

void wx_lookup_end(struct wx_lookup *lookup)
{
    if (lookup)
        drop(lookup);
}
