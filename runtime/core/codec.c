/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches as bytes, column by column:
 *
 *   header | keys | records
 *
 *   flat type       the column as it lies in memory
 *   string          n lengths (ABSENT: no value), then all bytes
 *   record          one column for each field
 *   list            n lengths, then the elements of each list as columns of its own
 *   optional        when not flat: n flags, then a column of one for each value that is there
 *
 * The decoder trusts nothing but the shape: each length is compared with what is left before it is
 * used, and lists, whose elements may be larger in memory than on the wire, draw on a budget. A
 * byte that becomes a bool is made 0 or 1, because C does not allow others.
 */
#include "core/codec.h"

#include <string.h>

#include "core/value.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns travel as they lie in memory: this needs a little-endian machine"
#endif

#define ABSENT       UINT32_MAX
#define LIST_FACTOR  16u /* memory that lists may take: so many times the bytes received ... */
#define LIST_SPARE   (64u << 20) /* ... and this much */
#define FLAG_IDLE    1u
#define FLAG_ONES    2u /* no record column: each record is the number 1 */
#define SHORT_STRING 16u

struct header {
    uint32_t n, flags;
    uint64_t epoch;
    int64_t entered, watermark;
};
_Static_assert(sizeof(struct header) == 32, "the header has no padding");

/* ---- encoding -------------------------------------------------------------------------------- */

/* A copy of 1 to SHORT_STRING bytes without a call: two overlapping moves of the right size. */
static inline void copy_short(char *to, const char *from, uint32_t len)
{
    if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else {
        to[0] = from[0];
        to[len / 2] = from[len / 2];
        to[len - 1] = from[len - 1];
    }
}

static void encode_spans(const char *base, size_t stride, uint32_t n, struct wx_buf *out)
{
    char *lengths = wx_buf_reserve(out, n * sizeof(uint32_t));
    if (!lengths)
        return;
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        wax_str span = wx_value_span(base + i * stride);
        uint32_t len = span.ptr ? span.len : ABSENT;
        memcpy(lengths + i * sizeof len, &len, sizeof len);
        total += span.ptr ? span.len : 0;
    }
    out->len += n * sizeof(uint32_t);
    char *to = wx_buf_reserve(out, total);
    if (!to)
        return;
    for (uint32_t i = 0; i < n; i++) {
        wax_str span = wx_value_span(base + i * stride);
        if (!span.ptr || span.len == 0)
            continue;
        if (span.len <= SHORT_STRING)
            copy_short(to, span.ptr, span.len);
        else
            memcpy(to, span.ptr, span.len);
        to += span.len;
    }
    out->len += total;
}

static void encode_flat(const char *base, size_t size, size_t stride, uint32_t n,
                        struct wx_buf *out)
{
    char *to = wx_buf_reserve(out, n * size);
    if (!to)
        return;
    if (stride == size)
        memcpy(to, base, n * size);
    else if (size == 8)
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + i * (size_t)8, base + i * stride, 8);
    else if (size == 4)
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + i * (size_t)4, base + i * stride, 4);
    else
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + i * size, base + i * stride, size);
    out->len += n * size;
}

static void encode_column(const wax_type *type, const char *base, size_t stride, uint32_t n,
                          struct wx_buf *out);

static void encode_lists(const wax_type *type, const char *base, size_t stride, uint32_t n,
                         struct wx_buf *out)
{
    const wax_type *element = type->element;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = wx_value_list(base + i * stride).len;
        wx_buf_put(out, &len, sizeof len);
    }
    for (uint32_t i = 0; i < n && !out->full; i++) {
        struct wx_list list = wx_value_list(base + i * stride);
        if (list.len)
            encode_column(element, list.ptr, element->size, list.len, out);
    }
}

static void encode_optionals(const wax_type *type, const char *base, size_t stride, uint32_t n,
                             struct wx_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        unsigned char some = wx_value_some(type, base + i * stride);
        wx_buf_put(out, &some, sizeof some);
    }
    for (uint32_t i = 0; i < n && !out->full; i++)
        if (wx_value_some(type, base + i * stride))
            encode_column(type->element, base + i * stride, type->element->size, 1, out);
}

