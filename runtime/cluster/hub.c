/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets under the session. Every socket has a slot: accepted and not yet told what it is for,
 * being called, carrying control messages, or lingering: closed for us, but open until the other
 * side has taken what was sent. The session knows a control connection by a number that is free
 * again before the slot is. Who connects and says nothing, or says nonsense, costs a slot for a few
 * seconds and nothing else.
 */
#include "cluster/hub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cluster/resolve.h"

#define LISTENERS 2u
#define SPARE_SLOTS                                                                                \
    256u /* for connections without a number: data prefaces, strangers, lingering ones */
#define READ_BYTES    16384u
#define OUT_MAX       (8u << 20)     /* unsent control bytes: the other side does not read */
#define STRANGER_WAIT wax_seconds(5) /* for an accepted connection to say what it is */
#define CALL_WAIT     wax_seconds(5) /* for a call to be answered */
#define LINGER_WAIT   wax_seconds(1)
#define RETRY_MIN     wax_millis(20)
#define RETRY_MAX     wax_seconds(1)
#define NO_SLOT       UINT32_MAX

enum slot_kind { SLOT_FREE, SLOT_NEW, SLOT_CALLING, SLOT_CONTROL, SLOT_LINGER };

struct slot {
    enum slot_kind kind;
    int fd;
    uint32_t number; /* CONTROL: the session's */
    uint32_t called; /* the process, or WX_NOBODY */
    bool greeted, shut, local;
    uint32_t wanted; /* epoll events */
    wax_time until;  /* NEW, CALLING, LINGER: closed then */
    struct wx_buf in, out;
};

/* The calls to one process. */
struct call {
    struct wx_lookup *lookup;
    const struct addrinfo *next; /* to try, of the look-up */
    bool resolved;
    uint32_t slot; /* the call under way, or NO_SLOT */
    wax_time at;   /* the next attempt */
    wax_duration retry;
    bool enough; /* this process has reached itself */
    struct sockaddr_storage address;
    socklen_t address_len; /* 0: not reached yet */
};

struct wx_hub {
    struct wx_hub_config config;
    struct wx_session *session;
    int listener[LISTENERS]; /* -1: none */
    bool paused;             /* there was no slot for a caller */
    bool foreign;            /* the own address may belong to another machine */
    uint32_t slots, numbers;
    struct slot *slot;
    uint32_t *slot_of; /* [number]: its slot, or NO_SLOT */
    struct call *call; /* [processes] */
};

/* ---- listening ---------------------------------------------------------------------------------
 */

static int listen_on(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    bool any = address->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    if (bind(fd, address, len) < 0 || listen(fd, SOMAXCONN) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static int listen_everywhere(uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = listen_on((const struct sockaddr *)&six, sizeof six);
    if (fd >= 0 || errno == EADDRINUSE || errno == EACCES)
        return fd;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    return listen_on((const struct sockaddr *)&four, sizeof four);
}

static int listen_localhost(struct wx_hub *hub, uint16_t port)
{
    struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    hub->listener[0] = listen_on((const struct sockaddr *)&four, sizeof four);
    if (hub->listener[0] >= 0)
        hub->listener[1] =
            listen_on((const struct sockaddr *)&six, sizeof six); /* not everywhere there */
    return hub->listener[0];
}

static int start_listening(struct wx_hub *hub, struct wx_error *err)
{
    const struct wx_address *own = &hub->config.addresses->entry[hub->config.self];
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[8];
    int fd = -1;
    snprintf(port, sizeof port, "%u", own->port);
    if (strcmp(own->host, "localhost") == 0) {
        fd = listen_localhost(hub, own->port);
    } else if (getaddrinfo(own->host, port, &hints, &found) == 0) {
        fd = listen_on(found->ai_addr, found->ai_addrlen);
        hub->foreign = fd < 0 && errno == EADDRNOTAVAIL;
        int why = errno;
        freeaddrinfo(found);
        errno = why;
        if (hub->foreign)
            fd = listen_everywhere(own->port);
    } else {
        hub->foreign = true;
        fd = listen_everywhere(own->port);
    }
    if (fd < 0)
        return wx_fail(err, WX_EXIT_NETWORK, "process %u cannot listen on '%s': %s%s",
                       hub->config.self, own->text, strerror(errno),
                       errno == EADDRINUSE ? "; is there another process with the same -i?" : "");
    hub->listener[0] = fd;
    return 0;
}

static void watch(struct wx_hub *hub, int fd, int operation, uint32_t events, uint32_t data)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)hub->config.tag << 32 | data};
    int rc = epoll_ctl(hub->config.epoll, operation, fd, &event);
    WX_ASSERT(rc == 0);
}

