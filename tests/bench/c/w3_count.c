/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3, the keyed count with an exchange, by hand. Each worker draws N random keys and sends each to
 * the worker that owns it; owners count in a table of cache-line buckets, prefetched in groups.
 * Threads hand over blocks of keys through single-producer rings; two processes write 64 KiB blocks
 * to a loopback TCP socket and never block on it: who cannot write reads instead. Prints, for each
 * worker, `w3 records=<n> distinct=<n> xor=<of key*count>`.
 *
 * usage: w3_count threads|processes WORKERS N K uniform|zipf
 */
#define _GNU_SOURCE
#include "bench.h"
#include "keys.h"
#include "loopback.h"

#include <errno.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define BLOCK_THREADS 1024 /* keys handed to another thread at once */
#define BLOCK_TCP     8192 /* keys written at once: 64 KiB */
#define RING_BLOCKS   64
#define GROUP         64 /* keys whose buckets are fetched together */
#define HUGE_PAGE     (1u << 21)

/* ---- the table ------------------------------------------------------------------------------ */

/* One cache line. A tag is the key plus 1, so 0 says that a place is free; places fill in order. */
struct bucket {
    uint64_t tag[4], count[4];
};

struct table {
    struct bucket *bucket;
    uint64_t mask, distinct, records;
};

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    return x ^ (x >> 29);
}

