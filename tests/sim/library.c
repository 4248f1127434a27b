/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of random dataflows. What decides about a record is made from its value by `digest`,
 * so that every seed gives other decisions. All of them are deterministic, and what is folded does
 * not depend on the order of records: a dataflow has the same results however it is scheduled.
 *
 * Naming: n_ takes numbers, s_ texts, p_ parcels, t_ tallies, a_ albums, l_ ledgers, f_ failures.
 */
#include "sim/library.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/random.h"

/* ---- what both sides share: arithmetic on single values -------------------------------------- */

static int64_t twist(int64_t x)
{
    return (int64_t)sim_mix((uint64_t)x, 17) >> 40;
}

static uint32_t digest(int64_t x, uint32_t salt, uint32_t n)
{
    return (uint32_t)(sim_mix((uint64_t)x, salt) % n);
}

static int64_t add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int compare_texts(wax_str a, wax_str b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int64_t text_value(wax_str text)
{
    uint64_t value = text.len;
    for (uint32_t i = 0; i < text.len && i < 32; i++)
        value = value * 31 + (unsigned char)text.ptr[i];
    return (int64_t)(value & 0xffffff);
}

/* The word of `text` that begins at or after `*at`; `*at` moves behind it. Blanks divide words. */
static bool next_word(wax_str text, uint32_t *at, wax_str *word)
{
    while (*at < text.len && text.ptr[*at] == ' ')
        ++*at;
    uint32_t begin = *at;
    while (*at < text.len && text.ptr[*at] != ' ')
        ++*at;
    *word = (wax_str){text.ptr + begin, *at - begin};
    return *at > begin;
}

static wax_str first_word(wax_str text)
{
    wax_str word = {"", 0};
    uint32_t at = 0;
    next_word(text, &at, &word);
    return word;
}

#define BURST      3000u /* results of one record in a burst: several batches */
#define SPREAD     64
#define GROW_MAX   4096u /* longer texts do not grow */
#define SHARED_MAX 1000u /* longer texts are not copied in bursts */

/* Copies of a record that a burst makes. */
static uint32_t burst(int64_t value)
{
    return digest(value, 3, 64) == 0 ? BURST : digest(value, 4, 3);
}

/* ---- the interpreter's side -------------------------------------------------------------------
 */

static struct sim_item *put(struct sim_emit *emit, enum sim_type type)
{
    if (emit->n == emit->cap) {
        emit->cap = emit->cap ? emit->cap * 2 : 8;
        emit->item = wx_realloc(emit->item, emit->cap * sizeof *emit->item);
    }
    struct sim_item *item = &emit->item[emit->n++];
    *item = (struct sim_item){.type = type,
                              .key = emit->in->key,
                              .key_number = emit->in->key_number,
                              .key_text = emit->in->key_text};
    return item;
}

static int give_number(struct sim_emit *emit, int64_t value)
{
    put(emit, SIM_NUMBER)->number[0] = value;
    return 0;
}

static int give_text(struct sim_emit *emit, wax_str text)
{
    put(emit, SIM_TEXT)->text[0] = text;
    return 0;
}

/* A parcel of unknown origin. */
static int give_parcel(struct sim_emit *emit, int64_t value, wax_str text)
{
    struct sim_item *out = put(emit, SIM_PARCEL);
    out->number[0] = value;
    out->number[1] = -1;
    out->text[0] = text;
    return 0;
}

/* The parcel that came in, with another value and text. */
static int give_changed(struct sim_emit *emit, int64_t value, wax_str text)
{
    struct sim_item *out = put(emit, SIM_PARCEL);
    memcpy(out->number, emit->in->number, sizeof out->number);
    out->number[0] = value;
    out->text[0] = text;
    return 0;
}

static int refuse(struct sim_emit *emit, const char *text)
{
    emit->message = wax_from_c(text);
    emit->n = 0;
    return -1;
}

static sim_parcel changed(const sim_parcel *in, int64_t value, wax_str text)
{
    return (sim_parcel){value, in->origin, in->seq, in->epoch, text};
}

/* ---- numbers: map, filter, flat_map -----------------------------------------------------------
 */

WAX_MAP(n_twist, int64_t, int64_t)
{
    *out = twist(*in);
    return WAX_EMIT;
}
static int pure_n_twist(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, twist(in->number[0]));
}

WAX_MAP(n_some, int64_t, int64_t)
{
    *out = add(*in, 1);
    return digest(*in, 1, 3) ? WAX_EMIT : WAX_DROP;
}
static int pure_n_some(const struct sim_item *in, struct sim_emit *emit)
{
    return digest(in->number[0], 1, 3) ? give_number(emit, add(in->number[0], 1)) : 0;
}

WAX_MAP(n_parcel, int64_t, sim_parcel)
{
    *out =
        (sim_parcel){*in, -1, 0, 0, wax_fmt(cx, "No %" PRId64 " of %u", *in, digest(*in, 2, 1000))};
    return WAX_EMIT;
}
static int pure_n_parcel(const struct sim_item *in, struct sim_emit *emit)
{
    int64_t x = in->number[0];
    return give_parcel(emit, x,
                       sim_arena_fmt(emit->arena, "No %" PRId64 " of %u", x, digest(x, 2, 1000)));
}