/* Listeners come after the slots in the numbering of events. */
static void pause_listening(struct wx_hub *hub, bool paused)
{
    if (hub->paused == paused)
        return;
    hub->paused = paused;
    for (uint32_t i = 0; i < LISTENERS; i++)
        if (hub->listener[i] >= 0)
            watch(hub, hub->listener[i], EPOLL_CTL_MOD, paused ? 0 : EPOLLIN, hub->slots + i);
}

/* ---- slots -------------------------------------------------------------------------------------
 */

static uint32_t take_slot(struct wx_hub *hub, enum slot_kind kind, int fd, uint32_t events,
                          wax_time until)
{
    uint32_t i = 0;
    while (i < hub->slots && hub->slot[i].kind != SLOT_FREE)
        i++;
    if (i == hub->slots)
        return NO_SLOT;
    hub->slot[i] = (struct slot){.kind = kind,
                                 .fd = fd,
                                 .number = WX_NOBODY,
                                 .called = WX_NOBODY,
                                 .wanted = events,
                                 .until = until,
                                 .in.max = WX_MESSAGE_MAX + READ_BYTES,
                                 .out.max = OUT_MAX};
    watch(hub, fd, EPOLL_CTL_ADD, events, i);
    return i;
}

static void free_slot(struct wx_hub *hub, struct slot *slot)
{
    if (slot->fd >= 0)
        close(slot->fd);
    wx_buf_free(&slot->in);
    wx_buf_free(&slot->out);
    *slot = (struct slot){.fd = -1};
    pause_listening(hub, false);
}

static void want(struct wx_hub *hub, struct slot *slot, uint32_t events)
{
    if (slot->wanted == events)
        return;
    slot->wanted = events;
    watch(hub, slot->fd, EPOLL_CTL_MOD, events, (uint32_t)(slot - hub->slot));
}

/* Writes what it can. A broken connection shows itself when it is read. */
static void write_out(struct wx_hub *hub, struct slot *slot)
{
    while (slot->out.len > 0) {
        ssize_t n = send(slot->fd, slot->out.data, slot->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            slot->out.len = 0;
        if (n < 0)
            break;
        wx_buf_consume(&slot->out, (size_t)n);
    }
    want(hub, slot, EPOLLIN | (slot->out.len > 0 ? EPOLLOUT : 0u));
    if (slot->kind == SLOT_LINGER && slot->out.len == 0 && !slot->shut) {
        shutdown(slot->fd, SHUT_WR);
        slot->shut = true;
    }
}

static void linger(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    if (slot->number != WX_NOBODY)
        hub->slot_of[slot->number] = NO_SLOT;
    slot->number = WX_NOBODY;
    slot->kind = SLOT_LINGER;
    slot->until = now + LINGER_WAIT;
    write_out(hub, slot);
}

void wx_hub_send(struct wx_hub *hub, uint32_t conn, const struct wx_message *message)
{
    if (hub->slot_of[conn] == NO_SLOT)
        return;
    struct slot *slot = &hub->slot[hub->slot_of[conn]];
    wx_message_write(message, &slot->out);
    if (slot->out.full)
        shutdown(slot->fd,
                 SHUT_RDWR); /* it has not read for long: reading will say that it is gone */
    else
        write_out(hub, slot);
}

void wx_hub_close(struct wx_hub *hub, wax_time now, uint32_t conn)
{
    if (hub->slot_of[conn] != NO_SLOT)
        linger(hub, &hub->slot[hub->slot_of[conn]], now);
}

/* ---- becoming a control connection
 * --------------------------------------------------------------- */

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

static void become_control(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    uint32_t number = 0;
    while (number < hub->numbers && hub->slot_of[number] != NO_SLOT)
        number++;
    if (number == hub->numbers) {
        free_slot(hub, slot);
        return;
    }
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t here_len = sizeof here, there_len = sizeof there;
    getsockname(slot->fd, (struct sockaddr *)&here, &here_len);
    getpeername(slot->fd, (struct sockaddr *)&there, &there_len);
    slot->local = same_host(&here, &there);
    if (slot->called != WX_NOBODY) {
        hub->call[slot->called].address = there;
        hub->call[slot->called].address_len = there_len;
    }
    int on = 1;
    setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    slot->kind = SLOT_CONTROL;
    slot->number = number;
    hub->slot_of[number] = (uint32_t)(slot - hub->slot);
    want(hub, slot, EPOLLIN);
    uint8_t challenge[WX_CHALLENGE];
    ssize_t got = getrandom(challenge, sizeof challenge, 0);
    WX_ASSERT(got ==
              (ssize_t)sizeof challenge); /* so few bytes never fail once the kernel has started */
    wx_session_connected(hub->session, now, number, slot->called, challenge);
}

static void accept_all(struct wx_hub *hub, wax_time now, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (take_slot(hub, SLOT_NEW, fd, EPOLLIN, now + STRANGER_WAIT) == NO_SLOT) {
            close(fd); /* a process of the cluster calls again; slots are free in a few seconds */
            pause_listening(hub, true);
            return;
        }
    }
}

