/* SPDX-License-Identifier: Apache-2.0 */
/* Records known by their descriptor: printing, checking, comparing, copying. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wax/str.h>

#include "base/alloc.h"
#include "core/type.h"

WAX_RECORD(point, (int32_t, x), (double, y));
WAX_RECORD(person, (wax_str, name), (bool, ok), (wax_opt(int64_t), age),
           (wax_list(wax_str), tags, .column = "the tags"));
WAX_RECORD(line, (wax_list(int64_t), cells));
WAX_RECORD(nest, (point, at), (wax_list(person), people), (wax_opt(person), chief),
           (wax_bytes, raw), (wax_json, more), (wax_time, when), (wax_list(line), rows));
WAX_RECORD(small, (bool, a), (float, b), (uint64_t, c));
typedef struct pair {
    uint8_t a, b;
} pair;
WAX_PLAIN(pair);

#define TEXT_MAX (1u << 20)

static const char *as_text(const wax_type *type, const void *rec, struct wx_buf *buf)
{
    *buf = (struct wx_buf){.max = TEXT_MAX};
    wx_type_text(type, rec, buf);
    return wx_buf_text(buf);
}

static const char *as_json(const wax_type *type, const void *rec, struct wx_buf *buf)
{
    *buf = (struct wx_buf){.max = TEXT_MAX};
    wx_type_json(type, rec, buf);
    return wx_buf_text(buf);
}

/* WAX_S() is no constant for a table. */
#define TEXT(LITERAL)                                                                              \
    {                                                                                              \
        LITERAL, sizeof(LITERAL) - 1                                                               \
    }
#define VAL(T, ...)                                                                                \
    &wax_type_##T, &(const T[])                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const int64_t row_items[] = {1, -2};
static line rows[] = {{{(int64_t *)(uintptr_t)row_items, 2, 2}}, {{NULL, 0, 0}}};
static wax_str tags[] = {{"a", 1}, {NULL, 0}, {"", 0}};
static person people[] = {
    {{"Zoë", 4}, true, {41, true}, {tags, 3, 3}},
    {{NULL, 0}, false, {0, false}, {NULL, 0, 0}},
};
static const nest full = {{-1, 0.5},
                          {people, 2, 2},
                          {{{"c", 1}, true, {0, true}, {NULL, 0, 0}}, true},
                          {(const uint8_t *)"\x00\xff", 2},
                          {{"{\"k\": [1]}", 10}},
                          1714557600000000,
                          {rows, 2, 2}};