WAX_MAP(n_text, int64_t, wax_str)
{
    char text[400];
    uint32_t len = digest(*in, 5, sizeof text);
    memset(text, 'a' + (int)digest(*in, 6, 26), len);
    *out = wax_dup(cx, text, len);
    return WAX_EMIT;
}
static int pure_n_text(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t len = digest(in->number[0], 5, 400);
    char *text = sim_arena_alloc(emit->arena, len);
    memset(text, 'a' + (int)digest(in->number[0], 6, 26), len);
    return give_text(emit, (wax_str){text, len});
}

/* A resource that must be opened before the first record and closed after the last. */
static _Atomic int64_t open_count;

int64_t sim_library_open_count(void)
{
    return atomic_load_explicit(&open_count, memory_order_relaxed); /* nobody else is running */
}

typedef struct factor {
    int64_t times;
    int64_t *handle;
} factor;
WAX_SELF(factor);
WAX_OPEN(factor)
{
    self->handle = wx_alloc(sizeof *self->handle);
    *self->handle = self->times;
    atomic_fetch_add_explicit(&open_count, 1, memory_order_relaxed); /* a count, read at the end */
    return WAX_OK;
}
WAX_CLOSE(factor)
{
    atomic_fetch_sub_explicit(&open_count, self->handle != NULL, memory_order_relaxed);
    free(self->handle);
}
static const factor times_five = {.times = 5};

WAX_MAP(n_self, int64_t, int64_t, factor)
{
    *out = add(*in, *self->handle);
    return WAX_EMIT;
}
static int pure_n_self(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, add(in->number[0], times_five.times));
}

WAX_INSPECT(n_look, int64_t)
{
    (void)in;
}
static int pure_n_look(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, in->number[0]);
}

WAX_FILTER(n_half, int64_t)
{
    return digest(*in, 7, 2) == 0;
}
static int pure_n_half(const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    return digest(in->number[0], 7, 2) == 0;
}

WAX_FILTER(n_none, int64_t)
{
    return 0;
}
static int pure_none(const struct sim_item *in, struct sim_emit *emit)
{
    (void)in, (void)emit;
    return 0;
}

WAX_FILTER(n_all, int64_t)
{
    return 1;
}
static int pure_all(const struct sim_item *in, struct sim_emit *emit)
{
    (void)in, (void)emit;
    return 1;
}

WAX_FLAT_MAP(n_repeat, int64_t, int64_t)
{
    uint32_t times = digest(*in, 8, 4);
    for (uint32_t i = 0; i < times; i++)
        wax_emit(out, add(*in, i));
    return WAX_OK;
}
static int pure_n_repeat(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t times = digest(in->number[0], 8, 4);
    for (uint32_t i = 0; i < times; i++)
        give_number(emit, add(in->number[0], i));
    return 0;
}

WAX_FLAT_MAP(n_burst, int64_t, int64_t)
{
    uint32_t times = burst(*in);
    for (uint32_t i = 0; i < times; i++)
        wax_emit(out, add(*in, i));
    return WAX_OK;
}
static int pure_n_burst(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t times = burst(in->number[0]);
    for (uint32_t i = 0; i < times; i++)
        give_number(emit, add(in->number[0], i));
    return 0;
}

/* All different: what is counted by them has many keys. */
WAX_FLAT_MAP(n_spread, int64_t, int64_t)
{
    for (int64_t i = 0; i < SPREAD; i++)
        wax_emit(out, (int64_t)((uint64_t)*in * SPREAD) + i);
    return WAX_OK;
}
static int pure_n_spread(const struct sim_item *in, struct sim_emit *emit)
{
    for (int64_t i = 0; i < SPREAD; i++)
        give_number(emit, (int64_t)((uint64_t)in->number[0] * SPREAD) + i);
    return 0;
}

WAX_FLAT_MAP(n_parcels, int64_t, sim_parcel)
{
    uint32_t times = digest(*in, 9, 3);
    for (uint32_t i = 0; i < times; i++) {
        sim_parcel *parcel = wax_slot(out);
        *parcel = (sim_parcel){i, -1, 0, 0, wax_fmt(cx, "%" PRId64 " %u", *in, i)};
    }
    return WAX_OK;
}
static int pure_n_parcels(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t times = digest(in->number[0], 9, 3);
    for (uint32_t i = 0; i < times; i++)
        give_parcel(emit, i, sim_arena_fmt(emit->arena, "%" PRId64 " %u", in->number[0], i));
    return 0;
}

/* ---- numbers: bodies that refuse records -------------------------------------------------------
 */

WAX_MAP(n_refuse, int64_t, int64_t)
{
    if (digest(*in, 10, 6) == 0)
        return wax_fail(cx, "number %" PRId64 " is unwanted", *in);
    *out = *in;
    return WAX_EMIT;
}
static int pure_n_refuse(const struct sim_item *in, struct sim_emit *emit)
{
    if (digest(in->number[0], 10, 6) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "number %" PRId64 " is unwanted", in->number[0]);
        return -1;
    }
    return give_number(emit, in->number[0]);
}