static void encode_column(const wax_type *type, const char *base, size_t stride, uint32_t n,
                          struct wx_buf *out)
{
    if (wx_kind_is_span(type->kind))
        encode_spans(base, stride, n, out);
    else if (wx_type_is_flat(type))
        encode_flat(base, type->size, stride, n, out);
    else if (type->kind == WAX_OPT)
        encode_optionals(type, base, stride, n, out);
    else if (type->kind == WAX_LIST)
        encode_lists(type, base, stride, n, out);
    else
        for (uint32_t i = 0; i < type->count; i++)
            encode_column(type->fields[i].type, base + type->fields[i].offset, stride, n, out);
}

void wx_batch_encode(const struct wx_batch *batch, struct wx_buf *out)
{
    WX_ASSERT(!batch->marker && batch->n <= WX_BLOCK_RECORDS);
    const struct wx_shape *shape = batch->shape;
    struct header header = {.n = batch->n,
                            .flags = (batch->idle ? FLAG_IDLE : 0) | (batch->rec ? 0 : FLAG_ONES),
                            .epoch = batch->epoch,
                            .entered = batch->entered,
                            .watermark = batch->watermark};
    wx_buf_put(out, &header, sizeof header);
    if (batch->n == 0)
        return;
    if (shape->key)
        encode_column(shape->key, batch->keys, shape->key->size, batch->n, out);
    if (batch->rec)
        encode_column(shape->type, batch->rec, shape->type->size, batch->n, out);
}

/* ---- decoding -------------------------------------------------------------------------------- */

struct decoder {
    const char *at, *end; /* what is left */
    size_t budget;        /* bytes that lists may still take */
    struct wx_pool *pool;
    struct wx_batch *batch; /* under construction: owns what strings and lists need */
    const char *fault;      /* what is wrong with the bytes, or NULL */
};

static bool refuse(struct decoder *in, const char *fault)
{
    in->fault = fault;
    return false;
}

/* The next `n` * `size` bytes, or NULL when there are not so many. */
static const char *take(struct decoder *in, size_t n, size_t size)
{
    if (n > (size_t)(in->end - in->at) / size) {
        refuse(in, "it ends too early");
        return NULL;
    }
    const char *bytes = in->at;
    in->at += n * size;
    return bytes;
}

static uint32_t length_at(const char *lengths, uint32_t i)
{
    uint32_t len;
    memcpy(&len, lengths + i * sizeof len, sizeof len);
    return len;
}

static bool decode_spans(struct decoder *in, char *base, size_t stride, uint32_t n)
{
    const char *lengths = take(in, n, sizeof(uint32_t));
    if (!lengths)
        return false;
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = length_at(lengths, i);
        total += len == ABSENT ? 0 : len;
    }
    const char *bytes = take(in, total, 1);
    if (!bytes)
        return false;
    char *at = "";
    if (total)
        at = memcpy(wx_batch_alloc(in->pool, in->batch, total), bytes, total);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = length_at(lengths, i);
        bool absent = len == ABSENT;
        wx_value_set_span(base + i * stride, absent ? NULL : at, absent ? 0 : len);
        at += absent ? 0 : len;
    }
    return true;
}

/* Is there a bool in this flat type, one that says whether an optional has a value included? */
static bool has_flags(const wax_type *type)
{
    if (type->kind == WAX_RECORD_KIND)
        for (uint32_t i = 0; i < type->count; i++)
            if (has_flags(type->fields[i].type))
                return true;
    return type->kind == WAX_BOOL || type->kind == WAX_OPT;
}

static void clean_flag(char *flag)
{
    *flag = *flag != 0;
}

static void clean_flags(const wax_type *type, char *rec)
{
    if (type->kind == WAX_BOOL) {
        clean_flag(rec);
    } else if (type->kind == WAX_OPT) {
        clean_flag(rec + type->element->size);
        clean_flags(type->element, rec);
    } else if (type->kind == WAX_RECORD_KIND) {
        for (uint32_t i = 0; i < type->count; i++)
            clean_flags(type->fields[i].type, rec + type->fields[i].offset);
    }
}

static bool decode_flat(struct decoder *in, const wax_type *type, char *base, size_t stride,
                        uint32_t n)
{
    size_t size = type->size;
    const char *from = take(in, n, size);
    if (!from)
        return false;
    if (stride == size)
        memcpy(base, from, n * size);
    else if (size == 8)
        for (uint32_t i = 0; i < n; i++)
            memcpy(base + i * stride, from + i * (size_t)8, 8);
    else if (size == 4)
        for (uint32_t i = 0; i < n; i++)
            memcpy(base + i * stride, from + i * (size_t)4, 4);
    else
        for (uint32_t i = 0; i < n; i++)
            memcpy(base + i * stride, from + i * size, size);
    if (has_flags(type))
        for (uint32_t i = 0; i < n; i++)
            clean_flags(type, base + i * stride);
    return true;
}

