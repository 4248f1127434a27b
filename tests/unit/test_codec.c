/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches as bytes, and the hashes of keys. Types and values come from a generator with a seed;
 * what is decoded is compared by its JSON, and each damaged encoding must be refused or give a
 * batch that can be read.
 */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/codec.h"
#include "core/hash.h"
#include "core/value.h"

#define BYTES_MAX (64u << 20)

/* ---- random types and values ------------------------------------------------------------------
 */

/* Everything that one case makes; freed at once. */
struct maker {
    uint64_t seed;
    void *made[4096];
    size_t n;
};

static uint32_t pick(struct maker *maker, uint32_t below)
{
    uint64_t x = maker->seed;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    maker->seed = x;
    return (uint32_t)((x >> 32) % below);
}

static void *make(struct maker *maker, size_t size)
{
    WX_ASSERT(maker->n < sizeof maker->made / sizeof maker->made[0]);
    return maker->made[maker->n++] = wx_calloc(1, size);
}

static void unmake(struct maker *maker)
{
    while (maker->n > 0)
        free(maker->made[--maker->n]);
}

static uint32_t round_up(uint32_t n, uint32_t align)
{
    return (n + align - 1) / align * align;
}

static const wax_type *make_type(struct maker *maker, uint32_t depth);

static void make_record(struct maker *maker, wax_type *type, uint32_t depth)
{
    type->count = 1 + pick(maker, 5);
    wax_field *fields = make(maker, type->count * sizeof *fields);
    type->align = 1;
    for (uint32_t i = 0; i < type->count; i++) {
        char *name = make(maker, 8);
        snprintf(name, 8, "f%u", i);
        const wax_type *field = make_type(maker, depth + 1);
        fields[i] = (wax_field){.name = name, .type = field};
        fields[i].offset = round_up(type->size, field->align);
        type->size = fields[i].offset + field->size;
        type->align = field->align > type->align ? field->align : type->align;
    }
    type->size = round_up(type->size, type->align);
    type->fields = fields;
}

static const wax_type *make_type(struct maker *maker, uint32_t depth)
{
    static const wax_type *const scalars[] = {
        &wax_type_bool,      &wax_type_int32_t, &wax_type_int64_t, &wax_type_uint64_t,
        &wax_type_float,     &wax_type_double,  &wax_type_wax_str, &wax_type_wax_time,
        &wax_type_wax_bytes, &wax_type_wax_json};
    uint32_t choice = pick(maker, depth < 4 ? 16 : 10);
    if (choice < 10)
        return scalars[choice];
    wax_type *type = make(maker, sizeof *type);
    *type = (wax_type){.name = "made"};
    if (choice < 13) {
        type->kind = WAX_RECORD_KIND;
        make_record(maker, type, depth);
    } else if (choice < 14) {
        type->kind = WAX_LIST;
        type->size = sizeof(struct wx_list);
        type->align = _Alignof(struct wx_list);
        type->element = make_type(maker, depth + 1);
    } else if (choice < 15) {
        type->kind = WAX_OPT;
        type->element = make_type(maker, depth + 1);
        type->align = type->element->align;
        type->size = round_up(type->element->size + 1, type->align);
    } else {
        type->kind = WAX_PLAIN_KIND;
        type->align = 1u << pick(maker, 4);
        type->size = type->align * (1 + pick(maker, 3));
    }
    return type;
}

static void make_span(struct maker *maker, char *rec)
{
    if (pick(maker, 8) == 0) {
        wx_value_set_span(rec, NULL, 0);
        return;
    }
    uint32_t len = pick(maker, 4) ? pick(maker, 20) : pick(maker, 300);
    char *bytes = make(maker, len);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (char)pick(maker, 256);
    wx_value_set_span(rec, bytes, len);
}