/* Says that it fails and returns as if it had not: the engine must notice. */
WAX_MAP(n_murmur, int64_t, int64_t)
{
    if (digest(*in, 11, 40) == 0)
        wax_fail(cx, "no, not %" PRId64, *in);
    *out = add(*in, -1);
    return digest(*in, 12, 5) ? WAX_EMIT : WAX_DROP;
}
static int pure_n_murmur(const struct sim_item *in, struct sim_emit *emit)
{
    if (digest(in->number[0], 11, 40) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "no, not %" PRId64, in->number[0]);
        return -1;
    }
    return digest(in->number[0], 12, 5) ? give_number(emit, add(in->number[0], -1)) : 0;
}

WAX_FILTER(n_picky, int64_t)
{
    if (digest(*in, 13, 9) == 0)
        return WAX_FAIL;
    return digest(*in, 14, 2) == 0;
}
static int pure_n_picky(const struct sim_item *in, struct sim_emit *emit)
{
    if (digest(in->number[0], 13, 9) == 0)
        return refuse(emit, "the body gave no reason");
    return digest(in->number[0], 14, 2) == 0;
}

/* Refuses after it has given results, sometimes several batches of them. */
WAX_FLAT_MAP(n_regret, int64_t, int64_t)
{
    uint32_t times = burst(*in);
    for (uint32_t i = 0; i < times; i++)
        wax_emit(out, add(*in, i));
    if (digest(*in, 15, 4) == 0)
        return wax_fail(cx, "changed its mind after %u", times);
    return WAX_OK;
}
static int pure_n_regret(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t times = burst(in->number[0]);
    if (digest(in->number[0], 15, 4) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "changed its mind after %u", times);
        return -1;
    }
    for (uint32_t i = 0; i < times; i++)
        give_number(emit, add(in->number[0], i));
    return 0;
}

/* Some records become more than SIM_FANOUT_MAX bytes. */
WAX_FLAT_MAP(n_explode, int64_t, int64_t)
{
    uint32_t times = digest(*in, 16, 150) ? 1 : 2 * SIM_FANOUT_MAX / 8;
    for (uint32_t i = 0; i < times; i++)
        wax_emit(out, add(*in, i));
    return WAX_OK;
}
static int pure_n_explode(const struct sim_item *in, struct sim_emit *emit)
{
    if (digest(in->number[0], 16, 150))
        return give_number(emit, in->number[0]);
    emit->message =
        sim_arena_fmt(emit->arena, "more than %u bytes of results from one record (--max-fanout)",
                      SIM_FANOUT_MAX);
    return -1;
}

/* ---- numbers: keys and folds --------------------------------------------------------------------
 */

static int give_keyed_number(struct sim_emit *emit, int64_t key)
{
    struct sim_item *out = put(emit, emit->in->type);
    *out = *emit->in;
    out->key = SIM_KEY_NUMBER;
    out->key_number = key;
    out->key_text = (wax_str){NULL, 0};
    return 0;
}

static int give_keyed_text(struct sim_emit *emit, wax_str key)
{
    struct sim_item *out = put(emit, emit->in->type);
    *out = *emit->in;
    out->key = SIM_KEY_TEXT;
    out->key_number = 0;
    out->key_text = key;
    return 0;
}

WAX_KEY(n_few, int64_t, int64_t)
{
    return (int64_t)digest(*in, 18, 7) - 3;
}
static int pure_n_few(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, (int64_t)digest(in->number[0], 18, 7) - 3);
}

WAX_KEY(n_wide, int64_t, int64_t)
{
    return *in;
}
static int pure_n_wide(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, in->number[0]);
}

WAX_KEY(n_hot, int64_t, int64_t)
{
    return digest(*in, 19, 50) ? 0 : INT64_MIN;
}
static int pure_n_hot(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, digest(in->number[0], 19, 50) ? 0 : INT64_MIN);
}

WAX_KEY(n_name, int64_t, wax_str)
{
    return wax_fmt(cx, "%*u", (int)digest(*in, 20, 40), digest(*in, 21, 50));
}
static int pure_n_name(const struct sim_item *in, struct sim_emit *emit)
{
    int64_t x = in->number[0];
    return give_keyed_text(
        emit, sim_arena_fmt(emit->arena, "%*u", (int)digest(x, 20, 40), digest(x, 21, 50)));
}

WAX_KEY(n_keyless, int64_t, int64_t)
{
    if (digest(*in, 22, 11) == 0)
        wax_fail(cx, "%" PRId64 " has no key", *in);
    return digest(*in, 23, 100);
}
static int pure_n_keyless(const struct sim_item *in, struct sim_emit *emit)
{
    int64_t x = in->number[0];
    if (digest(x, 22, 11) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "%" PRId64 " has no key", x);
        return -1;
    }
    return give_keyed_number(emit, digest(x, 23, 100));
}

WAX_KEY_RM(n_join, int64_t, int64_t, int64_t)
{
    *out = add(key, twist(*in));
    return WAX_EMIT;
}
static int pure_n_join(const struct sim_item *in, struct sim_emit *emit)
{
    give_number(emit, add(in->key_number, twist(in->number[0])));
    emit->item[0].key = SIM_KEY_NONE;
    emit->item[0].key_number = 0;
    return 0;
}

