/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as tests handle them. Bags are compared by the number of their records and the sum of
 * their hashes; only when those differ they are sorted to find out in what. The hash has nothing in
 * common with the engine's.
 */
#include "sim/item.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/random.h"

const wax_type *sim_wax_type(enum sim_type type)
{
    static const wax_type *const types[SIM_TYPES] = {
        [SIM_NUMBER] = &wax_type_int64_t,     [SIM_TEXT] = &wax_type_wax_str,
        [SIM_PARCEL] = &wax_type_sim_parcel,  [SIM_TALLY] = &wax_type_sim_tally,
        [SIM_ALBUM] = &wax_type_sim_album,    [SIM_LEDGER] = &wax_type_sim_ledger,
        [SIM_FAILURE] = &wax_type_wax_failure};
    return types[type];
}

/* Descriptors are compared by name: each file of a program has its own copy of them. */
static enum sim_type type_of(const wax_type *type)
{
    for (uint32_t i = 0; i < SIM_TYPES; i++)
        if (strcmp(type->name, sim_wax_type((enum sim_type)i)->name) == 0)
            return (enum sim_type)i;
    abort();
}

static void read_value(struct sim_item *item, const void *rec)
{
    switch (item->type) {
    case SIM_NUMBER:
        memcpy(&item->number[0], rec, sizeof item->number[0]);
        return;
    case SIM_TEXT:
        memcpy(&item->text[0], rec, sizeof item->text[0]);
        return;
    case SIM_PARCEL: {
        const sim_parcel *parcel = rec;
        item->number[0] = parcel->value;
        item->number[1] = parcel->origin;
        item->number[2] = parcel->seq;
        item->epoch = parcel->epoch;
        item->text[0] = parcel->text;
        return;
    }
    case SIM_TALLY:
        memcpy(item->number, rec, sizeof(sim_tally));
        return;
    case SIM_ALBUM: {
        const sim_album *album = rec;
        item->number[0] = album->count;
        item->text[0] = album->first;
        item->text[1] = album->last;
        return;
    }
    case SIM_LEDGER: {
        const sim_ledger *ledger = rec;
        item->number[0] = ledger->count;
        item->number[1] = ledger->sum;
        item->number[2] = ledger->disorder;
        return;
    }
    default: {
        const wax_failure *failure = rec;
        item->text[0] = failure->step;
        item->text[1] = failure->message;
        item->text[2] = failure->record;
    }
    }
}

void sim_item_read(struct sim_item *item, const wax_type *type, const void *rec,
                   const wax_type *key_type, const void *key)
{
    *item = (struct sim_item){.type = type_of(type)};
    read_value(item, rec);
    if (!key)
        return;
    if (key_type->kind == WAX_STR) {
        item->key = SIM_KEY_TEXT;
        memcpy(&item->key_text, key, sizeof item->key_text);
    } else {
        item->key = SIM_KEY_NUMBER;
        memcpy(&item->key_number, key, sizeof item->key_number);
    }
}

wax_str sim_record_shown(wax_str record, char shown[SIM_RECORD_SHOWN])
{
    static const char mark[] = "\"epoch\":";
    const char *end = record.ptr + record.len;
    const char *epoch = memmem(record.ptr, record.len, mark, sizeof mark - 1);
    uint32_t n = 0;
    for (const char *p = record.ptr; p < end && n < SIM_RECORD_SHOWN; p++) {
        bool in_epoch = epoch && p >= epoch + sizeof mark - 1 && *p >= '0' && *p <= '9';
        if (in_epoch) {
            shown[n++] = '0';
            while (p + 1 < end && p[1] >= '0' && p[1] <= '9')
                p++;
            epoch = NULL;
        } else {
            shown[n++] = *p;
        }
    }
    return (wax_str){shown, n};
}

/* ---- memory of the interpreter --------------------------------------------------------------- */

#define BLOCK_BYTES (256u << 10)

struct sim_arena_block {
    struct sim_arena_block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *sim_arena_alloc(struct sim_arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct sim_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = wx_alloc(sizeof *block + room);
        *block = (struct sim_arena_block){.next = arena->blocks, .size = room};
        arena->blocks = block;
    }
    void *p = block->bytes + block->used;
    block->used += size;
    return p;
}

wax_str sim_arena_dup(struct sim_arena *arena, const char *bytes, size_t len)
{
    char *copy = sim_arena_alloc(arena, len + 1);
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return (wax_str){copy, (uint32_t)len};
}