static void make_value(struct maker *maker, const wax_type *type, char *rec)
{
    if (wx_kind_is_span(type->kind)) {
        make_span(maker, rec);
    } else if (type->kind == WAX_RECORD_KIND) {
        for (uint32_t i = 0; i < type->count; i++)
            make_value(maker, type->fields[i].type, rec + type->fields[i].offset);
    } else if (type->kind == WAX_LIST) {
        uint32_t len = pick(maker, 4);
        char *items = len ? make(maker, (size_t)len * type->element->size) : NULL;
        for (uint32_t i = 0; i < len; i++)
            make_value(maker, type->element, items + (size_t)i * type->element->size);
        wx_value_set_list(rec, items, len);
    } else if (type->kind == WAX_OPT) {
        make_value(maker, type->element, rec);
        rec[type->element->size] = pick(maker, 2) != 0;
    } else if (type->kind == WAX_BOOL) {
        *rec = pick(maker, 2) != 0;
    } else {
        for (uint32_t i = 0; i < type->size; i++)
            rec[i] = (char)pick(maker, 256);
    }
}

static struct wx_batch *make_batch(struct maker *maker, struct wx_pool *pool,
                                   const struct wx_shape *shape, uint32_t n)
{
    struct wx_batch *batch = wx_batch_create(pool, shape, n ? n : 1);
    batch->n = n;
    if (shape->type->kind == WAX_I64 && pick(maker, 2))
        batch->rec = NULL;
    batch->epoch = pick(maker, 1000);
    batch->entered = pick(maker, 1u << 30);
    batch->watermark = pick(maker, 2) ? WX_NO_WATERMARK : pick(maker, 1u << 30);
    batch->idle = pick(maker, 2) != 0;
    for (uint32_t i = 0; i < n; i++) {
        if (batch->rec) {
            char *rec = batch->rec + (size_t)i * shape->type->size;
            memset(rec, 0, shape->type->size);
            make_value(maker, shape->type, rec);
        }
        if (shape->key)
            make_value(maker, shape->key, (char *)batch->keys + (size_t)i * shape->key->size);
    }
    return batch;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Everything in a batch as text: reading it is also the test that it can be read. */
static void describe(const struct wx_batch *batch, struct wx_buf *out)
{
    out->max = BYTES_MAX;
    wx_buf_printf(out, "%u %" PRIu64 " %" PRId64 " %" PRId64 " %d\n", batch->n, batch->epoch,
                  batch->entered, batch->watermark, batch->idle);
    const struct wx_shape *shape = batch->shape;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (shape->key)
            wx_type_json(shape->key, (char *)batch->keys + (size_t)i * shape->key->size, out);
        if (batch->rec)
            wx_type_json(shape->type, batch->rec + (size_t)i * shape->type->size, out);
        wx_buf_puts(out, "\n");
    }
}

static bool hashes_are_right(const struct wx_batch *batch)
{
    if (!batch->shape->key)
        return true;
    for (uint32_t i = 0; i < batch->n; i++) {
        uint64_t want = batch->shape->key->kind == WAX_STR
                            ? wx_hash_str(((const wax_str *)batch->keys)[i])
                            : wx_hash_i64(((const int64_t *)batch->keys)[i]);
        if (batch->hash[i] != want)
            return false;
    }
    return true;
}

static void expect_same(const struct wx_batch *a, const struct wx_batch *b, const char *what, int i)
{
    struct wx_buf x = {0}, y = {0};
    describe(a, &x);
    describe(b, &y);
    cr_expect_str_eq(wx_buf_text(&x), wx_buf_text(&y), "%s %d", what, i);
    cr_expect(hashes_are_right(b), "%s %d: hashes", what, i);
    wx_buf_free(&x);
    wx_buf_free(&y);
}

/* Decodes a private copy, so that reading beyond its end is seen. */
static struct wx_batch *decode(struct wx_pool *pool, const struct wx_shape *shape,
                               const char *bytes, size_t len, struct wx_error *err)
{
    char *copy = wx_alloc(len);
    memcpy(copy, bytes, len);
    struct wx_batch *batch = wx_batch_decode(pool, shape, copy, len, err);
    free(copy);
    return batch;
}