WAX_KEY_RM(n_label, wax_str, int64_t, sim_parcel)
{
    if (digest(*in, 24, 9) == 0)
        return WAX_DROP;
    *out = (sim_parcel){*in, -1, 0, 0, key};
    return WAX_EMIT;
}
static int pure_n_label(const struct sim_item *in, struct sim_emit *emit)
{
    if (digest(in->number[0], 24, 9) == 0)
        return 0;
    give_parcel(emit, in->number[0], in->key_text);
    emit->item[0].key = SIM_KEY_NONE;
    emit->item[0].key_text = (wax_str){NULL, 0};
    return 0;
}

WAX_REDUCE(n_sum, int64_t)
{
    *acc = add(*acc, *in);
    return WAX_OK;
}
static int fold_n_sum(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    state->number[0] = add(state->number[0], in->number[0]);
    return 0;
}

WAX_REDUCE(n_max, int64_t)
{
    if (*in > *acc)
        *acc = *in;
    return WAX_OK;
}
static int fold_n_max(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    if (in->number[0] > state->number[0])
        state->number[0] = in->number[0];
    return 0;
}

static void tally_up(sim_tally *state, int64_t value)
{
    state->count++;
    state->sum = add(state->sum, value);
    state->low = value < state->low ? value : state->low;
    state->high = value > state->high ? value : state->high;
}

static void tally_merge(sim_tally *state, const sim_tally *other)
{
    state->count += other->count;
    state->sum = add(state->sum, other->sum);
    state->low = other->low < state->low ? other->low : state->low;
    state->high = other->high > state->high ? other->high : state->high;
}

WAX_FOLD(n_tally, int64_t, sim_tally)
{
    tally_up(state, *in);
    return WAX_OK;
}
WAX_FOLD(n_tally_init, int64_t, sim_tally)
{
    tally_up(state, *in);
    return WAX_OK;
}
WAX_INIT(n_tally_init)
{
    *state = (sim_tally){0, 100, INT64_MAX, INT64_MIN};
}
WAX_FOLD(n_tally_merge, int64_t, sim_tally)
{
    tally_up(state, *in);
    return WAX_OK;
}
WAX_MERGE(n_tally_merge)
{
    tally_merge(state, other);
}
WAX_FOLD(n_tally_both, int64_t, sim_tally)
{
    tally_up(state, *in);
    return WAX_OK;
}
WAX_INIT(n_tally_both)
{
    *state = (sim_tally){0, 0, INT64_MAX, INT64_MIN};
}
WAX_MERGE(n_tally_both)
{
    tally_merge(state, other);
}
static int fold_tally(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    int64_t value = in->number[0];
    state->number[0]++;
    state->number[1] = add(state->number[1], value);
    state->number[2] = value < state->number[2] ? value : state->number[2];
    state->number[3] = value > state->number[3] ? value : state->number[3];
    return 0;
}

/* A key whose records are all refused has a state, as it was made. */
WAX_FOLD(n_tally_picky, int64_t, sim_tally)
{
    if (digest(*in, 25, 7) == 0)
        return wax_fail(cx, "%" PRId64 " does not count", *in);
    tally_up(state, *in);
    return WAX_OK;
}
static int fold_tally_picky(struct sim_item *state, const struct sim_item *in,
                            struct sim_emit *emit)
{
    if (digest(in->number[0], 25, 7) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "%" PRId64 " does not count", in->number[0]);
        return -1;
    }
    return fold_tally(state, in, emit);
}

WAX_FOLD(n_tally_picky_merge, int64_t, sim_tally)
{
    if (digest(*in, 25, 7) == 0)
        return wax_fail(cx, "%" PRId64 " does not count", *in);
    tally_up(state, *in);
    return WAX_OK;
}
WAX_MERGE(n_tally_picky_merge)
{
    tally_merge(state, other);
}

/* ---- texts -------------------------------------------------------------------------------------
 */

WAX_MAP(s_lower, wax_str, wax_str)
{
    *out = wax_str_lower(cx, *in);
    return WAX_EMIT;
}
static int pure_s_lower(const struct sim_item *in, struct sim_emit *emit)
{
    wax_str text = sim_arena_dup(emit->arena, in->text[0].ptr, in->text[0].len);
    for (uint32_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')
            ((char *)(uintptr_t)text.ptr)[i] = (char)(text.ptr[i] | 0x20);
    return give_text(emit, text);
}

WAX_MAP(s_value, wax_str, int64_t)
{
    *out = text_value(*in);
    return WAX_EMIT;
}
static int pure_s_value(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, text_value(in->text[0]));
}

WAX_MAP(s_parcel, wax_str, sim_parcel)
{
    *out = (sim_parcel){in->len, -1, 0, 0, *in};
    return WAX_EMIT;
}
static int pure_s_parcel(const struct sim_item *in, struct sim_emit *emit)
{
    return give_parcel(emit, in->text[0].len, in->text[0]);
}

WAX_FILTER(s_odd, wax_str)
{
    return in->len % 2;
}
static int pure_s_odd(const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    return in->text[0].len % 2;
}

WAX_FLAT_MAP(s_words, wax_str, wax_str)
{
    wax_str word;
    for (uint32_t at = 0, n = 0; n < 20 && next_word(*in, &at, &word); n++)
        wax_emit(out, word);
    return WAX_OK;
}
static int pure_s_words(const struct sim_item *in, struct sim_emit *emit)
{
    wax_str word;
    for (uint32_t at = 0, n = 0; n < 20 && next_word(in->text[0], &at, &word); n++)
        give_text(emit, word);
    return 0;
}

