/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W5, the billion-row challenge: `station;12.3` lines are parsed, keyed by station and folded.
 * Prints `station<TAB>min<TAB>max<TAB>sum<TAB>count`, in tenths, unordered.
 *
 * -D path=FILE
 */
#include <wax/wax.h>

WAX_RECORD(reading, (wax_str, station), (int32_t, tenths));
WAX_RECORD(stats, (int64_t, sum), (int64_t, count), (int32_t, min), (int32_t, max));

WAX_MAP(parse, wax_str, reading)
{
    wax_str rest = *in;
    out->station = wax_str_cut(&rest, ';');
    const char *at = rest.ptr, *end = rest.ptr + rest.len;
    int negative = at < end && *at == '-';
    int32_t tenths = 0;
    for (at += negative; at < end; at++)
        if (*at != '.')
            tenths = tenths * 10 + (*at - '0');
    out->tenths = negative ? -tenths : tenths;
    return WAX_EMIT;
}

WAX_KEY(by_station, reading, wax_str)
{
    return in->station;
}

WAX_FOLD(summary, reading, stats)
{
    state->sum += in->tenths;
    state->count++;
    state->min = in->tenths < state->min ? in->tenths : state->min;
    state->max = in->tenths > state->max ? in->tenths : state->max;
    return WAX_OK;
}
WAX_INIT(summary)
{
    *state = (stats){.min = INT32_MAX, .max = INT32_MIN};
}
WAX_MERGE(summary)
{
    state->sum += other->sum;
    state->count += other->count;
    state->min = other->min < state->min ? other->min : state->min;
    state->max = other->max > state->max ? other->max : state->max;
}

WAX_KEY_RM(to_row, wax_str, stats, wax_str)
{
    *out = wax_fmt(cx, WAX_FMT "\t%d\t%d\t%lld\t%lld", WAX_ARG(key), in->min, in->max,
                   (long long)in->sum, (long long)in->count);
    return WAX_EMIT;
}

WAX_DATAFLOW(w5)
{
    wax_stream(wax_str) lines = wax_input(flow, "lines", wax_lines(wax_param(flow, "path", NULL)));
    wax_stream(reading) readings = wax_map("parse", lines, parse);
    wax_keyed(reading) keyed = wax_key_on("station", readings, by_station);
    wax_keyed(stats) totals = wax_fold_final("summary", keyed, summary);
    wax_output("out", wax_key_rm("row", totals, to_row), wax_stdout());
}