/* ---- tests ----------------------------------------------------------------------------------- */

Test(codec, keeps_random_batches)
{
    struct wx_pool *pool = wx_pool_create();
    static const wax_type *const keys[] = {NULL, &wax_type_wax_str, &wax_type_int64_t};
    for (int i = 0; i < 1500; i++) {
        struct maker maker = {.seed = (uint64_t)i * 7919 + 1};
        struct wx_shape shape = {.type = make_type(&maker, 0), .key = keys[i % 3]};
        if (i % 50 == 1)
            shape = (struct wx_shape){.type = &wax_type_int64_t, .key = keys[i % 3], .ones = true};
        struct wx_error err = {0};
        cr_assert_eq(wx_type_check(shape.type, &err), 0, "case %d: %s", i, err.text);
        struct wx_batch *batch = make_batch(&maker, pool, &shape, pick(&maker, 12));
        struct wx_buf bytes = {.max = BYTES_MAX};
        wx_batch_encode(batch, &bytes);
        cr_assert(!bytes.full);
        struct wx_batch *again = decode(pool, &shape, bytes.data, bytes.len, &err);
        cr_assert(again, "case %d: %s", i, err.text);
        cr_expect_eq(again->rec == NULL, batch->rec == NULL, "case %d: a record column", i);
        expect_same(batch, again, "case", i);
        wx_batch_put(pool, again);
        wx_batch_put(pool, batch);
        wx_buf_free(&bytes);
        unmake(&maker);
    }
    cr_expect_eq(wx_pool_used(pool), 0, "%zu bytes lost", wx_pool_used(pool));
    wx_pool_destroy(pool);
}

/* The shapes that have a fast path, with full batches. */
Test(codec, keeps_full_batches)
{
    static const struct wx_shape shapes[] = {
        {.type = &wax_type_wax_str, .key = NULL, .ones = false},
        {.type = &wax_type_int64_t, .key = &wax_type_wax_str, .ones = true},
        {.type = &wax_type_int64_t, .key = &wax_type_int64_t, .ones = false},
        {.type = &wax_type_wax_str, .key = &wax_type_wax_str, .ones = false},
        {.type = &wax_type_wax_failure, .key = NULL, .ones = false},
        {.type = &wax_type_wax_list_wax_str, .key = NULL, .ones = false},
    };
    struct wx_pool *pool = wx_pool_create();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct maker maker = {.seed = i + 1};
        uint32_t n = shapes[i].type->kind == WAX_STR || shapes[i].ones ? WX_BLOCK_RECORDS : 200;
        struct wx_batch *batch = make_batch(&maker, pool, &shapes[i], n);
        struct wx_buf bytes = {.max = BYTES_MAX};
        struct wx_error err = {0};
        wx_batch_encode(batch, &bytes);
        struct wx_batch *again = decode(pool, &shapes[i], bytes.data, bytes.len, &err);
        cr_assert(again, "shape %zu: %s", i, err.text);
        expect_same(batch, again, "shape", (int)i);
        wx_batch_put(pool, again);
        wx_batch_put(pool, batch);
        wx_buf_free(&bytes);
        unmake(&maker);
    }
    wx_pool_destroy(pool);
}