WAX_KEY(s_itself, wax_str, wax_str)
{
    return *in;
}
static int pure_s_itself(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_text(emit, in->text[0]);
}

WAX_KEY(s_length, wax_str, int64_t)
{
    return in->len;
}
static int pure_s_length(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, in->text[0].len);
}

WAX_REDUCE(s_least, wax_str)
{
    if (compare_texts(*in, *acc) < 0)
        *acc = *in;
    return WAX_OK;
}
static int fold_s_least(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    if (compare_texts(in->text[0], state->text[0]) < 0)
        state->text[0] = in->text[0];
    return 0;
}

/* ---- parcels: map, filter, flat_map
 * ---------------------------------------------------------------- */

WAX_MAP(p_number, sim_parcel, int64_t)
{
    *out = add(in->value, text_value(in->text));
    return WAX_EMIT;
}
static int pure_p_number(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, add(in->number[0], text_value(in->text[0])));
}

/* A slice: it points into the text that came in. */
static wax_str inner(wax_str text)
{
    return text.len < 3 ? text : (wax_str){text.ptr + 1, text.len - 2};
}
WAX_MAP(p_inner, sim_parcel, wax_str)
{
    *out = inner(in->text);
    return WAX_EMIT;
}
static int pure_p_inner(const struct sim_item *in, struct sim_emit *emit)
{
    return give_text(emit, inner(in->text[0]));
}

WAX_MAP(p_grow, sim_parcel, sim_parcel)
{
    wax_str text = in->text;
    if (text.len < GROW_MAX)
        text = wax_fmt(cx, WAX_FMT "+%" PRId64, WAX_ARG(text), in->value);
    *out = changed(in, in->value, text);
    return WAX_EMIT;
}
static int pure_p_grow(const struct sim_item *in, struct sim_emit *emit)
{
    wax_str text = in->text[0];
    if (text.len < GROW_MAX)
        text = sim_arena_fmt(emit->arena, "%.*s+%" PRId64, (int)text.len, text.ptr, in->number[0]);
    return give_changed(emit, in->number[0], text);
}

WAX_UPDATE(p_update, sim_parcel)
{
    rec->value = twist(add(rec->value, 3));
    return digest(rec->value, 30, 9) ? WAX_EMIT : WAX_DROP;
}
static int pure_p_update(const struct sim_item *in, struct sim_emit *emit)
{
    int64_t value = twist(add(in->number[0], 3));
    return digest(value, 30, 9) ? give_changed(emit, value, in->text[0]) : 0;
}

WAX_FILTER(p_some, sim_parcel)
{
    return digest(in->value, 31, 3) != 0;
}
static int pure_p_some(const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    return digest(in->number[0], 31, 3) != 0;
}

WAX_FILTER(p_self, sim_parcel, factor)
{
    return digest(in->value, (uint32_t)*self->handle, 2) == 0;
}
static int pure_p_self(const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    return digest(in->number[0], (uint32_t)times_five.times, 2) == 0;
}

WAX_FLAT_MAP(p_words, sim_parcel, sim_parcel)
{
    wax_str word;
    for (uint32_t at = 0, n = 0; n < 5 && next_word(in->text, &at, &word); n++)
        wax_emit(out, changed(in, n, word));
    return WAX_OK;
}
static int pure_p_words(const struct sim_item *in, struct sim_emit *emit)
{
    wax_str word;
    for (uint32_t at = 0, n = 0; n < 5 && next_word(in->text[0], &at, &word); n++)
        give_changed(emit, n, word);
    return 0;
}

/* Copies share the text of the record that came in. */
static uint32_t copies(int64_t value, wax_str text)
{
    return text.len > SHARED_MAX ? digest(value, 32, 3) : burst(value);
}
WAX_FLAT_MAP(p_copies, sim_parcel, sim_parcel)
{
    uint32_t times = copies(in->value, in->text);
    for (uint32_t i = 0; i < times; i++)
        wax_emit(out, changed(in, add(in->value, i), in->text));
    return WAX_OK;
}
static int pure_p_copies(const struct sim_item *in, struct sim_emit *emit)
{
    uint32_t times = copies(in->number[0], in->text[0]);
    for (uint32_t i = 0; i < times; i++)
        give_changed(emit, add(in->number[0], i), in->text[0]);
    return 0;
}

/* ---- parcels: bodies that refuse records
 * ------------------------------------------------------------ */

#define SHOWN_MAX                                                                                  \
    500u /* records with longer texts are not refused: a refused one is written down */

WAX_MAP(p_refuse, sim_parcel, sim_parcel)
{
    if (in->text.len < SHOWN_MAX && digest(in->value, 33, 8) == 0)
        return wax_fail(cx, "%u bytes are too few", in->text.len);
    *out = *in;
    return WAX_EMIT;
}
static int pure_p_refuse(const struct sim_item *in, struct sim_emit *emit)
{
    if (in->text[0].len < SHOWN_MAX && digest(in->number[0], 33, 8) == 0) {
        emit->message = sim_arena_fmt(emit->arena, "%u bytes are too few", in->text[0].len);
        return -1;
    }
    return give_changed(emit, in->number[0], in->text[0]);
}