wax_str sim_arena_fmt(struct sim_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = sim_arena_alloc(arena, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return (wax_str){text, (uint32_t)len};
}

void sim_arena_fini(struct sim_arena *arena)
{
    for (struct sim_arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}

/* ---- bags ------------------------------------------------------------------------------------ */

static uint64_t hash_text(uint64_t hash, wax_str text)
{
    uint32_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.ptr + i, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    for (; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
    return sim_mix(hash, text.len);
}

static uint32_t keep_text(wax_str text, char head[SIM_HEAD], uint64_t *hash)
{
    if (!text.ptr) {
        *hash = sim_mix(*hash, 1);
        return UINT32_MAX;
    }
    if (text.len)
        memcpy(head, text.ptr, text.len < SIM_HEAD ? text.len : SIM_HEAD);
    *hash = hash_text(*hash, text);
    return text.len;
}

void sim_bag_add(struct sim_bag *bag, const struct sim_item *item)
{
    struct sim_seen counted, *seen = &counted;
    if (!bag->counts && bag->n == bag->cap) {
        bag->cap = bag->cap ? bag->cap * 2 : 64;
        bag->seen = wx_realloc(bag->seen, bag->cap * sizeof *bag->seen);
    }
    if (!bag->counts)
        seen = &bag->seen[bag->n];
    bag->n++;
    memset(seen, 0, sizeof *seen);
    seen->type = (uint8_t)item->type;
    seen->key = (uint8_t)item->key;
    seen->key_number = item->key_number;
    uint64_t hash = sim_mix(seen->type, seen->key);
    memcpy(seen->number, item->number, sizeof seen->number);
    for (uint32_t i = 0; i < 4; i++)
        hash = sim_mix(hash, (uint64_t)item->number[i]);
    hash = sim_mix(hash, (uint64_t)item->key_number);
    for (uint32_t i = 3; i-- > 0;) /* the first one last: its head is the one that stays */
        seen->len[i] = keep_text(item->text[i], seen->head, &hash);
    seen->key_len = keep_text(item->key_text, seen->key_head, &hash);
    seen->hash = hash;
    bag->sum += hash;
}

void sim_bag_append(struct sim_bag *bag, const struct sim_bag *more)
{
    if (more->n == 0)
        return;
    if (more->counts) {
        bag->counts = true;
        bag->n += more->n;
        bag->sum += more->sum;
        return;
    }
    if (bag->n + more->n > bag->cap) {
        bag->cap = bag->n + more->n;
        bag->seen = wx_realloc(bag->seen, bag->cap * sizeof *bag->seen);
    }
    memcpy(bag->seen + bag->n, more->seen, more->n * sizeof *more->seen);
    bag->n += more->n;
    bag->sum += more->sum;
}

void sim_bag_fini(struct sim_bag *bag)
{
    free(bag->seen);
    *bag = (struct sim_bag){.counts = bag->counts};
}

static int compare_seen(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct sim_seen));
}

static const char *const type_names[SIM_TYPES] = {"number", "text",   "parcel", "tally",
                                                  "album",  "ledger", "failure"};

static int print_head(char *text, size_t size, const char *head, uint32_t len)
{
    if (len == UINT32_MAX)
        return snprintf(text, size, "none");
    int shown = len < SIM_HEAD ? (int)len : SIM_HEAD;
    return snprintf(text, size, "'%.*s'%s (%u bytes)", shown, head, len > SIM_HEAD ? "..." : "",
                    len);
}

static void print_seen(const struct sim_seen *seen, char *text, size_t size)
{
    char key[100] = "", value[100];
    if (seen->key == SIM_KEY_NUMBER)
        snprintf(key, sizeof key, "key %" PRId64 ", ", seen->key_number);
    if (seen->key == SIM_KEY_TEXT) {
        int n = snprintf(key, sizeof key, "key ");
        n += print_head(key + n, sizeof key - (size_t)n, seen->key_head, seen->key_len);
        snprintf(key + n, sizeof key - (size_t)n, ", ");
    }
    print_head(value, sizeof value, seen->head, seen->len[0]);
    snprintf(text, size, "%s {%s%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %s}",
             type_names[seen->type], key, seen->number[0], seen->number[1], seen->number[2],
             seen->number[3], value);
}

void sim_item_print(const struct sim_item *item, char *text, size_t size)
{
    struct sim_bag one = {0};
    sim_bag_add(&one, item);
    print_seen(one.seen, text, size);
    sim_bag_fini(&one);
}

bool sim_bag_compare(struct sim_bag *got, struct sim_bag *want, enum sim_relation relation,
                     char *why, size_t size)
{
    if (got->n == want->n && got->sum == want->sum)
        return true;
    if (got->counts || want->counts) {
        snprintf(why, size, "%zu records, %zu expected", got->n, want->n);
        return false;
    }
    if (got->n)
        qsort(got->seen, got->n, sizeof *got->seen, compare_seen);
    if (want->n)
        qsort(want->seen, want->n, sizeof *want->seen, compare_seen);
    size_t i = 0, missing = 0, surplus = 0;
    char first_missing[400] = "", first_surplus[400] = "";
    for (size_t k = 0; i < got->n || k < want->n;) {
        int order = i == got->n    ? 1
                    : k == want->n ? -1
                                   : compare_seen(&got->seen[i], &want->seen[k]);
        if (order < 0 && surplus++ == 0)
            print_seen(&got->seen[i], first_surplus, sizeof first_surplus);
        if (order > 0 && missing++ == 0)
            print_seen(&want->seen[k], first_missing, sizeof first_missing);
        i += order <= 0;
        k += order >= 0;
    }
    if (surplus == 0 && (missing == 0 || relation == SIM_PART_OF))
        return true;
    snprintf(why, size, "%zu records, %zu expected: %zu missing%s%s; %zu too many%s%s", got->n,
             want->n, missing, missing ? ", as " : "", first_missing, surplus,
             surplus ? ", as " : "", first_surplus);
    return false;
}
