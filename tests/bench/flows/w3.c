/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3, the keyed count: each part draws `records` random keys of `keys`, uniform or Zipf(1.0), which
 * are counted by key on the worker that owns it. Prints for each worker
 * `w3 records=<n> distinct=<n> xor=<of key*count>`.
 *
 * -D records=N -D parts=N -D keys=N -D zipf=0|1
 */
#include "../c/keys.h"
#include "parts.h"

#include <stdio.h>

enum { KEYS_PER_CALL = 1024 };

WAX_RECORD(draw_pos, (uint64_t, drawn));
typedef struct draw {
    int64_t records, parts, keys, zipf;
    uint64_t seed;
    struct zipf table; /* slot NULL: uniform keys */
} draw;
WAX_SELF(draw);

WAX_SOURCE(random_keys, int64_t, draw, draw_pos)
{
    /* splitmix64 adds a constant to its state at each draw, so a position gives the state */
    uint64_t random = self->seed + pos->drawn * 0x9e3779b97f4a7c15u;
    uint64_t n = (uint64_t)self->records - pos->drawn, keys = (uint64_t)self->keys;
    if (n > KEYS_PER_CALL)
        n = KEYS_PER_CALL;
    pos->drawn += n;
    if (self->table.slot)
        while (n--)
            wax_emit(out, (int64_t)zipf_key(&self->table, &random));
    else
        while (n--)
            wax_emit(out, (int64_t)uniform_key(&random, keys));
    return pos->drawn < (uint64_t)self->records ? WAX_OK : WAX_EOF;
}
WAX_PARTS(random_keys)
{
    name_parts(parts, self->parts);
    return WAX_OK;
}
WAX_START(random_keys)
{
    int64_t i;
    if (!wax_str_i64(part, &i))
        return wax_fail(cx, "not a part: '" WAX_FMT "'", WAX_ARG(part));
    self->seed = KEY_SEED(i);
    if (self->zipf) {
        self->table = zipf_create((uint64_t)self->keys);
        if (!self->table.slot)
            return wax_fail(cx, "no memory for %lld keys", (long long)self->keys);
    }
    return pos->drawn <= (uint64_t)self->records ? WAX_OK
                                                 : wax_fail(cx, "a position beyond the part");
}
WAX_CLOSE(draw)
{
    free(self->table.slot);
}

WAX_KEY(itself, int64_t, int64_t)
{
    return *in;
}

WAX_RECORD(key_count, (int64_t, key), (int64_t, count));
WAX_KEY_RM(pair, int64_t, int64_t, key_count)
{
    *out = (key_count){key, *in};
    return WAX_EMIT;
}

typedef struct check {
    uint64_t records, distinct, xor;
} check;
WAX_SELF(check);
WAX_SINK(sum_up, key_count, check)
{
    for (uint32_t i = 0; i < n; i++) {
        self->records += (uint64_t)in[i].count;
        self->xor ^= (uint64_t)in[i].key * (uint64_t)in[i].count;
    }
    self->distinct += n;
    return WAX_OK;
}
WAX_CLOSE(check)
{
    printf("w3 records=%llu distinct=%llu xor=%llu\n", (unsigned long long)self->records,
           (unsigned long long)self->distinct, (unsigned long long)self->xor);
    fflush(stdout);
}

WAX_DATAFLOW(w3)
{
    draw args = {.records = wax_param_i64(flow, "records", 1000000),
                 .parts = wax_param_i64(flow, "parts", 1),
                 .keys = wax_param_i64(flow, "keys", 1000000),
                 .zipf = wax_param_i64(flow, "zipf", 0)};
    wax_stream(int64_t) keys = wax_input(flow, "keys", wax_from(random_keys, &args));
    wax_keyed(int64_t) counts = wax_count_final("count", keys, itself);
    wax_stream(key_count) pairs = wax_key_rm("pair", counts, pair);
    wax_output("check", pairs, wax_to(sum_up, &(check){0}));
}