/* Asks for more memory than a record may have, and does not look at what it gets. */
WAX_MAP(p_greedy, sim_parcel, sim_parcel)
{
    wax_str text = in->text;
    if (text.len < SHOWN_MAX && digest(in->value, 34, 30) == 0)
        text.ptr = wax_alloc(cx, SIM_RECORD_MAX + 1);
    *out = changed(in, in->value, text);
    return WAX_EMIT;
}
static int pure_p_greedy(const struct sim_item *in, struct sim_emit *emit)
{
    if (in->text[0].len < SHOWN_MAX && digest(in->number[0], 34, 30) == 0) {
        emit->message =
            sim_arena_fmt(emit->arena, "%u bytes asked for: more than --max-record allows (%u)",
                          SIM_RECORD_MAX + 1, SIM_RECORD_MAX);
        return -1;
    }
    return give_changed(emit, in->number[0], in->text[0]);
}

/* ---- parcels: keys and folds
 * ------------------------------------------------------------------------- */

WAX_KEY(p_origin, sim_parcel, int64_t)
{
    return in->origin;
}
static int pure_p_origin(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, in->number[1]);
}

WAX_KEY(p_few, sim_parcel, int64_t)
{
    return digest(in->value, 35, 40);
}
static int pure_p_few(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, digest(in->number[0], 35, 40));
}

WAX_KEY(p_word, sim_parcel, wax_str)
{
    return first_word(in->text);
}
static int pure_p_word(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_text(emit, first_word(in->text[0]));
}

WAX_KEY(p_absent, sim_parcel, wax_str)
{
    if (in->text.len < SHOWN_MAX && digest(in->value, 36, 12) == 0)
        return (wax_str){NULL, 0};
    return first_word(in->text);
}
static int pure_p_absent(const struct sim_item *in, struct sim_emit *emit)
{
    if (in->text[0].len < SHOWN_MAX && digest(in->number[0], 36, 12) == 0)
        return refuse(emit, "the key has no value");
    return give_keyed_text(emit, first_word(in->text[0]));
}

WAX_KEY_RM(p_join, wax_str, sim_parcel, sim_parcel)
{
    *out = changed(in, add(in->value, key.len), wax_fmt(cx, WAX_FMT "/%u", WAX_ARG(key), key.len));
    return WAX_EMIT;
}
static int pure_p_join(const struct sim_item *in, struct sim_emit *emit)
{
    wax_str key = in->key_text;
    give_changed(emit, add(in->number[0], key.len),
                 sim_arena_fmt(emit->arena, "%.*s/%u", (int)key.len, key.ptr, key.len));
    emit->item[0].key = SIM_KEY_NONE;
    emit->item[0].key_text = (wax_str){NULL, 0};
    return 0;
}

static int compare_parcels(const sim_parcel *a, const sim_parcel *b)
{
    int order = compare_texts(a->text, b->text);
    if (order == 0)
        order = (a->value > b->value) - (a->value < b->value);
    if (order == 0)
        order = (a->origin > b->origin) - (a->origin < b->origin);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}
WAX_REDUCE(p_greatest, sim_parcel)
{
    if (compare_parcels(in, acc) > 0)
        *acc = *in;
    return WAX_OK;
}
static int fold_p_greatest(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    int order = compare_texts(in->text[0], state->text[0]);
    for (uint32_t i = 0; i < 3 && order == 0; i++)
        order = (in->number[i] > state->number[i]) - (in->number[i] < state->number[i]);
    if (order > 0)
        *state = *in;
    return 0;
}

static void album_up(sim_album *state, wax_str text)
{
    if (state->count == 0 || compare_texts(text, state->first) < 0)
        state->first = text;
    if (state->count == 0 || compare_texts(text, state->last) > 0)
        state->last = text;
    state->count++;
}
WAX_FOLD(p_album, sim_parcel, sim_album)
{
    album_up(state, in->text);
    return WAX_OK;
}
WAX_FOLD(p_album_merge, sim_parcel, sim_album)
{
    album_up(state, in->text);
    return WAX_OK;
}
WAX_MERGE(p_album_merge)
{
    if (other->count == 0)
        return;
    int64_t count = state->count + other->count;
    album_up(state, other->first);
    album_up(state, other->last);
    state->count = count;
}
static int fold_album(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    wax_str text = in->text[0];
    if (state->number[0] == 0 || compare_texts(text, state->text[0]) < 0)
        state->text[0] = text;
    if (state->number[0] == 0 || compare_texts(text, state->text[1]) > 0)
        state->text[1] = text;
    state->number[0]++;
    return 0;
}

/* Needs the records of each part in order. The interpreter sees no disorder, so there may be none.
 */
WAX_FOLD(p_ledger, sim_parcel, sim_ledger)
{
    state->count++;
    state->sum = add(state->sum, in->value);
    int64_t *next = &state->next[in->origin & (SIM_ORIGINS - 1)];
    state->disorder += in->seq < *next;
    *next = in->seq;
    return WAX_OK;
}
static int fold_p_ledger(struct sim_item *state, const struct sim_item *in, struct sim_emit *emit)
{
    (void)emit;
    state->number[0]++;
    state->number[1] = add(state->number[1], in->number[0]);
    return 0;
}

/* ---- what folds give
 * ----------------------------------------------------------------------------------- */