static const struct {
    const wax_type *type;
    const void *rec;
    const char *text, *json; /* NULL: the same as text */
} printed[] = {
    {VAL(bool, true), "true", NULL},
    {VAL(bool, false), "false", NULL},
    {VAL(int32_t, INT32_MIN), "-2147483648", NULL},
    {VAL(int64_t, INT64_MIN), "-9223372036854775808", NULL},
    {VAL(int64_t, 0), "0", NULL},
    {VAL(uint64_t, UINT64_MAX), "18446744073709551615", NULL},
    {VAL(float, 0.1f), "0.1", NULL},
    {VAL(float, 16777216.0f), "16777216", "16777216.0"},
    {VAL(double, 3), "3", "3.0"},
    {VAL(double, -0.0), "-0", "-0.0"},
    {VAL(double, 0.29), "0.29", NULL},
    {VAL(double, 1234.5678), "1234.5678", NULL},
    {VAL(double, 0.1 + 0.2), "0.30000000000000004", NULL},
    {VAL(double, 1e22), "1e+22", NULL},
    {VAL(double, 1e-7), "1e-07", NULL},
    {VAL(double, 5e-324), "5e-324", NULL},
    {VAL(double, NAN), "nan", "null"},
    {VAL(double, INFINITY), "inf", "null"},
    {VAL(float, -INFINITY), "-inf", "null"},
    {VAL(wax_str, TEXT("plain")), "plain", "\"plain\""},
    {VAL(wax_str, {NULL, 0}), "", "null"},
    {VAL(wax_str, {"", 0}), "", "\"\""},
    {VAL(wax_str, TEXT("a\"b\\c/")), "a\"b\\c/", "\"a\\\"b\\\\c/\""},
    {VAL(wax_str, TEXT("\b\t\n\v\f\r\x1f\x7f")), "\b\t\n\v\f\r\x1f\x7f",
     "\"\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\""},
    {VAL(wax_str, TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")),
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    /* Not UTF-8: a lone continuation, overlong, a surrogate, above U+10FFFF, cut short. */
    {VAL(wax_str, TEXT("x\x80y")), "x\x80y", "\"x\xef\xbf\xbdy\""},
    {VAL(wax_str, TEXT("\xc0\xaf")), "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {VAL(wax_str, TEXT("\xe0\x80\xaf")), "\xe0\x80\xaf",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {VAL(wax_str, TEXT("\xed\xa0\x80")), "\xed\xa0\x80",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {VAL(wax_str, TEXT("\xf4\x90\x80\x80")), "\xf4\x90\x80\x80",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {VAL(wax_str, TEXT("\xe2\x82")), "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {VAL(wax_bytes, {(const uint8_t *)"\x01\xab", 2}), "01ab", "\"01ab\""},
    {VAL(wax_bytes, {NULL, 0}), "", "null"},
    {VAL(wax_json, {{"[1, 2]", 6}}), "[1, 2]", NULL},
    {VAL(wax_json, {{"", 0}}), "null", NULL},
    {VAL(wax_json, {{NULL, 0}}), "null", NULL},
    {&wax_type_wax_time, &(wax_time){0}, "1970-01-01T00:00:00Z", "\"1970-01-01T00:00:00Z\""},
    {&wax_type_wax_time, &(wax_time){-1}, "1969-12-31T23:59:59.999999Z",
     "\"1969-12-31T23:59:59.999999Z\""},
    {&wax_type_wax_time, &(wax_time){INT64_MAX}, "9223372036854775807", NULL},
    {VAL(pair, {0x0a, 0xff}), "0aff", "\"0aff\""},
    {VAL(point, {7, 2}), "{\"x\":7,\"y\":2.0}", NULL},
    {VAL(wax_opt_double, {1.5, true}), "1.5", NULL},
    {VAL(wax_opt_double, {1.5, false}), "null", NULL},
    {VAL(wax_opt_wax_str, {{"raw", 3}, true}), "raw", "\"raw\""},
    {&wax_type_wax_list_int64_t, &rows[0], "[1,-2]", NULL},
    {&wax_type_wax_list_int64_t, &rows[1], "[]", NULL},
    {&wax_type_person, &people[1], "{\"name\":null,\"ok\":false,\"age\":null,\"the tags\":[]}",
     NULL},
    {&wax_type_nest, &full,
     "{\"at\":{\"x\":-1,\"y\":0.5},\"people\":[{\"name\":\"Zo\xc3\xab\",\"ok\":true,\"age\":41,"
     "\"the tags\":[\"a\",null,\"\"]},{\"name\":null,\"ok\":false,\"age\":null,\"the tags\":[]}],"
     "\"chief\":{\"name\":\"c\",\"ok\":true,\"age\":0,\"the tags\":[]},\"raw\":\"00ff\","
     "\"more\":{\"k\": [1]},\"when\":\"2024-05-01T10:00:00Z\","
     "\"rows\":[{\"cells\":[1,-2]},{\"cells\":[]}]}",
     NULL},
};

Test(type, prints_text_and_json)
{
    for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
        struct wx_buf buf;
        const char *want = printed[i].json ? printed[i].json : printed[i].text;
        cr_expect_str_eq(as_text(printed[i].type, printed[i].rec, &buf), printed[i].text,
                         "case %zu: %s as text: %s", i, printed[i].type->name, buf.data);
        wx_buf_free(&buf);
        cr_expect_str_eq(as_json(printed[i].type, printed[i].rec, &buf), want,
                         "case %zu: %s as JSON: %s", i, printed[i].type->name, buf.data);
        wx_buf_free(&buf);
    }
}

/* A buffer that is too small is never overrun and says that it is full. */
Test(type, printing_stops_at_the_maximum)
{
    struct wx_buf whole;
    as_json(&wax_type_nest, &full, &whole);
    for (size_t max = 0; max < whole.len; max++) {
        struct wx_buf buf = {.max = max};
        wx_type_json(&wax_type_nest, &full, &buf);
        cr_expect(buf.full && buf.len <= max, "max %zu: %zu bytes, full %d", max, buf.len,
                  buf.full);
        wx_buf_free(&buf);
    }
    wx_buf_free(&whole);
}

Test(type, checks_descriptors)
{
    static const wax_field ok_fields[] = {{.name = "a", .offset = 0, .type = &wax_type_int64_t}};
    static const wax_field twice[] = {{.name = "a", .offset = 0, .type = &wax_type_int64_t},
                                      {.name = "a", .offset = 8, .type = &wax_type_int64_t}};
    static const wax_field overlap[] = {{.name = "a", .offset = 0, .type = &wax_type_int64_t},
                                        {.name = "b", .offset = 4, .type = &wax_type_int32_t}};
    static const wax_field crooked[] = {{.name = "a", .offset = 2, .type = &wax_type_int32_t}};
    static const wax_field outside[] = {{.name = "a", .offset = 16, .type = &wax_type_int64_t}};
    static const wax_field far_off[] = {
        {.name = "a", .offset = UINT32_MAX - 7, .type = &wax_type_int64_t}};
    static const wax_field nameless[] = {{.name = "", .offset = 0, .type = &wax_type_int64_t}};
    static const wax_field untyped[] = {{.name = "a", .offset = 0, .type = NULL}};
    static const wax_type wide = {"wide", WAX_PLAIN_KIND, 16, 16, 0, NULL, NULL};
    static wax_type loop = {"loop", WAX_LIST, 16, 8, 0, NULL, &loop};
#define RECORD(FIELDS)                                                                             \
    {                                                                                              \
        "t", WAX_RECORD_KIND, 16, 8, sizeof FIELDS / sizeof *FIELDS, FIELDS, NULL                  \
    }
    static const struct {
        wax_type type;
        const char *says; /* NULL: sound */
    } cases[] = {
        {RECORD(ok_fields), NULL},
        {{"w", WAX_PLAIN_KIND, 3, 1, 0, NULL, NULL}, NULL},
        {{"o", WAX_OPT, 2, 1, 0, NULL, &wax_type_bool}, NULL},
        {{NULL, WAX_I64, 8, 8, 0, NULL, NULL}, "no name"},
        {{"t", 99, 8, 8, 0, NULL, NULL}, "kind 99"},
        {{"t", WAX_I64, 4, 4, 0, NULL, NULL}, "4 bytes where its kind has 8"},
        {{"t", WAX_PLAIN_KIND, 0, 1, 0, NULL, NULL}, "size of 0"},
        {{"t", WAX_PLAIN_KIND, 6, 4, 0, NULL, NULL}, "size of 6"},
        {{"t", WAX_PLAIN_KIND, 2u << 20, 1, 0, NULL, NULL}, "size of 2097152"},
        {{"t", WAX_PLAIN_KIND, 6, 3, 0, NULL, NULL}, "alignment of 3"},
        {{"t", WAX_PLAIN_KIND, 64, 64, 0, NULL, NULL}, "alignment of 64"},
        {{"t", WAX_RECORD_KIND, 16, 8, 0, ok_fields, NULL}, "0 fields"},
        {{"t", WAX_RECORD_KIND, 16, 8, 1, NULL, NULL}, "1 fields"},
        {RECORD(twice), "two fields 'a'"},
        {RECORD(overlap), "field 'b' of type 't' cannot be at offset 4"},
        {RECORD(crooked), "cannot be at offset 2"},
        {RECORD(outside), "cannot be at offset 16"},
        {RECORD(far_off), "cannot be at offset"},
        {RECORD(nameless), "has no name"},
        {RECORD(untyped), "field 'a' of type 't': a type has no descriptor"},
        {{"t", WAX_LIST, 16, 8, 0, NULL, NULL}, "type 't': a type has no descriptor"},
        {{"t", WAX_LIST, 16, 8, 0, NULL, &wide}, "cannot be in a list"},
        {{"t", WAX_OPT, 8, 8, 0, NULL, &wax_type_int64_t}, "layout of an optional"},
        {{"t", WAX_LIST, 16, 8, 0, NULL, &loop}, "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wx_error err = {0};
        int rc = wx_type_check(&cases[i].type, &err);
        const char *says = cases[i].says;
        cr_expect_eq(rc, says ? -1 : 0, "case %zu: %d: %s", i, rc, err.text);
        cr_expect(!says || strstr(err.text, says), "case %zu: '%s' in: %s", i, says, err.text);
    }
    cr_expect_eq(wx_type_check(NULL, NULL), -1);
    static const wax_type *const sound[] = {&wax_type_nest,  &wax_type_wax_failure,
                                            &wax_type_small, &wax_type_wax_opt_nest,
                                            &wax_type_bool,  &wax_type__Bool};
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
        cr_expect_eq(wx_type_check(sound[i], NULL), 0, "%s", sound[i]->name);
}

Test(type, tells_types_apart)
{
    static const wax_field names[] = {{.name = "x", .offset = 0, .type = &wax_type_int32_t},
                                      {.name = "z", .offset = 8, .type = &wax_type_double}};
    static const wax_field kinds[] = {{.name = "x", .offset = 0, .type = &wax_type_int32_t},
                                      {.name = "y", .offset = 8, .type = &wax_type_int64_t}};
    static const wax_field offsets[] = {{.name = "x", .offset = 4, .type = &wax_type_int32_t},
                                        {.name = "y", .offset = 8, .type = &wax_type_double}};
    static const wax_type variants[] = {
        {"point", WAX_RECORD_KIND, 16, 8, 2, names, NULL},
        {"point", WAX_RECORD_KIND, 16, 8, 2, kinds, NULL},
        {"point", WAX_RECORD_KIND, 16, 8, 2, offsets, NULL},
        {"point", WAX_RECORD_KIND, 16, 8, 1, names, NULL},
        {"point", WAX_RECORD_KIND, 24, 8, 2, names, NULL},
        {"p", WAX_PLAIN_KIND, 16, 8, 0, NULL, NULL},
        {"q", WAX_PLAIN_KIND, 16, 8, 0, NULL, NULL},
    };
    const wax_type *all[32] = {
        &wax_type_point,           &wax_type_person,          &wax_type_nest,
        &wax_type_int64_t,         &wax_type_uint64_t,        &wax_type_wax_time,
        &wax_type_double,          &wax_type_float,           &wax_type_wax_str,
        &wax_type_wax_bytes,       &wax_type_wax_json,        &wax_type_wax_list_int64_t,
        &wax_type_wax_list_double, &wax_type_wax_opt_int64_t, &wax_type_bool};
    size_t n = 15;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        all[n++] = &variants[i];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            cr_expect_eq(wx_type_same(all[i], all[k]), i == k, "%zu and %zu", i, k);
            cr_expect_eq(wx_type_hash(all[i]) == wx_type_hash(all[k]), i == k, "%zu and %zu", i, k);
        }
    /* Another translation unit has descriptors of its own, perhaps under another name. */
    wax_type copy = wax_type_nest;
    copy.name = "other";
    cr_expect(wx_type_same(&copy, &wax_type_nest));
    cr_expect_eq(wx_type_hash(&copy), wx_type_hash(&wax_type_nest));
    static const struct {
        const wax_type *type;
        bool flat;
    } flats[] = {{&wax_type_point, true},
                 {&wax_type_person, false},
                 {&wax_type_nest, false},
                 {&wax_type_wax_opt_point, true},
                 {&wax_type_pair, true},
                 {&wax_type_small, true},
                 {&wax_type_wax_list_float, false},
                 {&wax_type_wax_opt_wax_str, false},
                 {&wax_type_wax_json, false},
                 {&wax_type_wax_bytes, false}};
    for (size_t i = 0; i < sizeof flats / sizeof flats[0]; i++)
        cr_expect_eq(wx_type_is_flat(flats[i].type), flats[i].flat, "%s", flats[i].type->name);
}

/* ---- copying --------------------------------------------------------------------------------- */

/* One block, as keyed state has it; counts what is asked for. */
struct block {
    struct wx_memory memory; /* first */
    char *bytes;
    size_t used, cap;
};

static void *take(struct wx_memory *memory, size_t size)
{
    struct block *block = (struct block *)(void *)memory;
    size_t rounded = (size + 7) & ~(size_t)7;
    cr_assert(block->used + rounded <= block->cap, "asked for more than wx_type_extra() said");
    block->used += rounded;
    return block->bytes + block->used - rounded;
}

Test(type, copies_what_records_point_to)
{
    const struct {
        const wax_type *type;
        const void *rec;
        bool points;
    } cases[] = {
        {&wax_type_nest, &full, true},
        {&wax_type_person, &people[0], true},
        {&wax_type_person, &people[1], false},
        {&wax_type_wax_str, &tags[0], true},
        {&wax_type_wax_str, &tags[1], false},
        {&wax_type_wax_str, &tags[2], false},
        {&wax_type_wax_list_int64_t, &rows[0], true},
        {&wax_type_wax_opt_wax_str, &(const wax_opt_wax_str){{"x", 1}, true}, true},
        {&wax_type_wax_opt_wax_str, &(const wax_opt_wax_str){{(const char *)8, 9}, false}, false},
        {&wax_type_point, &(const point){1, 2}, false},
        {&wax_type_wax_json, &(const wax_json){{"[]", 2}}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const wax_type *type = cases[i].type;
        struct block block = {.memory = {take}, .cap = wx_type_extra(type, cases[i].rec)};
        block.bytes = wx_alloc(block.cap);
        char *low = block.bytes, *high = block.bytes + block.cap;
        void *copy = wx_alloc(type->size);
        wx_type_copy(type, copy, cases[i].rec, 1, &block.memory);
        cr_expect_eq(block.used, block.cap, "case %zu: used %zu of %zu", i, block.used, block.cap);
        cr_expect_eq(wx_type_points_outside(type, cases[i].rec, low, high), cases[i].points,
                     "case %zu: the original", i);
        cr_expect(!wx_type_points_outside(type, copy, low, high), "case %zu: the copy", i);
        struct wx_buf a, b;
        cr_expect_str_eq(as_json(type, copy, &a), as_json(type, cases[i].rec, &b), "case %zu", i);
        wx_buf_free(&a);
        wx_buf_free(&b);
        free(copy);
        free(block.bytes);
    }
}

/* Many records at once: strings share one block. */
Test(type, copies_columns)
{
    enum { N = 100 };
    char text[2 * N];
    wax_str strings[N], copies[N];
    point points[N], more[N];
    size_t extra = 0;
    for (uint32_t i = 0; i < N; i++) {
        text[2 * i] = (char)('a' + i % 26);
        text[2 * i + 1] = 'x';
        strings[i] = (wax_str){i % 7 ? text + 2 * i : NULL, i % 7 ? i % 3 : 0};
        points[i] = (point){(int32_t)i, i * 0.5};
        extra += wx_type_extra(&wax_type_wax_str, &strings[i]);
    }
    struct block block = {.memory = {take}, .bytes = wx_alloc(extra), .cap = extra};
    wx_type_copy(&wax_type_wax_str, copies, strings, N, &block.memory);
    wx_type_copy(&wax_type_point, more, points, N, &block.memory);
    wx_type_copy(&wax_type_wax_str, copies, strings, 0, &block.memory);
    memset(text, 0, sizeof text);
    for (uint32_t i = 0; i < N; i++) {
        bool absent = i % 7 == 0;
        cr_expect_eq(copies[i].ptr == NULL, absent, "%u", i);
        cr_expect_eq(copies[i].len, absent ? 0 : i % 3, "%u", i);
        cr_expect(copies[i].len == 0 || copies[i].ptr[0] == (char)('a' + i % 26), "%u", i);
        cr_expect(more[i].x == (int32_t)i && more[i].y == i * 0.5, "%u", i);
    }
    free(block.bytes);
}
