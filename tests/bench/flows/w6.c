/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W6, latency under a fixed load: record i is due at start + i / rate whatever happened before
 * (open loop), crosses the exchange by key and is counted under its key, one of a million; right
 * after that the clock minus its due time is noted. Before the schedule begins, every key is put
 * into the state once; the records of the first `warm` seconds are counted but not measured.
 *
 * A fold keeps state for each key and nothing for each worker, so latencies go into histograms that
 * the module keeps for each worker; the worker's sink, which gets the counts at the end, prints
 * them: `w6 records=<counted>`, the histogram of all measured records and that of those that
 * changed worker.
 *
 * -D rate=N (all parts) -D seconds=S -D warm=S -D parts=N -D park=0|1 (1: sleep until due)
 */
#define _GNU_SOURCE
#include "../c/histogram.h"
#include "../c/keys.h"
#include "parts.h"

#include <stdio.h>
#include <time.h>

enum { KEYS = 1000000, RECORDS_PER_CALL = 4096, MAX_WORKERS = 16 };
static const int64_t settle_ns = 500000000; /* between the last key and the first due time */

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* `origin`: the worker it comes from; `measured`: not of the warm-up. */
WAX_RECORD(event, (int64_t, key), (int64_t, due_ns), (int32_t, origin), (int32_t, measured));

/* ---- the source: first all keys, then the schedule ------------------------------------------ */

WAX_RECORD(schedule_pos, (int64_t, loaded), (int64_t, sent));
typedef struct schedule {
    double rate, seconds, warm, period_ns;
    int64_t parts, part, park, records, warm_records, start_ns;
    uint64_t random;
} schedule;
WAX_SELF(schedule);

/* The keys of this part: part, part + parts, part + 2 parts... */
static int64_t key_to_load(const schedule *self, const schedule_pos *pos)
{
    return self->part + pos->loaded * self->parts;
}

static int64_t due_of(const schedule *self, int64_t i)
{
    return self->start_ns + (int64_t)((double)i * self->period_ns);
}

WAX_SOURCE(events, event, schedule, schedule_pos)
{
    int32_t origin = (int32_t)wax_worker(cx);
    if (key_to_load(self, pos) < KEYS) {
        for (int i = 0; i < RECORDS_PER_CALL && key_to_load(self, pos) < KEYS; i++, pos->loaded++)
            wax_emit(out, (event){key_to_load(self, pos), 0, origin, 0});
        self->start_ns = clock_ns() + settle_ns;
        return WAX_OK;
    }
    int64_t now = clock_ns(), due = due_of(self, pos->sent);
    for (int i = 0; i < RECORDS_PER_CALL && due <= now && pos->sent < self->records; i++) {
        int64_t key = (int64_t)uniform_key(&self->random, KEYS);
        wax_emit(out, (event){key, due, origin, pos->sent >= self->warm_records});
        due = due_of(self, ++pos->sent);
    }
    if (self->park && due > now)
        *wake = wax_now(cx) + (due - now) / 1000;
    return pos->sent < self->records ? WAX_OK : WAX_EOF;
}
WAX_PARTS(events)
{
    name_parts(parts, self->parts);
    return WAX_OK;
}
WAX_START(events)
{
    double rate = self->rate / (double)self->parts;
    if (!wax_str_i64(part, &self->part))
        return wax_fail(cx, "not a part: '" WAX_FMT "'", WAX_ARG(part));
    self->random = KEY_SEED(self->part);
    self->period_ns = 1e9 / rate;
    self->records = (int64_t)(rate * (self->seconds + self->warm));
    self->warm_records = (int64_t)(rate * self->warm);
    return pos->sent == 0 ? WAX_OK : wax_fail(cx, "a schedule cannot be resumed");
}

/* ---- the state and the measurement ----------------------------------------------------------- */

struct meter {
    _Alignas(128) struct histogram all;
    struct histogram crossed;
};
static struct meter meters[MAX_WORKERS]; /* each written by its own worker only */

WAX_KEY(by_key, event, int64_t)
{
    return in->key;
}

WAX_RECORD(visits, (int64_t, count));
WAX_FOLD(visit, event, visits)
{
    state->count++;
    if (in->measured) {
        struct meter *meter = &meters[wax_worker(cx)];
        uint64_t now = (uint64_t)clock_ns();
        histogram_add(&meter->all, now, (uint64_t)in->due_ns);
        if ((uint32_t)in->origin != wax_worker(cx))
            histogram_add(&meter->crossed, now, (uint64_t)in->due_ns);
    }
    return WAX_OK;
}

/* ---- the sink: counts of all keys, at the end ------------------------------------------------ */

typedef struct report {
    uint32_t worker;
    int64_t records;
} report;
WAX_SELF(report);
WAX_OPEN(report)
{
    self->worker = wax_worker(cx);
    return self->worker < MAX_WORKERS ? WAX_OK : wax_fail(cx, "at most %d workers", MAX_WORKERS);
}
WAX_SINK(add_up, visits, report)
{
    for (uint32_t i = 0; i < n; i++)
        self->records += in[i].count;
    return WAX_OK;
}
WAX_CLOSE(report)
{
    flockfile(stdout);                   /* other workers print at the same time, */
    setvbuf(stdout, NULL, _IOLBF, 4096); /* and other processes: a write for each line */
    printf("w6 records=%lld\n", (long long)self->records);
    histogram_print(&meters[self->worker].all, "all", stdout);
    histogram_print(&meters[self->worker].crossed, "cross", stdout);
    fflush(stdout);
    funlockfile(stdout);
}

WAX_KEY_RM(without_key, int64_t, visits, visits)
{
    *out = *in;
    return WAX_EMIT;
}

WAX_DATAFLOW(w6)
{
    schedule args = {.rate = wax_param_f64(flow, "rate", 100000),
                     .seconds = wax_param_f64(flow, "seconds", 10),
                     .warm = wax_param_f64(flow, "warm", 2),
                     .parts = wax_param_i64(flow, "parts", 1),
                     .park = wax_param_i64(flow, "park", 0)};
    wax_stream(event) all = wax_input(flow, "events", wax_from(events, &args));
    wax_keyed(event) keyed = wax_key_on("key", all, by_key);
    wax_keyed(visits) counts = wax_fold_final("visit", keyed, visit);
    wax_output("report", wax_key_rm("no_key", counts, without_key), wax_to(add_up, &(report){0}));
}
