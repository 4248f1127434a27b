/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hand-written programs of the benchmark share: a clock, pinning, a mapped input file
 * and its division at line ends. Each program prints its answer on stdout and, on stderr, one
 * line `seconds=<s>`: the time of the work itself, without exec and exit.
 */
#ifndef BENCH_H
#define BENCH_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 8

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void report_seconds(uint64_t since_ns)
{
    fprintf(stderr, "seconds=%.6f\n", (double)(now_ns() - since_ns) / 1e9);
}

__attribute__((noreturn)) static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

/* On a machine with fewer CPUs the thread simply stays where it is. */
static inline void pin_to_cpu(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static inline void *must_alloc(size_t size)
{
    void *memory = aligned_alloc(128, (size + 127) / 128 * 128);
    if (!memory)
        die("aligned_alloc");
    return memset(memory, 0, size);
}

static inline int thread_count(const char *text)
{
    long threads = strtol(text, NULL, 10);
    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "threads: 1 to %d\n", MAX_THREADS);
        exit(2);
    }
    return (int)threads;
}

struct span {
    const char *at, *end;
};

static inline struct span map_file(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0)
        die(path);
    const char *text = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        die(path);
    close(fd);
    return (struct span){text, text + info.st_size};
}

/* The first byte of the line that begins at or after the `i`-th of `n` equal cuts. */
static inline const char *line_start(struct span text, int i, int n)
{
    const char *cut = text.at + (text.end - text.at) / n * i;
    if (i == 0)
        return text.at;
    if (i == n)
        return text.end;
    const char *newline = memchr(cut, '\n', (size_t)(text.end - cut));
    return newline ? newline + 1 : text.end;
}

/* Share `i` of `n`: whole lines, and every line in exactly one share. */
static inline struct span share_of(struct span text, int i, int n)
{
    return (struct span){line_start(text, i, n), line_start(text, i + 1, n)};
}

/* Runs `body` on `n` elements of `size` bytes, the first on the calling thread; waits for all. */
static inline void run_threads(int n, void *(*body)(void *), void *jobs, size_t size)
{
    pthread_t thread[MAX_THREADS];
    for (int i = 1; i < n; i++)
        if (pthread_create(&thread[i], NULL, body, (char *)jobs + (size_t)i * size))
            die("pthread_create");
    body(jobs);
    for (int i = 1; i < n; i++)
        pthread_join(thread[i], NULL);
}

#endif
