/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_TYPE_H
#define WX_TYPE_H

#include <wax/type.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * What the runtime does with a record of a type it knows only by its descriptor. Pure functions;
 * any thread. "Record" means any value with a descriptor, scalars included.
 */

/* A place to put bytes that must live as long as a record: a batch's arena, a state's block. */
struct wx_memory {
    void *(*alloc)(struct wx_memory *memory, size_t size); /* 8-byte aligned, never NULL */
};

#define WX_TYPE_DEPTH_MAX  16  /* nesting of records, lists and optionals */
#define WX_TYPE_FIELDS_MAX 512 /* fields of one record */

/* Is the descriptor itself sound (kinds, offsets, sizes, depth)? A module made it, so it is
 * checked. */
int wx_type_check(const wax_type *type, struct wx_error *err);

/* True when a record is plain bytes: no string, list or raw JSON anywhere in it. */
bool wx_type_is_flat(const wax_type *type);

/* A number that differs when layout, kinds or field names differ; equal in every process. */
uint64_t wx_type_hash(const wax_type *type);
bool wx_type_same(const wax_type *a, const wax_type *b);

/* Copy `n` records from `src` to `dst` (not overlapping); what they point to goes to `memory`. */
void wx_type_copy(const wax_type *type, void *dst, const void *src, size_t n,
                  struct wx_memory *memory);
/* Does `rec` point to anything (of length > 0) that is not inside [low, high)? */
bool wx_type_points_outside(const wax_type *type, const void *rec, const char *low,
                            const char *high);
/* The bytes that wx_type_copy() would ask `memory` for, for one record (each request rounded up to
 * 8). */
size_t wx_type_extra(const wax_type *type, const void *rec);

/*
 * Append record `rec` as text. As stdout shows it: strings raw, numbers in decimal (the shortest
 * that reads back as the same), times in RFC 3339, everything composed as JSON. wx_type_json() is
 * always JSON.
 */
void wx_type_text(const wax_type *type, const void *rec, struct wx_buf *out);
void wx_type_json(const wax_type *type, const void *rec, struct wx_buf *out);

#endif /* WX_TYPE_H */