/* Reads up to `want_len` bytes into `in`. Returns 1: they are there; 0: not yet; -1: the connection
 * is gone. */
static int read_exactly(struct slot *slot, size_t want_len)
{
    while (slot->in.len < want_len) {
        void *to = wx_buf_reserve(&slot->in, want_len - slot->in.len);
        ssize_t n = to ? recv(slot->fd, to, want_len - slot->in.len, 0) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
        slot->in.len += (size_t)n;
    }
    return 1;
}

/* An accepted connection says what it is in its first bytes; what follows a preface is the worker's
 * to read. */
static void read_new(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    int rc = read_exactly(slot, 8);
    enum wx_magic magic = rc == 1 ? wx_message_magic(slot->in.data) : WX_MAGIC_NONE;
    if (rc == 0)
        return;
    if (magic == WX_MAGIC_CONTROL) {
        become_control(hub, slot, now);
        return;
    }
    if (magic == WX_MAGIC_DATA) {
        rc = read_exactly(slot, WX_PREFACE_BYTES);
        if (rc == 0)
            return;
        struct wx_preface preface;
        if (rc == 1 && wx_preface_read((const uint8_t *)slot->in.data, &preface)) {
            int fd = slot->fd;
            epoll_ctl(hub->config.epoll, EPOLL_CTL_DEL, fd, NULL);
            slot->fd = -1;
            free_slot(hub, slot);
            hub->config.accept_data(hub->config.arg, &preface, fd);
            return;
        }
    }
    free_slot(hub, slot);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static void lose(struct wx_hub *hub, struct slot *slot, wax_time now, const char *why)
{
    uint32_t number = slot->number;
    hub->slot_of[number] = NO_SLOT;
    free_slot(hub, slot);
    wx_session_closed(hub->session, now, number, why);
}

/* Hands all whole messages to the session, which may close the connection at any of them. */
static void take_messages(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    size_t at = 0;
    while (slot->kind == SLOT_CONTROL) {
        struct wx_message message;
        struct wx_error err;
        size_t used = 0;
        int rc = wx_message_read(slot->in.data + at, slot->in.len - at, slot->greeted,
                                 wx_session_message_max(hub->session, slot->number), &message,
                                 &used, &err);
        if (rc < 0) {
            lose(hub, slot, now, err.text);
            return;
        }
        if (rc == 0)
            break;
        at += used;
        slot->greeted = true;
        wx_session_message(hub->session, now, slot->number, &message);
    }
    if (slot->kind == SLOT_CONTROL)
        wx_buf_consume(&slot->in, at);
}

static void read_control(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    void *to = wx_buf_reserve(&slot->in, READ_BYTES);
    ssize_t n = to ? recv(slot->fd, to, READ_BYTES, 0) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        lose(hub, slot, now, n < 0 ? "the connection broke" : "the connection was closed");
        return;
    }
    slot->in.len += (size_t)n;
    take_messages(hub, slot, now);
}