static bool decode_column(struct decoder *in, const wax_type *type, char *base, size_t stride,
                          uint32_t n);

static bool decode_lists(struct decoder *in, const wax_type *type, char *base, size_t stride,
                         uint32_t n)
{
    const wax_type *element = type->element;
    const char *lengths = take(in, n, sizeof(uint32_t));
    if (!lengths)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        size_t len = length_at(lengths, i), size = len * element->size;
        char *items = NULL;
        /* An element takes a byte at least, so this also bounds the loops over elements. */
        if (len > (size_t)(in->end - in->at))
            return refuse(in, "it has a list that is longer than the batch");
        if (size > in->budget)
            return refuse(in, "its lists are too large");
        in->budget -= size;
        if (len) {
            items = wx_batch_alloc(in->pool, in->batch, size);
            if (!decode_column(in, element, items, element->size, (uint32_t)len))
                return false;
        }
        wx_value_set_list(base + i * stride, items, (uint32_t)len);
    }
    return true;
}

static bool decode_optionals(struct decoder *in, const wax_type *type, char *base, size_t stride,
                             uint32_t n)
{
    const wax_type *element = type->element;
    const char *flags = take(in, n, 1);
    if (!flags)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        char *rec = base + i * stride;
        memset(rec, 0, type->size);
        rec[element->size] = flags[i] != 0;
        if (flags[i] && !decode_column(in, element, rec, element->size, 1))
            return false;
    }
    return true;
}

static bool decode_column(struct decoder *in, const wax_type *type, char *base, size_t stride,
                          uint32_t n)
{
    if (wx_kind_is_span(type->kind))
        return decode_spans(in, base, stride, n);
    if (wx_type_is_flat(type))
        return decode_flat(in, type, base, stride, n);
    if (type->kind == WAX_OPT)
        return decode_optionals(in, type, base, stride, n);
    if (type->kind == WAX_LIST)
        return decode_lists(in, type, base, stride, n);
    for (uint32_t i = 0; i < type->count; i++)
        if (!decode_column(in, type->fields[i].type, base + type->fields[i].offset, stride, n))
            return false;
    return true;
}

static bool decode_columns(struct decoder *in)
{
    struct wx_batch *batch = in->batch;
    const struct wx_shape *shape = batch->shape;
    if (batch->n > 0) {
        if (shape->key && !decode_column(in, shape->key, batch->keys, shape->key->size, batch->n))
            return false;
        if (batch->rec && !decode_column(in, shape->type, batch->rec, shape->type->size, batch->n))
            return false;
    }
    return in->at == in->end || refuse(in, "bytes are left over behind it");
}

struct wx_batch *wx_batch_decode(struct wx_pool *pool, const struct wx_shape *shape,
                                 const void *bytes, size_t len, struct wx_error *err)
{
    struct decoder in = {.at = bytes, .end = (const char *)bytes + len, .pool = pool};
    in.budget = len * LIST_FACTOR + LIST_SPARE;
    const char *start = take(&in, 1, sizeof(struct header));
    struct header header = {0};
    if (start)
        memcpy(&header, start, sizeof header);
    if (header.n > WX_BLOCK_RECORDS)
        refuse(&in, "it has more records than a batch can hold");
    if (header.flags & FLAG_ONES && shape->type->kind != WAX_I64)
        refuse(&in, "it has no records");
    if (!in.fault) {
        in.batch = wx_batch_create(pool, shape, header.n ? header.n : 1);
        in.batch->n = header.n;
        if (header.flags & FLAG_ONES)
            in.batch->rec = NULL;
        in.batch->idle = header.flags & FLAG_IDLE;
        in.batch->epoch = header.epoch;
        in.batch->entered = header.entered;
        in.batch->watermark = header.watermark;
        if (decode_columns(&in)) {
            if (in.batch->hash)
                wx_batch_hash(in.batch);
            return in.batch;
        }
        wx_batch_put(pool, in.batch);
    }
    wx_fail(err, WX_EXIT_PEER, "a batch of %zu bytes of '%s' is damaged: %s", len,
            shape->type->name, in.fault);
    return NULL;
}
