/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W6, latency under a fixed load, without an engine: record i is due at start + i / rate, whatever
 * happened before (open loop). The producer hands each record to the consumer as soon as it is due;
 * the consumer counts it under its key, one of a million, and notes clock minus due time. `same`:
 * one thread does both; `spin`: two threads and a ring, both spinning; `tcp`: two processes and a
 * loopback socket, both spinning. Records of the first WARM seconds are counted but not measured.
 *
 * usage: w6_latency same|spin|tcp RATE SECONDS WARM
 */
#define _GNU_SOURCE
#include "bench.h"
#include "histogram.h"
#include "keys.h"
#include "loopback.h"

#include <errno.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define KEYS         1000000u
#define RING_RECORDS (1u << 16)
#define BURST        4096u /* records handed over at once when late */

struct record {
    uint64_t key, due;
};

struct schedule {
    uint64_t start, records, warm_records;
    double period; /* ns */
};

/* ---- the consumer --------------------------------------------------------------------------- */

struct consumer {
    uint64_t *visits; /* by key */
    uint64_t taken;
    struct schedule schedule;
    struct histogram latency;
};

static struct consumer *consumer_create(struct schedule schedule)
{
    struct consumer *c = must_alloc(sizeof *c);
    c->visits = must_alloc(KEYS * sizeof *c->visits);
    c->schedule = schedule;
    for (uint32_t i = 0; i < KEYS; i++)
        c->visits[i] = 1;
    return c;
}

static inline void consume(struct consumer *c, struct record record)
{
    c->visits[record.key]++;
    uint64_t now = now_ns();
    if (c->taken++ >= c->schedule.warm_records)
        histogram_add(&c->latency, now, record.due);
}

static void print_consumer(const struct consumer *c)
{
    uint64_t visits = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        visits += c->visits[i];
    printf("w6 records=%lu\n", visits);
    histogram_print(&c->latency, "all", stdout);
    fflush(stdout);
}

/* ---- the producer --------------------------------------------------------------------------- */

/* Takes records that are due. */
typedef void hand_over(void *to, const struct record *record, size_t n);

static size_t due_records(const struct schedule *s, uint64_t *next, uint64_t *random,
                          struct record *burst)
{
    size_t n = 0;
    uint64_t now = now_ns();
    for (; *next < s->records && n < BURST; (*next)++) {
        uint64_t due = s->start + (uint64_t)((double)*next * s->period);
        if (due > now)
            break;
        burst[n++] = (struct record){uniform_key(random, KEYS), due};
    }
    return n;
}

static void produce(struct schedule schedule, hand_over *hand, void *to)
{
    static struct record burst[BURST];
    uint64_t next = 0, random = KEY_SEED(0);
    while (next < schedule.records) {
        size_t n = due_records(&schedule, &next, &random, burst);
        if (n)
            hand(to, burst, n);
        else
            _mm_pause();
    }
}

/* ---- one thread ----------------------------------------------------------------------------- */

static void hand_to_self(void *to, const struct record *record, size_t n)
{
    for (size_t i = 0; i < n; i++)
        consume(to, record[i]);
}

static void run_same(struct schedule schedule)
{
    struct consumer *consumer = consumer_create(schedule);
    pin_to_cpu(0);
    produce(schedule, hand_to_self, consumer);
    print_consumer(consumer);
}

/* ---- two threads ---------------------------------------------------------------------------- */

struct ring {
    _Alignas(128) atomic_size_t head;
    _Alignas(128) atomic_size_t tail;
    _Alignas(128) struct record record[RING_RECORDS];
    struct consumer *consumer;
};

static void hand_to_ring(void *to, const struct record *record, size_t n)
{
    struct ring *ring = to;
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    /* pairs with the release in run_consumer: those places may be written again */
    while (head + n - atomic_load_explicit(&ring->tail, memory_order_acquire) > RING_RECORDS)
        _mm_pause();
    for (size_t i = 0; i < n; i++)
        ring->record[(head + i) % RING_RECORDS] = record[i];
    /* pairs with the acquire in run_consumer: the records are written */
    atomic_store_explicit(&ring->head, head + n, memory_order_release);
}

static void *run_consumer(void *argument)
{
    struct ring *ring = argument;
    uint64_t records = ring->consumer->schedule.records;
    pin_to_cpu(1);
    for (size_t tail = 0; tail < records;) {
        size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (head == tail)
            _mm_pause();
        for (; tail < head; tail++)
            consume(ring->consumer, ring->record[tail % RING_RECORDS]);
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
    return NULL;
}

static void run_spin(struct schedule schedule)
{
    struct ring *ring = must_alloc(sizeof *ring);
    pthread_t thread;
    ring->consumer = consumer_create(schedule);
    if (pthread_create(&thread, NULL, run_consumer, ring))
        die("pthread_create");
    pin_to_cpu(0);
    produce(schedule, hand_to_ring, ring);
    pthread_join(thread, NULL);
    print_consumer(ring->consumer);
}

/* ---- two processes -------------------------------------------------------------------------- */

static void hand_to_socket(void *to, const struct record *record, size_t n)
{
    const char *at = (const char *)record;
    size_t left = n * sizeof *record;
    while (left) {
        ssize_t written = write(*(int *)to, at, left);
        if (written < 0 && errno != EAGAIN)
            die("write");
        at += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
}

static void consume_socket(int fd, struct consumer *consumer)
{
    static struct record burst[BURST];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, (char *)burst + have, sizeof burst - have);
        if (n == 0)
            return;
        if (n < 0 && errno != EAGAIN)
            die("read");
        have += n > 0 ? (size_t)n : 0;
        size_t whole = have / sizeof burst[0];
        for (size_t i = 0; i < whole; i++)
            consume(consumer, burst[i]);
        have -= whole * sizeof burst[0];
        memmove(burst, burst + whole, have);
    }
}

static int run_tcp(struct schedule schedule)
{
    int fd[2], status;
    connect_pair(fd);
    for (int i = 0; i < 2; i++)
        fcntl(fd[i], F_SETFL, O_NONBLOCK);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(fd[0]);
        pin_to_cpu(1);
        struct consumer *consumer = consumer_create(schedule);
        consume_socket(fd[1], consumer);
        print_consumer(consumer);
        exit(0);
    }
    close(fd[1]);
    pin_to_cpu(0);
    produce(schedule, hand_to_socket, &fd[0]);
    close(fd[0]);
    return waitpid(pid, &status, 0) < 0 || status != 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: w6_latency same|spin|tcp RATE SECONDS WARM\n");
        return 2;
    }
    double rate = strtod(argv[2], NULL), seconds = strtod(argv[3], NULL);
    double warm = strtod(argv[4], NULL);
    struct schedule schedule = {.start = now_ns() + 100000000,
                                .records = (uint64_t)(rate * (seconds + warm)),
                                .warm_records = (uint64_t)(rate * warm),
                                .period = 1e9 / rate};
    if (strcmp(argv[1], "tcp") == 0)
        return run_tcp(schedule);
    if (strcmp(argv[1], "spin") == 0)
        run_spin(schedule);
    else
        run_same(schedule);
    return 0;
}