WAX_MAP(t_number, sim_tally, int64_t)
{
    *out = add(add(in->count, in->sum), add(in->low, in->high));
    return WAX_EMIT;
}
static int pure_t_number(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit,
                       add(add(in->number[0], in->number[1]), add(in->number[2], in->number[3])));
}

WAX_KEY(t_count, sim_tally, int64_t)
{
    return in->count;
}
static int pure_t_count(const struct sim_item *in, struct sim_emit *emit)
{
    return give_keyed_number(emit, in->number[0]);
}

WAX_MAP(a_first, sim_album, wax_str)
{
    *out = in->first;
    return WAX_EMIT;
}
static int pure_a_first(const struct sim_item *in, struct sim_emit *emit)
{
    return give_text(emit, in->text[0]);
}

WAX_FLAT_MAP(a_parcels, sim_album, sim_parcel)
{
    wax_emit(out, (sim_parcel){in->count, -1, 0, 0, in->first});
    wax_emit(out, (sim_parcel){in->count, -1, 0, 0, in->last});
    return WAX_OK;
}
static int pure_a_parcels(const struct sim_item *in, struct sim_emit *emit)
{
    give_parcel(emit, in->number[0], in->text[0]);
    return give_parcel(emit, in->number[0], in->text[1]);
}

WAX_MAP(l_number, sim_ledger, int64_t)
{
    *out = add(in->count, in->sum);
    return WAX_EMIT;
}
static int pure_l_number(const struct sim_item *in, struct sim_emit *emit)
{
    return give_number(emit, add(in->number[0], in->number[1]));
}

WAX_MAP(f_message, wax_failure, wax_str)
{
    *out = in->message;
    return WAX_EMIT;
}
static int pure_f_message(const struct sim_item *in, struct sim_emit *emit)
{
    return give_text(emit, in->text[1]);
}

/* ---- the table
 * ------------------------------------------------------------------------------------------ */

