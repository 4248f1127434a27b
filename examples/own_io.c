/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source and a sink of one's own: made-up thermometers, one part each, and a file per worker that
 * is opened before the first record and closed after the last.
 *
 *   wax run examples/own_io.c -w2 -D readings=1000 -D to=hot
 *
 * Shows the position of a source, which the runtime keeps for it, per-worker structs (SELF) with
 * their hooks, a body with parameters, and inspect. Readings above 30 degrees go to hot.0, hot.1,
 * ...
 */
#include <stdio.h>
#include <wax/wax.h>

#define BATCH                                                                                      \
    200 /* readings a call: enough to be quick, few enough to keep others waiting briefly */

WAX_RECORD(reading, (int64_t, thermometer), (int64_t, number), (double, celsius));

/* ---- the source ------------------------------------------------------------------------------ */

typedef struct thermometers {
    int64_t count;    /* how many there are */
    int64_t readings; /* that each gives before it is switched off */
    int64_t which;    /* the one that this part reads */
} thermometers;
WAX_SELF(thermometers);

WAX_RECORD(progress, (int64_t, next));

WAX_SOURCE(measure, reading, thermometers, progress)
{
    for (int i = 0; i < BATCH && pos->next < self->readings; i++, pos->next++) {
        int64_t noise = (self->which * 7919 + pos->next * 104729) % 400;
        wax_emit(out, (reading){self->which, pos->next, (double)noise / 10});
    }
    return pos->next < self->readings ? WAX_OK : WAX_EOF;
}
WAX_PARTS(measure)
{
    for (int64_t i = 0; i < self->count; i++)
        wax_part(parts, "%lld", (long long)i);
    return WAX_OK;
}
WAX_START(measure)
{
    return wax_str_i64(part, &self->which) ? WAX_OK : wax_fail(cx, "not a thermometer");
}

/* ---- the sink -------------------------------------------------------------------------------- */

typedef struct report {
    const char *prefix;
    FILE *file;
} report;
WAX_SELF(report);

WAX_OPEN(report)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%u", self->prefix, (unsigned)wax_worker(cx));
    self->file = fopen(path, "w");
    return self->file ? WAX_OK : wax_fail(cx, "cannot write '%s'", path);
}
WAX_CLOSE(report)
{
    if (self->file)
        fclose(self->file);
}
WAX_SINK(write_down, reading, report)
{
    for (uint32_t i = 0; i < n; i++)
        if (fprintf(self->file, "%lld %.1f\n", (long long)in[i].thermometer, in[i].celsius) < 0)
            return wax_fail(cx, "cannot write the report");
    return WAX_OK;
}

/* ---- the dataflow ---------------------------------------------------------------------------- */

typedef struct limit {
    double celsius;
} limit;
WAX_SELF(limit);

WAX_FILTER(is_above, reading, limit)
{
    return in->celsius > self->celsius;
}

WAX_INSPECT(first_of_each, reading)
{
    if (in->number == 0)
        fprintf(stderr, "thermometer %lld works\n", (long long)in->thermometer);
}

WAX_KEY(by_thermometer, reading, int64_t)
{
    return in->thermometer;
}

WAX_REDUCE(hotter, reading)
{
    if (in->celsius > acc->celsius || (in->celsius == acc->celsius && in->number < acc->number))
        *acc = *in;
    return WAX_OK;
}

WAX_DATAFLOW(own_io)
{
    thermometers all = {.count = wax_param_i64(flow, "thermometers", 3),
                        .readings = wax_param_i64(flow, "readings", 1000)};
    report hot_ones = {.prefix = wax_param(flow, "to", "hot")};
    limit warm = {wax_param_f64(flow, "above", 30.0)};

    wax_stream(reading) readings = wax_input(flow, "measure", wax_from(measure, &all));
    readings = wax_inspect("first", readings, first_of_each);
    wax_stream(reading) hot = wax_filter("above", readings, is_above, &warm);
    wax_output("hot", hot, wax_to(write_down, &hot_ones));

    wax_keyed(reading) keyed = wax_key_on("thermometer", readings, by_thermometer);
    wax_keyed(reading) highest = wax_reduce_final("highest", keyed, hotter);
    wax_output("out", wax_key_rm("record", highest), wax_stdout());
}