static void read_linger(struct wx_hub *hub, struct slot *slot)
{
    char waste[4096];
    ssize_t n = recv(slot->fd, waste, sizeof waste, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        free_slot(hub, slot);
}

/* ---- calling -----------------------------------------------------------------------------------
 */

static void call_failed(struct wx_hub *hub, uint32_t peer, wax_time now, const char *why)
{
    struct call *call = &hub->call[peer];
    call->slot = NO_SLOT;
    if (call->next)
        return; /* another address of the name is tried first */
    wx_lookup_end(call->lookup);
    call->lookup = NULL;
    call->at = now + call->retry;
    call->retry = call->retry * 2 > RETRY_MAX ? RETRY_MAX : call->retry * 2;
    if (peer != hub->config.self)
        wx_session_waiting(hub->session, now, peer, why);
}

static void call_answered(struct wx_hub *hub, struct slot *slot, wax_time now)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct call *call = &hub->call[slot->called];
    getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        uint32_t peer = slot->called;
        free_slot(hub, slot);
        call_failed(hub, peer, now, strerror(error));
        return;
    }
    call->slot = NO_SLOT;
    call->next = NULL;
    wx_lookup_end(call->lookup);
    call->lookup = NULL;
    call->at = now + call->retry; /* should the handshake fail */
    call->enough = true;
    become_control(hub, slot, now);
}

static void try_address(struct wx_hub *hub, uint32_t peer, wax_time now)
{
    struct call *call = &hub->call[peer];
    const struct addrinfo *to = call->next;
    call->next = to->ai_next;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        call_failed(hub, peer, now, strerror(why));
        return;
    }
    call->slot = take_slot(hub, SLOT_CALLING, fd, EPOLLOUT, now + CALL_WAIT);
    if (call->slot == NO_SLOT) {
        close(fd);
        call_failed(hub, peer, now, "too many connections");
        return;
    }
    hub->slot[call->slot].called = peer;
}

static void call_peer(struct wx_hub *hub, uint32_t peer, wax_time now)
{
    struct call *call = &hub->call[peer];
    const struct wx_address *address = &hub->config.addresses->entry[peer];
    if (call->slot != NO_SLOT || (!call->lookup && now < call->at))
        return;
    if (!call->lookup) {
        call->lookup = wx_lookup_start(address->host, address->port, hub->config.event);
        call->resolved = false;
    }
    if (!call->resolved) {
        const char *why;
        if (!wx_lookup_poll(call->lookup, &call->next, &why))
            return;
        call->resolved = true;
        if (!call->next) {
            call_failed(hub, peer, now, why);
            return;
        }
    }
    while (call->slot == NO_SLOT && call->lookup && call->next)
        try_address(hub, peer, now);
}

/* ---- events and time
 * ----------------------------------------------------------------------------- */

void wx_hub_event(struct wx_hub *hub, wax_time now, uint32_t data, uint32_t events)
{
    if (data >= hub->slots) {
        accept_all(hub, now, hub->listener[data - hub->slots]);
        return;
    }
    struct slot *slot = &hub->slot[data];
    switch (slot->kind) {
    case SLOT_NEW:
        read_new(hub, slot, now);
        break;
    case SLOT_CALLING:
        call_answered(hub, slot, now);
        break;
    case SLOT_CONTROL:
        if (events & EPOLLOUT)
            write_out(hub, slot);
        if (events & ~(uint32_t)EPOLLOUT)
            read_control(hub, slot, now);
        break;
    case SLOT_LINGER:
        if (events & EPOLLOUT)
            write_out(hub, slot);
        if (events & ~(uint32_t)EPOLLOUT)
            read_linger(hub, slot);
        break;
    case SLOT_FREE:
        break; /* closed by an earlier event of the same round */
    }
}

void wx_hub_tick(struct wx_hub *hub, wax_time now)
{
    for (uint32_t i = 0; i < hub->slots; i++) {
        struct slot *slot = &hub->slot[i];
        if (slot->kind == SLOT_FREE || slot->kind == SLOT_CONTROL || now < slot->until)
            continue;
        uint32_t called = slot->kind == SLOT_CALLING ? slot->called : WX_NOBODY;
        free_slot(hub, slot);
        if (called != WX_NOBODY)
            call_failed(hub, called, now, "the connection timed out");
    }
    for (uint32_t peer = 0; peer <= hub->config.self; peer++) {
        bool itself = peer == hub->config.self;
        if (itself && (!hub->foreign || hub->call[peer].enough))
            continue;
        bool connecting = false;
        for (uint32_t n = 0; n < hub->numbers && !connecting; n++)
            connecting = hub->slot_of[n] != NO_SLOT && hub->slot[hub->slot_of[n]].called == peer;
        if (!connecting && wx_session_wants(hub->session, peer))
            call_peer(hub, peer, now);
    }
}

