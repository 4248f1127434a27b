/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W1, the map chain: the numbers 0..records-1, divided into `parts`, go through x+1, x*3, drop
 * multiples of 7, x^(x>>5) and an identity flat-map into a sink that counts and sums. Prints
 * `w1 out=<n> sum=<u64>` for each worker; sums add up modulo 2^64.
 *
 * -D records=N -D parts=N
 */
#include "parts.h"

#include <stdio.h>

enum { NUMBERS_PER_CALL = 1024 };

WAX_RECORD(range_pos, (uint64_t, given));
typedef struct range {
    int64_t records, parts;
    uint64_t first, count; /* of this part */
} range;
WAX_SELF(range);

WAX_SOURCE(numbers, uint64_t, range, range_pos)
{
    uint64_t next = self->first + pos->given, end = self->first + self->count;
    if (end - next > NUMBERS_PER_CALL)
        end = next + NUMBERS_PER_CALL;
    for (; next < end; next++)
        wax_emit(out, next);
    pos->given = next - self->first;
    return pos->given < self->count ? WAX_OK : WAX_EOF;
}
WAX_PARTS(numbers)
{
    name_parts(parts, self->parts);
    return WAX_OK;
}
WAX_START(numbers)
{
    int64_t i;
    if (!wax_str_i64(part, &i))
        return wax_fail(cx, "not a part: '" WAX_FMT "'", WAX_ARG(part));
    self->first = (uint64_t)(self->records * i / self->parts);
    self->count = (uint64_t)(self->records * (i + 1) / self->parts) - self->first;
    return pos->given <= self->count ? WAX_OK : wax_fail(cx, "a position beyond the part");
}

WAX_MAP(plus_one, uint64_t, uint64_t)
{
    *out = *in + 1;
    return WAX_EMIT;
}
WAX_MAP(times_three, uint64_t, uint64_t)
{
    *out = *in * 3;
    return WAX_EMIT;
}
WAX_FILTER(no_seven, uint64_t)
{
    return *in % 7 != 0;
}
WAX_MAP(mix, uint64_t, uint64_t)
{
    *out = *in ^ (*in >> 5);
    return WAX_EMIT;
}
WAX_FLAT_MAP(identity, uint64_t, uint64_t)
{
    wax_emit(out, *in);
    return WAX_OK;
}

typedef struct totals {
    uint64_t out, sum;
} totals;
WAX_SELF(totals);
WAX_SINK(total, uint64_t, totals)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += in[i];
    self->out += n;
    self->sum += sum;
    return WAX_OK;
}
WAX_CLOSE(totals)
{
    printf("w1 out=%llu sum=%llu\n", (unsigned long long)self->out, (unsigned long long)self->sum);
    fflush(stdout);
}

WAX_DATAFLOW(w1)
{
    range args = {.records = wax_param_i64(flow, "records", 1000000),
                  .parts = wax_param_i64(flow, "parts", 1)};
    wax_stream(uint64_t) stream = wax_input(flow, "numbers", wax_from(numbers, &args));
    stream = wax_map("plus_one", stream, plus_one);
    stream = wax_map("times_three", stream, times_three);
    stream = wax_filter("no_seven", stream, no_seven);
    stream = wax_map("mix", stream, mix);
    stream = wax_flat_map("identity", stream, identity);
    wax_output("totals", stream, wax_to(total, &(totals){0}));
}