Test(codec, survives_damage)
{
    struct wx_pool *pool = wx_pool_create();
    static const wax_type *const keys[] = {NULL, &wax_type_wax_str, &wax_type_int64_t};
    for (int i = 0; i < 120; i++) {
        struct maker maker = {.seed = (uint64_t)i * 104729 + 3};
        struct wx_shape shape = {.type = make_type(&maker, 0), .key = keys[i % 3]};
        struct wx_batch *batch = make_batch(&maker, pool, &shape, 1 + pick(&maker, 4));
        struct wx_buf bytes = {.max = BYTES_MAX};
        wx_batch_encode(batch, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            struct wx_error err = {0};
            struct wx_batch *cut = decode(pool, &shape, bytes.data, len, &err);
            cr_expect(!cut, "case %d: %zu of %zu bytes were accepted", i, len, bytes.len);
            cr_expect(cut || strstr(err.text, "is damaged"), "case %d: %s", i, err.text);
            wx_batch_put(pool, cut);
        }
        for (int flip = 0; flip < 400; flip++) {
            uint32_t at = pick(&maker, (uint32_t)bytes.len);
            char old = bytes.data[at];
            bytes.data[at] = (char)(flip % 4 ? old ^ 1 << pick(&maker, 8) : (int)pick(&maker, 256));
            struct wx_batch *bent = decode(pool, &shape, bytes.data, bytes.len, NULL);
            if (bent) {
                struct wx_buf text = {0};
                describe(bent, &text);
                cr_expect(hashes_are_right(bent), "case %d", i);
                wx_buf_free(&text);
            }
            wx_batch_put(pool, bent);
            bytes.data[at] = old;
        }
        wx_batch_put(pool, batch);
        wx_buf_free(&bytes);
        unmake(&maker);
    }
    cr_expect_eq(wx_pool_used(pool), 0, "%zu bytes lost", wx_pool_used(pool));
    wx_pool_destroy(pool);
}

/* Encodings made by hand: a header, then these words. */
Test(codec, refuses_what_is_not_a_batch)
{
    static const struct wx_shape strings = {.type = &wax_type_wax_str, .key = NULL, .ones = false},
                                 numbers = {.type = &wax_type_int64_t, .key = NULL, .ones = false},
                                 ones = {.type = &wax_type_int64_t,
                                         .key = &wax_type_int64_t,
                                         .ones = true},
                                 lists = {.type = &wax_type_wax_list_int64_t,
                                          .key = NULL,
                                          .ones = false};
    static const struct {
        const struct wx_shape *shape;
        uint32_t flags, n, words;
        uint32_t word[4];
        const char *says; /* NULL: a batch */
    } cases[] = {
        {&numbers, 0, 0, 0, {0}, NULL},
        {&numbers, 0, 0, 1, {0}, "left over"},
        {&numbers, 0, 1, 2, {1, 2}, NULL},
        {&numbers, 0, 1, 1, {1}, "ends too early"},
        {&numbers, 0, 1, 3, {1, 2, 3}, "left over"},
        {&numbers, 0, WX_BLOCK_RECORDS, 0, {0}, "ends too early"},
        {&numbers, 0, WX_BLOCK_RECORDS + 1, 0, {0}, "more records"},
        {&numbers, 0, UINT32_MAX, 0, {0}, "more records"},
        {&strings, 0, 1, 1, {UINT32_MAX}, NULL},
        {&strings, 0, 1, 1, {0}, NULL},
        {&strings, 0, 1, 1, {UINT32_MAX - 1}, "ends too early"},
        {&strings, 0, 2, 3, {4, 0, 0}, NULL},
        {&strings, 0, 2, 3, {4, 4, 0}, "ends too early"},
        {&strings, 0, 2, 3, {0x80000000u, 0x80000000u, 0}, "ends too early"},
        {&lists, 0, 1, 1, {0}, NULL},
        {&lists, 0, 1, 3, {1, 5, 0}, NULL},
        {&lists, 0, 1, 3, {UINT32_MAX, 5, 0}, "longer than the batch"},
        {&lists, 0, 1, 3, {8, 5, 0}, "ends too early"},
        {&ones, 0, 1, 2, {7, 0}, NULL},
        {&ones, 0, 1, 4, {7, 0, 1, 0}, "left over"},
        {&numbers, 2, 3, 0, {0}, NULL}, /* three ones */
        {&numbers, 2, 3, 2, {1, 0}, "left over"},
        {&strings, 2, 1, 1, {0}, "it has no records"},
    };
    struct wx_pool *pool = wx_pool_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t bytes[8 + 4] = {cases[i].n, cases[i].flags};
        memcpy(bytes + 8, cases[i].word, sizeof cases[i].word);
        struct wx_error err = {0};
        struct wx_batch *batch = decode(pool, cases[i].shape, (const char *)bytes,
                                        (8 + cases[i].words) * sizeof bytes[0], &err);
        cr_expect_eq(batch == NULL, cases[i].says != NULL, "case %zu: %s", i, err.text);
        cr_expect(!cases[i].says || strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
        wx_batch_put(pool, batch);
    }
    wx_pool_destroy(pool);
}