static void table_init(struct table *table, uint64_t keys)
{
    uint64_t buckets = 64;
    while (buckets * 4 < keys * 2)
        buckets *= 2;
    size_t bytes = (buckets * sizeof(struct bucket) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    table->bucket = aligned_alloc(HUGE_PAGE, bytes);
    if (!table->bucket)
        die("aligned_alloc");
    madvise(table->bucket, bytes, MADV_HUGEPAGE);
    memset(table->bucket, 0, bytes);
    table->mask = buckets - 1;
}

static inline unsigned places_equal(const struct bucket *bucket, uint64_t tag)
{
    __m256i tags = _mm256_load_si256((const __m256i *)bucket->tag);
    __m256i equal = _mm256_cmpeq_epi64(tags, _mm256_set1_epi64x((long long)tag));
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}

static inline void count_key(struct table *table, uint64_t at, uint64_t tag)
{
    for (;; at = (at + 1) & table->mask) {
        struct bucket *bucket = &table->bucket[at];
        unsigned found = places_equal(bucket, tag);
        if (__builtin_expect(found != 0, 1)) {
            bucket->count[__builtin_ctz(found)]++;
            return;
        }
        unsigned vacant = places_equal(bucket, 0);
        if (vacant) {
            bucket->tag[__builtin_ctz(vacant)] = tag;
            bucket->count[__builtin_ctz(vacant)] = 1;
            table->distinct++;
            return;
        }
    }
}

static void count_keys(struct table *table, const uint64_t *key, size_t n)
{
    uint64_t at[GROUP];
    table->records += n;
    for (size_t i = 0; i < n; i += GROUP) {
        size_t group = n - i < GROUP ? n - i : GROUP;
        for (size_t j = 0; j < group; j++) {
            at[j] = (mix(key[i + j]) >> 1) & table->mask; /* bit 0 chose the worker */
            __builtin_prefetch(&table->bucket[at[j]], 1);
        }
        for (size_t j = 0; j < group; j++)
            count_key(table, at[j], key[i + j] + 1);
    }
}

static void print_answer(const struct table *table)
{
    uint64_t check = 0;
    for (uint64_t i = 0; i <= table->mask; i++)
        for (int j = 0; j < 4; j++)
            if (table->bucket[i].tag[j])
                check ^= (table->bucket[i].tag[j] - 1) * table->bucket[i].count[j];
    printf("w3 records=%lu distinct=%lu xor=%lu\n", table->records, table->distinct, check);
}

/* ---- producing, the same for threads and processes ------------------------------------------ */

struct worker;

/* Keys on their way to one owner; `send` takes a full block and leaves an empty one. */
struct outbox {
    uint64_t *key;
    size_t n;
    void (*send)(struct worker *self, int owner);
};

struct worker {
    struct outbox out[2]; /* first, so that partitioning is one indexed store */
    struct table table;
    const struct task *task;
    size_t block;
    int index, fd;
    uint64_t *received; /* processes: bytes read that are not yet whole blocks */
    size_t received_bytes;
    int peer_done;
};

struct task {
    uint64_t records, keys;
    int workers;
    struct zipf zipf; /* slot NULL: uniform */
};

static void send_to_self(struct worker *self, int owner)
{
    count_keys(&self->table, self->out[owner].key, self->out[owner].n);
    self->out[owner].n = 0;
}

static void produce(struct worker *self)
{
    const struct task *task = self->task;
    uint64_t random = KEY_SEED(self->index), several = task->workers > 1;
    for (uint64_t i = 0; i < task->records; i++) {
        uint64_t key =
            task->zipf.slot ? zipf_key(&task->zipf, &random) : uniform_key(&random, task->keys);
        int owner = (int)(mix(key) & several);
        struct outbox *out = &self->out[owner];
        out->key[out->n++] = key;
        if (__builtin_expect(out->n == self->block, 0))
            out->send(self, owner);
    }
    for (int owner = 0; owner < task->workers; owner++)
        if (self->out[owner].n)
            self->out[owner].send(self, owner);
}

static void worker_init(struct worker *self, const struct task *task, int index, size_t block)
{
    *self = (struct worker){.task = task, .index = index, .block = block};
    pin_to_cpu(index);
    table_init(&self->table, task->keys);
    self->out[index] = (struct outbox){must_alloc(block * sizeof(uint64_t)), 0, send_to_self};
}

/* ---- threads -------------------------------------------------------------------------------- */

/* Blocks from one thread to the other. The producer fills the block at `head` in place. */
struct ring {
    _Alignas(128) atomic_size_t head;
    _Alignas(128) atomic_size_t tail;
    _Alignas(128) size_t len[RING_BLOCKS];
    uint64_t block[RING_BLOCKS][BLOCK_THREADS];
};

static struct ring *ring_into[2]; /* what comes in to thread 0 and to thread 1 */
static atomic_int producing;
static pthread_barrier_t start_line;

static void drain_ring(struct worker *self)
{
    struct ring *ring = ring_into[self->index];
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    /* pairs with the release in send_to_thread: the block is written */
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    for (; tail < head; tail++) {
        count_keys(&self->table, ring->block[tail % RING_BLOCKS], ring->len[tail % RING_BLOCKS]);
        /* pairs with the acquire in send_to_thread: the block may be filled again */
        atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    }
}

static void send_to_thread(struct worker *self, int owner)
{
    struct ring *ring = ring_into[owner];
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    ring->len[head % RING_BLOCKS] = self->out[owner].n;
    atomic_store_explicit(&ring->head, ++head, memory_order_release);
    do
        drain_ring(self);
    while (head - atomic_load_explicit(&ring->tail, memory_order_acquire) >= RING_BLOCKS);
    self->out[owner].key = ring->block[head % RING_BLOCKS];
    self->out[owner].n = 0;
}

struct thread_job {
    const struct task *task;
    int index;
};

static void *run_thread(void *argument)
{
    struct thread_job *job = argument;
    struct worker self;
    int other = 1 - job->index;
    worker_init(&self, job->task, job->index, BLOCK_THREADS);
    self.out[other] = (struct outbox){ring_into[other]->block[0], 0, send_to_thread};
    pthread_barrier_wait(&start_line);
    uint64_t start = now_ns();
    produce(&self);
    atomic_fetch_sub(&producing, 1);
    while (atomic_load(&producing))
        drain_ring(&self);
    drain_ring(&self);
    report_seconds(start);
    print_answer(&self.table);
    return NULL;
}

static void run_as_threads(const struct task *task)
{
    struct thread_job job[2] = {{task, 0}, {task, 1}};
    for (int i = 0; i < 2; i++)
        ring_into[i] = must_alloc(sizeof *ring_into[i]);
    atomic_store(&producing, task->workers);
    pthread_barrier_init(&start_line, NULL, (unsigned)task->workers);
    run_threads(task->workers, run_thread, job, sizeof job[0]);
}

/* ---- two processes over TCP ----------------------------------------------------------------- */

static void receive(struct worker *self)
{
    size_t room = BLOCK_TCP * sizeof(uint64_t) * 4;
    char *bytes = (char *)self->received;
    ssize_t n = read(self->fd, bytes + self->received_bytes, room - self->received_bytes);
    if (n < 0 && errno != EAGAIN)
        die("read");
    self->peer_done |= n == 0;
    self->received_bytes += n > 0 ? (size_t)n : 0;
    size_t keys = self->received_bytes / sizeof(uint64_t);
    count_keys(&self->table, self->received, keys);
    self->received_bytes -= keys * sizeof(uint64_t);
    memmove(bytes, bytes + keys * sizeof(uint64_t), self->received_bytes);
}

static void send_to_process(struct worker *self, int owner)
{
    const char *at = (const char *)self->out[owner].key;
    size_t left = self->out[owner].n * sizeof(uint64_t);
    while (left) {
        ssize_t n = write(self->fd, at, left);
        if (n < 0 && errno != EAGAIN)
            die("write");
        at += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
        receive(self);
    }
    self->out[owner].n = 0;
}

/* Both sides are ready before either starts its clock. */
static void wait_for_peer(int fd)
{
    char ready = 1;
    if (write(fd, &ready, 1) != 1 || read(fd, &ready, 1) != 1)
        die("peer");
}

static void run_process(const struct task *task, int index, int fd)
{
    struct worker self;
    size_t bytes = BLOCK_TCP * sizeof(uint64_t);
    worker_init(&self, task, index, BLOCK_TCP);
    self.fd = fd;
    self.received = must_alloc(bytes * 4);
    self.out[1 - index] = (struct outbox){must_alloc(bytes), 0, send_to_process};
    wait_for_peer(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    uint64_t start = now_ns();
    produce(&self);
    shutdown(fd, SHUT_WR);
    while (!self.peer_done)
        receive(&self);
    report_seconds(start);
    print_answer(&self.table);
    exit(0);
}

static int run_as_processes(const struct task *task)
{
    int fd[2], failures = 0;
    connect_pair(fd);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            close(fd[1 - i]);
            run_process(task, i, fd[i]);
        }
    }
    close(fd[0]);
    close(fd[1]);
    for (int status; wait(&status) > 0;)
        failures += status != 0;
    return failures != 0;
}

int main(int argc, char **argv)
{
    int processes = argc == 6 && strcmp(argv[1], "processes") == 0;
    int workers = argc == 6 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (workers < 1 || workers > 2 || (processes && workers != 2)) {
        fprintf(stderr, "usage: w3_count threads|processes 1|2 N K uniform|zipf\n");
        return 2;
    }
    struct task task = {.records = strtoull(argv[3], NULL, 10),
                        .keys = strtoull(argv[4], NULL, 10),
                        .workers = workers};
    if (strcmp(argv[5], "zipf") == 0)
        task.zipf = zipf_create(task.keys);
    if (processes)
        return run_as_processes(&task);
    run_as_threads(&task);
    return 0;
}
