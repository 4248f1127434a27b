/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_ITEM_H
#define SIM_ITEM_H

#include <stddef.h>
#include <stdio.h>

#include <wax/wax.h>

/*
 * The records of the random dataflows, in the forms in which tests handle them: the C types that
 * travel through the engine, the one wide struct that the interpreter works on, and the bags in
 * which sinks and interpreter collect what came out, to be compared.
 */

#define SIM_ORIGINS 16 /* parts of sources in one dataflow, at most */

/* `origin` and `seq` say which record of which part this is (origin -1: it can no longer be told),
 * and `epoch` in which epoch the source gave it. */
WAX_RECORD(sim_parcel, (int64_t, value), (int64_t, origin), (int64_t, seq), (int64_t, epoch),
           (wax_str, text));
WAX_RECORD(sim_tally, (int64_t, count), (int64_t, sum), (int64_t, low), (int64_t, high));
WAX_RECORD(sim_album, (int64_t, count), (wax_str, first), (wax_str, last));
/* Keeps the last `seq` of each origin, and counts those that came too late. */
typedef struct sim_ledger {
    int64_t count, sum, disorder;
    int64_t next[SIM_ORIGINS];
} sim_ledger;
WAX_PLAIN(sim_ledger);

enum sim_type {
    SIM_NUMBER, /* int64_t */
    SIM_TEXT,   /* wax_str */
    SIM_PARCEL,
    SIM_TALLY,
    SIM_ALBUM,
    SIM_LEDGER,
    SIM_FAILURE, /* wax_failure */
    SIM_TYPES,
};
enum sim_key { SIM_KEY_NONE, SIM_KEY_NUMBER, SIM_KEY_TEXT };

const wax_type *sim_wax_type(enum sim_type type);

/* Any record, with its key. Texts are borrowed. */
struct sim_item {
    enum sim_type type;
    enum sim_key key;
    int64_t key_number;
    wax_str key_text;
    int64_t number[4]; /* in the order of the fields; a parcel's epoch is apart */
    wax_str text[3];
    int64_t epoch; /* PARCEL: not compared, it depends on the schedule; 0 in the interpreter */
};

/* Reads a record of the engine. `keys` NULL: it has no key. */
void sim_item_read(struct sim_item *item, const wax_type *type, const void *rec,
                   const wax_type *key_type, const void *key);
/*
 * A refused record as it is compared: the beginning of its text in `shown`, and in it the epoch of
 * a parcel, which depends on the schedule, replaced by 0.
 */
#define SIM_RECORD_SHOWN 512
wax_str sim_record_shown(wax_str record, char shown[SIM_RECORD_SHOWN]);
/* A short text for messages. */
void sim_item_print(const struct sim_item *item, char *text, size_t size);

/* Memory of the interpreter, given back all at once. */
struct sim_arena {
    struct sim_arena_block *blocks;
};
void *sim_arena_alloc(struct sim_arena *arena, size_t size);
wax_str sim_arena_dup(struct sim_arena *arena, const char *bytes, size_t len);
wax_str sim_arena_fmt(struct sim_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sim_arena_fini(struct sim_arena *arena);

/* One record as a bag keeps it: numbers, lengths, a hash over everything, and how its texts begin.
 */
#define SIM_HEAD 24
struct sim_seen {
    uint64_t hash;
    int64_t number[4];
    int64_t key_number;
    uint32_t len[3], key_len; /* UINT32_MAX: no value */
    char head[SIM_HEAD], key_head[SIM_HEAD];
    uint8_t type, key, zero[6];
};

/* A multiset of records. Zeroed is empty. One that only `counts` cannot tell what the difference
 * is. */
struct sim_bag {
    bool counts;
    struct sim_seen *seen;
    size_t n, cap;
    uint64_t sum; /* of all hashes: two bags that differ almost never agree in it */
};
void sim_bag_add(struct sim_bag *bag, const struct sim_item *item);
void sim_bag_append(struct sim_bag *bag, const struct sim_bag *more);
void sim_bag_fini(struct sim_bag *bag);

enum sim_relation { SIM_EQUAL, SIM_PART_OF };
/*
 * Is `got` equal to `want`, or a part of it? Sorts both when they differ. Returns true, or false
 * with the first difference in `why`.
 */
bool sim_bag_compare(struct sim_bag *got, struct sim_bag *want, enum sim_relation relation,
                     char *why, size_t size);

#endif /* SIM_ITEM_H */