/* Elements that are much larger in memory than in the encoding cannot be used to exhaust memory. */
Test(codec, bounds_the_memory_of_lists)
{
    static const wax_type large = {"large", WAX_PLAIN_KIND, 1u << 16, 1, 0, NULL, NULL};
    static const wax_field fields[] = {{.name = "s", .offset = 0, .type = &wax_type_wax_str},
                                       {.name = "l", .offset = 16, .type = &large}};
    static const wax_type rec = {"rec", WAX_RECORD_KIND, 16 + (1u << 16), 8, 2, fields, NULL};
    static const wax_type opt = {"opt", WAX_OPT, 24 + (1u << 16), 8, 0, NULL, &rec};
    static const wax_type list = {"list", WAX_LIST, 16, 8, 0, NULL, &opt};
    static const struct wx_shape shape = {.type = &list};
    struct wx_error err = {0};
    cr_assert_eq(wx_type_check(&list, &err), 0, "%s", err.text);
    enum { N = 4096 };
    uint32_t bytes[8 + 1 + N / 4] = {1};
    bytes[8] = N; /* as many absent values, one byte each: 256 MiB */
    struct wx_pool *pool = wx_pool_create();
    cr_expect(!decode(pool, &shape, (const char *)bytes, sizeof bytes, &err));
    cr_expect(strstr(err.text, "its lists are too large"), "%s", err.text);
    cr_expect_leq(wx_pool_peak(pool), 1u << 20);
    wx_pool_destroy(pool);
}

Test(codec, says_when_the_buffer_is_full)
{
    static const struct wx_shape shapes[] = {
        {.type = &wax_type_wax_failure, .key = &wax_type_wax_str, .ones = false},
        {.type = &wax_type_wax_list_wax_str, .key = NULL, .ones = false},
        {.type = &wax_type_wax_opt_wax_str, .key = NULL, .ones = false}};
    struct wx_pool *pool = wx_pool_create();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct maker maker = {.seed = 5 + i};
        struct wx_batch *batch = make_batch(&maker, pool, &shapes[i], 10);
        struct wx_buf whole = {.max = BYTES_MAX};
        wx_batch_encode(batch, &whole);
        for (size_t max = 0; max <= whole.len; max++) {
            struct wx_buf buf = {.max = max};
            wx_batch_encode(batch, &buf);
            cr_expect_eq(buf.full, max < whole.len, "shape %zu, max %zu", i, max);
            cr_expect_leq(buf.len, max, "shape %zu, max %zu", i, max);
            wx_buf_free(&buf);
        }
        wx_buf_free(&whole);
        wx_batch_put(pool, batch);
        unmake(&maker);
    }
    wx_pool_destroy(pool);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* Of 2^18 keys in 1024 buckets: 256 on average. */
static bool is_even(uint32_t bucket)
{
    return bucket > 64 && bucket < 512;
}