wax_time wx_hub_next_tick(const struct wx_hub *hub)
{
    wax_time next = INT64_MAX;
    for (uint32_t i = 0; i < hub->slots; i++) {
        const struct slot *slot = &hub->slot[i];
        if (slot->kind != SLOT_FREE && slot->kind != SLOT_CONTROL && slot->until < next)
            next = slot->until;
    }
    for (uint32_t peer = 0; peer <= hub->config.self; peer++) {
        const struct call *call = &hub->call[peer];
        bool due = !call->lookup && call->slot == NO_SLOT && wx_session_wants(hub->session, peer);
        if (peer == hub->config.self)
            due = due && hub->foreign && !call->enough;
        if (due && call->at < next)
            next = call->at;
    }
    return next;
}

void wx_hub_shut(struct wx_hub *hub, wax_time now)
{
    for (uint32_t i = 0; i < LISTENERS; i++) {
        if (hub->listener[i] >= 0)
            close(hub->listener[i]);
        hub->listener[i] = -1;
    }
    for (uint32_t i = 0; i < hub->slots; i++) {
        struct slot *slot = &hub->slot[i];
        if (slot->kind == SLOT_CONTROL)
            linger(hub, slot, now);
        else if (slot->kind != SLOT_LINGER && slot->kind != SLOT_FREE)
            free_slot(hub, slot);
    }
}

bool wx_hub_is_quiet(const struct wx_hub *hub)
{
    for (uint32_t i = 0; i < hub->slots; i++)
        if (hub->slot[i].kind != SLOT_FREE)
            return false;
    return true;
}

/* ---- life --------------------------------------------------------------------------------------
 */

struct wx_hub *wx_hub_create(const struct wx_hub_config *config, struct wx_error *err)
{
    struct wx_hub *hub = wx_calloc(1, sizeof *hub);
    hub->config = *config;
    for (uint32_t i = 0; i < LISTENERS; i++)
        hub->listener[i] = -1;
    if (start_listening(hub, err) < 0) {
        free(hub);
        return NULL;
    }
    hub->call = wx_calloc(config->addresses->n, sizeof *hub->call);
    for (uint32_t i = 0; i < config->addresses->n; i++) {
        hub->call[i].slot = NO_SLOT;
        hub->call[i].retry = RETRY_MIN;
    }
    return hub;
}

void wx_hub_serve(struct wx_hub *hub, struct wx_session *session)
{
    hub->session = session;
    hub->numbers = wx_session_conns(session);
    hub->slots = hub->numbers + SPARE_SLOTS;
    hub->slot = wx_calloc(hub->slots, sizeof *hub->slot);
    hub->slot_of = wx_calloc(hub->numbers, sizeof *hub->slot_of);
    for (uint32_t i = 0; i < hub->numbers; i++)
        hub->slot_of[i] = NO_SLOT;
    for (uint32_t i = 0; i < hub->slots; i++)
        hub->slot[i].fd = -1;
    for (uint32_t i = 0; i < LISTENERS; i++)
        if (hub->listener[i] >= 0)
            watch(hub, hub->listener[i], EPOLL_CTL_ADD, EPOLLIN, hub->slots + i);
}

void wx_hub_destroy(struct wx_hub *hub)
{
    if (!hub)
        return;
    for (uint32_t i = 0; i < LISTENERS; i++)
        if (hub->listener[i] >= 0)
            close(hub->listener[i]);
    for (uint32_t i = 0; i < hub->slots; i++) {
        struct slot *slot = &hub->slot[i];
        if (slot->fd >= 0)
            close(slot->fd);
        wx_buf_free(&slot->in);
        wx_buf_free(&slot->out);
    }
    for (uint32_t i = 0; i < hub->config.addresses->n; i++)
        wx_lookup_end(hub->call[i].lookup);
    free(hub->call);
    free(hub->slot);
    free(hub->slot_of);
    free(hub);
}

bool wx_hub_peer(const struct wx_hub *hub, uint32_t peer, struct sockaddr_storage *address,
                 socklen_t *len)
{
    *address = hub->call[peer].address;
    *len = hub->call[peer].address_len;
    return *len > 0;
}

uint32_t wx_hub_neighbours(const struct wx_hub *hub)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < hub->slots; i++)
        n += hub->slot[i].kind == SLOT_CONTROL && hub->slot[i].local;
    return n;
}
