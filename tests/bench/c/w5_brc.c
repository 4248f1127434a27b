/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W5, the billion-row challenge, by hand and simple: a mapped file of `station;12.3` lines is read
 * byte by byte, hashing the name and building the temperature in tenths on the way. Each thread
 * takes a share of the lines. Prints `station<TAB>min<TAB>max<TAB>sum<TAB>count`, in tenths,
 * unordered. Expects well-formed rows.
 *
 * usage: w5_brc FILE THREADS
 */
#define _GNU_SOURCE
#include "bench.h"

#define SLOTS 8192u /* 413 stations; the challenge allows 10,000, which this program does not */

struct station {
    const char *name;
    uint32_t len;
    int32_t min, max;
    int64_t sum, count;
};

struct job {
    struct span rows;
    struct station *table;
};

static struct station *find_station(struct station *table, const char *name, uint32_t len,
                                    uint64_t hash)
{
    for (uint64_t i = (hash ^ (hash >> 32)) & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
        struct station *station = &table[i];
        if (station->name == NULL) {
            *station = (struct station){name, len, INT32_MAX, INT32_MIN, 0, 0};
            return station;
        }
        if (station->len == len && memcmp(station->name, name, len) == 0)
            return station;
    }
}

static uint64_t hash_name(const char *name, uint32_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return hash;
}

static void add_stats(struct station *to, int32_t min, int32_t max, int64_t sum, int64_t count)
{
    to->min = min < to->min ? min : to->min;
    to->max = max > to->max ? max : to->max;
    to->sum += sum;
    to->count += count;
}

static void *read_rows(void *argument)
{
    struct job *job = argument;
    const char *at = job->rows.at, *end = job->rows.end;
    struct station *table = job->table = must_alloc(SLOTS * sizeof *table);
    while (at < end) {
        const char *name = at;
        uint64_t hash = 14695981039346656037u;
        for (; *at != ';'; at++)
            hash = (hash ^ (unsigned char)*at) * 1099511628211u;
        uint32_t len = (uint32_t)(at++ - name);
        int negative = *at == '-';
        int32_t tenths = 0;
        for (at += negative; *at != '\n'; at++)
            if (*at != '.')
                tenths = tenths * 10 + (*at - '0');
        at++;
        tenths = negative ? -tenths : tenths;
        add_stats(find_station(table, name, len, hash), tenths, tenths, tenths, 1);
    }
    return NULL;
}

static void add_table(struct station *to, const struct station *from)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct station *s = &from[i];
        if (s->name)
            add_stats(find_station(to, s->name, s->len, hash_name(s->name, s->len)), s->min, s->max,
                      s->sum, s->count);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: w5_brc FILE THREADS\n");
        return 2;
    }
    uint64_t start = now_ns();
    int threads = thread_count(argv[2]);
    struct span rows = map_file(argv[1]);
    struct job job[MAX_THREADS] = {0};
    for (int i = 0; i < threads; i++)
        job[i].rows = share_of(rows, i, threads);
    run_threads(threads, read_rows, job, sizeof job[0]);
    for (int i = 1; i < threads; i++)
        add_table(job[0].table, job[i].table);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct station *s = &job[0].table[i];
        if (s->name)
            printf("%.*s\t%d\t%d\t%ld\t%ld\n", (int)s->len, s->name, s->min, s->max, s->sum,
                   s->count);
    }
    report_seconds(start);
}