Test(hash, of_integers_can_be_undone_and_spreads)
{
    struct maker maker = {.seed = 11};
    for (int i = 0; i < 200000; i++) {
        uint64_t high = pick(&maker, UINT32_MAX), low = pick(&maker, UINT32_MAX);
        int64_t key = i % 2 ? (int64_t)(high << 32 | low) : i - 100000;
        cr_assert_eq(wx_unhash_i64(wx_hash_i64(key)), key, "%" PRId64, key);
    }
    static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        cr_expect_eq(wx_unhash_i64(wx_hash_i64(edges[i])), edges[i], "%" PRId64, edges[i]);
    cr_expect_eq(wx_hash_i64(0), 0);
    /* Keys 2^shift apart: both ends of the hash fill 1024 buckets evenly. */
    for (uint32_t shift = 0; shift < 46; shift++) {
        uint32_t top[1024] = {0}, bottom[1024] = {0};
        for (uint64_t i = 0; i < 1u << 18; i++) {
            uint64_t hash = wx_hash_i64((int64_t)(i << shift));
            top[hash >> 54]++;
            bottom[hash & 1023]++;
        }
        for (uint32_t i = 0; i < 1024; i++)
            cr_assert(is_even(top[i]) && is_even(bottom[i]), "shift %u, bucket %u: %u and %u",
                      shift, i, top[i], bottom[i]);
    }
}

/* The bytes behind a string do not count, wherever it stands: at the end of a page nothing may be
 * read there. */
Test(hash, of_strings_depends_on_their_bytes_alone)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
    static const char text[] = "the quick brown fox jumps over";
    for (uint32_t len = 0; len < sizeof text; len++) {
        char exact[sizeof text] = "";
        memcpy(exact, text, len);
        uint64_t want = wx_hash_str((wax_str){exact, len});
        for (uint32_t from_end = len; from_end < 64; from_end++) {
            char *at = pages + page - from_end;
            memset(pages + page - 64, 0xa5, 64);
            memcpy(at, text, len);
            cr_expect_eq(wx_hash_str((wax_str){at, len}), want, "%u bytes, %u before the end", len,
                         from_end);
        }
        cr_expect(len == 0 || wx_hash_str((wax_str){exact, len - 1}) != want, "%u bytes", len);
    }
    munmap(pages, 2 * page);
}

Test(hash, of_strings_spreads)
{
    static const char *const affixes[][2] = {{"", ""},     {"user-", ""},
                                             {"", "\n"},   {"12345678", ""},
                                             {"a", "bcd"}, {"a key of many ", "bytes"}};
    for (size_t p = 0; p < sizeof affixes / sizeof affixes[0]; p++) {
        uint32_t top[1024] = {0}, bottom[1024] = {0};
        for (uint32_t i = 0; i < 1u << 18; i++) {
            char text[40];
            int len = snprintf(text, sizeof text, "%s%u%s", affixes[p][0], i, affixes[p][1]);
            uint64_t hash = wx_hash_str((wax_str){text, (uint32_t)len});
            top[hash >> 54]++;
            bottom[hash & 1023]++;
        }
        for (uint32_t i = 0; i < 1024; i++)
            cr_assert(is_even(top[i]) && is_even(bottom[i]), "'%s0%s', bucket %u: %u and %u",
                      affixes[p][0], affixes[p][1], i, top[i], bottom[i]);
    }
}

/* Hashes are stored and compared between machines: these never change. */
Test(hash, is_the_same_for_ever)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {
        {"", 0x00cab019eea114c8},
        {"a", 0x8c7d02549fda183e},
        {"four", 0x1abb843df951662c},
        {"fifteen bytes !", 0xa35cdb9ee0e18882},
        {"sixteen bytes !!", 0x88c8ed214c2651ba},
        {"a string of more than sixteen bytes", 0xe03f501dfdec920b},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wax_str s = {cases[i].text, (uint32_t)strlen(cases[i].text)};
        cr_expect_eq(wx_hash_str(s), cases[i].hash, "'%s': 0x%" PRIx64, s.ptr, wx_hash_str(s));
    }
    cr_expect_eq(wx_hash_str((wax_str){NULL, 0}), wx_hash_str((wax_str){"", 0}));
    cr_expect_eq(wx_hash_i64(1), 0xff51afd71204231a, "0x%" PRIx64, wx_hash_i64(1));
}
