/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One billion rows: the lowest, mean and highest temperature of every weather station. A line of
 * the input is "Hamburg;12.3"; a line of the output is {"station":"Hamburg","min":12.3,...}.
 *
 *   wax run examples/brc.c -w4 -D path=measurements.txt
 *
 * Temperatures are kept as whole tenths of a degree: sums of them are exact in any order, so the
 * result does not depend on how many workers there are.
 */
#include <wax/wax.h>

WAX_RECORD(reading, (wax_str, station), (int32_t, tenths));
WAX_RECORD(stats, (int64_t, sum), (int64_t, count), (int32_t, min), (int32_t, max));
WAX_RECORD(row, (wax_str, station), (double, min), (double, mean), (double, max));

WAX_MAP(parse, wax_str, reading)
{
    wax_str rest = *in;
    double celsius;
    out->station = wax_str_cut(&rest, ';');
    if (!wax_str_f64(rest, &celsius))
        return wax_fail(cx, "not a temperature: '" WAX_FMT "'", WAX_ARG(rest));
    out->tenths = (int32_t)(celsius * 10 + (celsius < 0 ? -0.5 : 0.5));
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
    if (in->tenths < state->min)
        state->min = in->tenths;
    if (in->tenths > state->max)
        state->max = in->tenths;
    return WAX_OK;
}
WAX_INIT(summary)
{
    *state = (stats){.min = INT32_MAX, .max = INT32_MIN};
}
/* With a merge each worker folds what it reads, and only one state a station and worker travels. */
WAX_MERGE(summary)
{
    state->sum += other->sum;
    state->count += other->count;
    if (other->min < state->min)
        state->min = other->min;
    if (other->max > state->max)
        state->max = other->max;
}

WAX_KEY_RM(to_row, wax_str, stats, row)
{
    out->station = key;
    out->min = in->min / 10.0;
    out->mean = (double)in->sum / (double)in->count / 10.0;
    out->max = in->max / 10.0;
    return WAX_EMIT;
}

WAX_DATAFLOW(brc)
{
    wax_stream(wax_str) lines = wax_input(flow, "in", wax_lines(wax_param(flow, "path", NULL)));
    wax_stream(reading) readings = wax_map("parse", lines, parse);
    wax_keyed(reading) keyed = wax_key_on("station", readings, by_station);
    wax_keyed(stats) totals = wax_fold_final("summary", keyed, summary);
    wax_output("out", wax_key_rm("row", totals, to_row), wax_stdout());
}