/* clang-format off */
#define OP(KIND, NAME, IN, OUT, ...)                                                               \
    {.kind = SIM_##KIND, .op = &wax_op_##NAME, .in = SIM_##IN, .out = SIM_##OUT, __VA_ARGS__}

const struct sim_op sim_ops[] = {
    OP(MAP, n_twist, NUMBER, NUMBER, .pure = pure_n_twist),
    OP(MAP, n_some, NUMBER, NUMBER, .pure = pure_n_some),
    OP(MAP, n_parcel, NUMBER, PARCEL, .pure = pure_n_parcel, .grows = 48),
    OP(MAP, n_text, NUMBER, TEXT, .pure = pure_n_text, .grows = 400),
    OP(MAP, n_self, NUMBER, NUMBER, .pure = pure_n_self, .self = &times_five),
    OP(MAP, n_look, NUMBER, NUMBER, .pure = pure_n_look),
    OP(FILTER, n_half, NUMBER, NUMBER, .pure = pure_n_half),
    OP(FILTER, n_none, NUMBER, NUMBER, .pure = pure_none),
    OP(FILTER, n_all, NUMBER, NUMBER, .pure = pure_all),
    OP(FLAT_MAP, n_repeat, NUMBER, NUMBER, .pure = pure_n_repeat, .gain = 1.5),
    OP(FLAT_MAP, n_burst, NUMBER, NUMBER, .pure = pure_n_burst, .gain = 1 + BURST / 64),
    OP(FLAT_MAP, n_spread, NUMBER, NUMBER, .pure = pure_n_spread, .gain = SPREAD),
    OP(FLAT_MAP, n_parcels, NUMBER, PARCEL, .pure = pure_n_parcels, .grows = 48),
    OP(MAP, n_refuse, NUMBER, NUMBER, .pure = pure_n_refuse, .refuses = true),
    OP(MAP, n_murmur, NUMBER, NUMBER, .pure = pure_n_murmur, .refuses = true),
    OP(FILTER, n_picky, NUMBER, NUMBER, .pure = pure_n_picky, .refuses = true),
    OP(FLAT_MAP, n_regret, NUMBER, NUMBER, .pure = pure_n_regret, .refuses = true,
       .gain = 1 + BURST / 64),
    OP(FLAT_MAP, n_explode, NUMBER, NUMBER, .pure = pure_n_explode, .refuses = true),
    OP(KEY_ON, n_few, NUMBER, NUMBER, .pure = pure_n_few, .key = SIM_KEY_NUMBER),
    OP(KEY_ON, n_wide, NUMBER, NUMBER, .pure = pure_n_wide, .key = SIM_KEY_NUMBER),
    OP(KEY_ON, n_hot, NUMBER, NUMBER, .pure = pure_n_hot, .key = SIM_KEY_NUMBER),
    OP(KEY_ON, n_name, NUMBER, NUMBER, .pure = pure_n_name, .key = SIM_KEY_TEXT, .grows = 48),
    OP(KEY_ON, n_keyless, NUMBER, NUMBER, .pure = pure_n_keyless, .key = SIM_KEY_NUMBER,
       .refuses = true),
    OP(KEY_RM, n_join, NUMBER, NUMBER, .pure = pure_n_join, .key = SIM_KEY_NUMBER),
    OP(KEY_RM, n_label, NUMBER, PARCEL, .pure = pure_n_label, .key = SIM_KEY_TEXT),
    OP(REDUCE, n_sum, NUMBER, NUMBER, .fold = fold_n_sum),
    OP(REDUCE, n_max, NUMBER, NUMBER, .fold = fold_n_max),
    OP(FOLD, n_tally, NUMBER, TALLY, .fold = fold_tally),
    OP(FOLD, n_tally_init, NUMBER, TALLY, .fold = fold_tally,
       .init = {.number = {0, 100, INT64_MAX, INT64_MIN}}),
    OP(FOLD, n_tally_merge, NUMBER, TALLY, .fold = fold_tally),
    OP(FOLD, n_tally_both, NUMBER, TALLY, .fold = fold_tally,
       .init = {.number = {0, 0, INT64_MAX, INT64_MIN}}),
    OP(FOLD, n_tally_picky, NUMBER, TALLY, .fold = fold_tally_picky, .refuses = true),
    OP(FOLD, n_tally_picky_merge, NUMBER, TALLY, .fold = fold_tally_picky, .refuses = true),

    OP(MAP, s_lower, TEXT, TEXT, .pure = pure_s_lower),
    OP(MAP, s_value, TEXT, NUMBER, .pure = pure_s_value),
    OP(MAP, s_parcel, TEXT, PARCEL, .pure = pure_s_parcel),
    OP(FILTER, s_odd, TEXT, TEXT, .pure = pure_s_odd),
    OP(FLAT_MAP, s_words, TEXT, TEXT, .pure = pure_s_words, .gain = 4),
    OP(KEY_ON, s_itself, TEXT, TEXT, .pure = pure_s_itself, .key = SIM_KEY_TEXT, .repeats = 2),
    OP(KEY_ON, s_length, TEXT, TEXT, .pure = pure_s_length, .key = SIM_KEY_NUMBER),
    OP(REDUCE, s_least, TEXT, TEXT, .fold = fold_s_least),

    OP(MAP, p_number, PARCEL, NUMBER, .pure = pure_p_number),
    OP(MAP, p_inner, PARCEL, TEXT, .pure = pure_p_inner),
    OP(MAP, p_grow, PARCEL, PARCEL, .pure = pure_p_grow, .same_record = true,
       .grows = GROW_MAX + 32),
    OP(MAP, p_update, PARCEL, PARCEL, .pure = pure_p_update, .same_record = true),
    OP(FILTER, p_some, PARCEL, PARCEL, .pure = pure_p_some, .same_record = true),
    OP(FILTER, p_self, PARCEL, PARCEL, .pure = pure_p_self, .self = &times_five,
       .same_record = true),
    OP(FLAT_MAP, p_words, PARCEL, PARCEL, .pure = pure_p_words, .gain = 3, .same_record = true),
    OP(FLAT_MAP, p_copies, PARCEL, PARCEL, .pure = pure_p_copies, .gain = 1 + BURST / 64,
       .same_record = true,
       .grows = SHARED_MAX, .repeats = 3),
    OP(MAP, p_refuse, PARCEL, PARCEL, .pure = pure_p_refuse, .refuses = true, .same_record = true),
    OP(MAP, p_greedy, PARCEL, PARCEL, .pure = pure_p_greedy, .refuses = true, .same_record = true),
    OP(KEY_ON, p_origin, PARCEL, PARCEL, .pure = pure_p_origin, .key = SIM_KEY_NUMBER,
       .same_record = true),
    OP(KEY_ON, p_few, PARCEL, PARCEL, .pure = pure_p_few, .key = SIM_KEY_NUMBER,
       .same_record = true),
    OP(KEY_ON, p_word, PARCEL, PARCEL, .pure = pure_p_word, .key = SIM_KEY_TEXT,
       .same_record = true, .repeats = 2),
    OP(KEY_ON, p_absent, PARCEL, PARCEL, .pure = pure_p_absent, .key = SIM_KEY_TEXT,
       .refuses = true,
       .same_record = true, .repeats = 2),
    OP(KEY_RM, p_join, PARCEL, PARCEL, .pure = pure_p_join, .key = SIM_KEY_TEXT,
       .same_record = true, .grows = 16),
    OP(REDUCE, p_greatest, PARCEL, PARCEL, .fold = fold_p_greatest),
    OP(FOLD, p_album, PARCEL, ALBUM, .fold = fold_album),
    OP(FOLD, p_album_merge, PARCEL, ALBUM, .fold = fold_album),
    OP(FOLD, p_ledger, PARCEL, LEDGER, .fold = fold_p_ledger, .needs_order = true),

    OP(MAP, t_number, TALLY, NUMBER, .pure = pure_t_number),
    OP(KEY_ON, t_count, TALLY, TALLY, .pure = pure_t_count, .key = SIM_KEY_NUMBER),
    OP(MAP, a_first, ALBUM, TEXT, .pure = pure_a_first),
    OP(FLAT_MAP, a_parcels, ALBUM, PARCEL, .pure = pure_a_parcels, .gain = 2),
    OP(MAP, l_number, LEDGER, NUMBER, .pure = pure_l_number),
    OP(MAP, f_message, FAILURE, TEXT, .pure = pure_f_message),
};
/* clang-format on */
const uint32_t sim_op_count = sizeof sim_ops / sizeof sim_ops[0];
