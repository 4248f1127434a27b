/* SPDX-License-Identifier: Apache-2.0 */
/* The helpers of <wax/str.h>: numbers and times from text, and slicing. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include <wax/str.h>

#include "core/number.h"

#define SAY(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

Test(str, integers)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+7", true, 7},
        {"007", true, 7},
        {"-123456789", true, -123456789},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
        {"1e3", false, 0},
        {"/", false, 0},
        {":", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 42;
        bool ok = wax_str_i64(wax_from_c(cases[i].text), &value);
        cr_expect_eq(ok, cases[i].ok, "'%s': accepted %d", cases[i].text, ok);
        cr_expect_eq(value, cases[i].ok ? cases[i].value : 42, "'%s': %" PRId64, cases[i].text,
                     value);
    }
    int64_t value;
    cr_expect(!wax_str_i64((wax_str){NULL, 0}, &value), "an absent string is no number");
    cr_expect(!wax_str_i64((wax_str){"1\0", 2}, &value), "a NUL is no digit");
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        int64_t want = (int64_t)(next_random(&seed) >> (i % 64));
        want = i & 1 ? -want : want;
        char text[WX_NUMBER_MAX];
        wax_str s = {text, (uint32_t)wx_format_i64(want, text)};
        cr_assert(wax_str_i64(s, &value) && value == want, "%" PRId64 " as '%.*s'", want, SAY(s));
    }
}

Test(str, doubles)
{
    static const struct {
        const char *text;
        bool ok;
        double value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, -0.0},
        {"1", true, 1},
        {"-12.5", true, -12.5},
        {"+12.5", true, 12.5},
        {"0.1", true, 0.1},
        {".5", true, 0.5},
        {"-.5", true, -0.5},
        {"5.", true, 5},
        {"123456789012345", true, 123456789012345},
        {"1234567890123456", true, 1234567890123456},
        {"12345678901234567890123", true, 12345678901234567890123.0},
        {"99999999999999999999999999999999999999999999999999999999999999999999999999999999", true,
         99999999999999999999999999999999999999999999999999999999999999999999999999999999.0},
        {"0.30000000000000004", true, 0.30000000000000004},
        {"1e3", true, 1000},
        {"1E-3", true, 0.001},
        {"-1.5e+10", true, -1.5e10},
        {"1e400", true, INFINITY},
        {"1e-400", true, 0},
        {"inf", true, INFINITY},
        {"-Infinity", true, -INFINITY},
        {"nan", true, NAN},
        {"", false, 0},
        {"-", false, 0},
        {".", false, 0},
        {"-.", false, 0},
        {"e5", false, 0},
        {"1e", false, 0},
        {"1e+", false, 0},
        {"1.2.3", false, 0},
        {"1,5", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1p3", false, 0},
        {"nan(1)", false, 0},
        {"infin", false, 0},
        {"--1", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 42, want = cases[i].ok ? cases[i].value : 42;
        bool ok = wax_str_f64(wax_from_c(cases[i].text), &value);
        cr_expect_eq(ok, cases[i].ok, "'%s': accepted %d", cases[i].text, ok);
        bool same = isnan(want) ? isnan(value) : memcmp(&value, &want, sizeof want) == 0;
        cr_expect(same, "'%s': %.17g", cases[i].text, value);
    }
    double value;
    cr_expect(!wax_str_f64((wax_str){NULL, 0}, &value), "an absent string is no number");
    cr_expect(!wax_str_f64((wax_str){"1\0", 2}, &value), "a NUL is no digit");
}

/* Without zeros at either end, and without the exponent; 1 for zero. */
static size_t significant_digits(wax_str s)
{
    size_t seen = 0, zeros = 0;
    for (uint32_t i = 0; i < s.len && s.ptr[i] != 'e'; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || (seen == 0 && s.ptr[i] == '0'))
            continue;
        seen++;
        zeros = s.ptr[i] == '0' ? zeros + 1 : 0;
    }
    return seen > zeros ? seen - zeros : 1;
}

/* What is printed must read back as the same bits, and nothing shorter may. */
Test(str, doubles_round_trip)
{
    uint64_t seed = 2;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&seed);
        double want, value;
        memcpy(&want, &bits, sizeof want);
        if (i % 3 == 1)
            want = (double)(int64_t)(bits >> (i % 60 + 4)) / 100;
        if (i % 3 == 2)
            want = (double)(int32_t)bits / 1e5;
        if (isnan(want))
            continue;
        char text[WX_NUMBER_MAX], shorter[64];
        wax_str s = {text, (uint32_t)wx_format_f64(want, text)};
        cr_assert(wax_str_f64(s, &value) && memcmp(&value, &want, sizeof want) == 0, "%a as '%.*s'",
                  want, SAY(s));
        size_t digits = 0;
        while (digits < 17 && (snprintf(shorter, sizeof shorter, "%.*e", (int)digits, want),
                               strtod(shorter, NULL) != want))
            digits++;
        cr_assert(significant_digits(s) == digits + 1, "%a as '%.*s': %zu digits are enough", want,
                  SAY(s), digits + 1);
        float narrow = (float)want;
        s.len = (uint32_t)wx_format_f32(narrow, text);
        cr_assert(wax_str_f64(s, &value) && (float)value == narrow, "%a as '%.*s'", (double)narrow,
                  SAY(s));
    }
}

Test(str, times)
{
    static const struct {
        const char *text;
        bool ok;
        wax_time value;
    } cases[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"1970-01-01", true, 0},
        {"1969-12-31T23:59:59.999999Z", true, -1},
        {"2024-05-01T10:00:00Z", true, 1714557600000000},
        {"2024-05-01 10:00:00", true, 1714557600000000},
        {"2024-05-01T12:00:00+02:00", true, 1714557600000000},
        {"2024-05-01t04:30:00-05:30", true, 1714557600000000},
        {"2024-05-01T10:00:00z", true, 1714557600000000},
        {"2024-05-01T10:00:00.5Z", true, 1714557600500000},
        {"2024-05-01T10:00:00.1234567891Z", true, 1714557600123456},
        {"2024-02-29", true, 1709164800000000},
        {"2000-02-29", true, 951782400000000},
        {"2016-12-31T23:59:60Z", true, 1483228800000000},
        {"0000-01-01", true, -62167219200000000},
        {"9999-12-31T23:59:59.999999Z", true, 253402300799999999},
        {"2023-02-29", false, 0},
        {"1900-02-29", false, 0},
        {"2024-00-01", false, 0},
        {"2024-13-01", false, 0},
        {"2024-04-31", false, 0},
        {"2024-01-00", false, 0},
        {"2024-1-01", false, 0},
        {"24-01-01", false, 0},
        {"2024-05-01T24:00:00Z", false, 0},
        {"2024-05-01T10:60:00Z", false, 0},
        {"2024-05-01T10:00:61Z", false, 0},
        {"2024-05-01T10:00Z", false, 0},
        {"2024-05-01T10:00:00.Z", false, 0},
        {"2024-05-01T10:00:00+2:00", false, 0},
        {"2024-05-01T10:00:00+24:00", false, 0},
        {"2024-05-01T10:00:00Z ", false, 0},
        {"2024-05-01T", false, 0},
        {"2024-05-01T10:00:00+02:00x", false, 0},
        {" 2024-05-01", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wax_time value = 42;
        bool ok = wax_str_time(wax_from_c(cases[i].text), &value);
        cr_expect_eq(ok, cases[i].ok, "'%s': accepted %d", cases[i].text, ok);
        cr_expect_eq(value, cases[i].ok ? cases[i].value : 42, "'%s': %" PRId64, cases[i].text,
                     value);
    }
    cr_expect(!wax_str_time((wax_str){"2024-05-01\0", 11}, &(wax_time){0}),
              "a NUL is no separator");
}

Test(str, times_round_trip)
{
    uint64_t seed = 3;
    for (int i = 0; i < 100000; i++) {
        /* All years that have a text, with and without microseconds. */
        int64_t want = (int64_t)(next_random(&seed) % 315569520000000000u) - 62167219200000000;
        want = i & 1 ? want : want - want % 1000000;
        char text[WX_NUMBER_MAX];
        wax_str s = {text, (uint32_t)wx_format_time(want, text)};
        wax_time value = 42;
        cr_assert(wax_str_time(s, &value) && value == want, "%" PRId64 " as '%.*s'", want, SAY(s));
        int64_t seconds = want / 1000000 - (want % 1000000 < 0);
        struct tm tm;
        char expect[80];
        gmtime_r(&(time_t){seconds}, &tm);
        snprintf(expect, sizeof expect, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        cr_assert(memcmp(text, expect, strlen(expect)) == 0, "'%.*s' is '%s'", SAY(s), expect);
    }
    static const wax_time outside[] = {INT64_MIN, INT64_MAX, 253402300800000000,
                                       -62167219200000001};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        char text[WX_NUMBER_MAX], expect[WX_NUMBER_MAX];
        int len = snprintf(expect, sizeof expect, "%" PRId64, outside[i]);
        cr_expect_eq(wx_format_time(outside[i], text), (size_t)len, "%s", expect);
        cr_expect(memcmp(text, expect, (size_t)len) == 0, "%s", expect);
    }
}

Test(str, slices)
{
    static const struct {
        const char *text, *words; /* the words, joined by '|' */
        const char *cut;          /* the fields between ';', joined by '|' */
        const char *trimmed;
    } cases[] = {
        {"", "", "", ""},
        {"one", "one", "one", "one"},
        {"  two words\t", "two|words", "  two words\t", "two words"},
        {"a;b;;c", "a;b;;c", "a|b||c", "a;b;;c"},
        {";", ";", "", ";"},
        {" \t\n\v\f\r", "", " \t\n\v\f\r", ""},
        {"\x1f\x0e", "\x1f\x0e", "\x1f\x0e", "\x1f\x0e"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wax_str rest = wax_from_c(cases[i].text), word;
        char joined[64] = "";
        while (wax_str_word(&rest, &word))
            snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%.*s",
                     *joined ? "|" : "", SAY(word));
        cr_expect_str_eq(joined, cases[i].words, "words of '%s'", cases[i].text);
        rest = wax_from_c(cases[i].text);
        *joined = '\0';
        for (int n = 0; rest.len; n++) {
            word = wax_str_cut(&rest, ';');
            snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%.*s",
                     n ? "|" : "", SAY(word));
        }
        cr_expect_str_eq(joined, cases[i].cut, "fields of '%s'", cases[i].text);
        cr_expect(wax_str_is(wax_str_trim(wax_from_c(cases[i].text)), cases[i].trimmed),
                  "'%s' trimmed", cases[i].text);
    }
    cr_expect(wax_str_eq(WAX_S("ab"), wax_from_c("ab")) && !wax_str_eq(WAX_S("ab"), WAX_S("ac")));
    cr_expect(wax_str_eq((wax_str){NULL, 0}, WAX_S("")), "absent equals empty");
    cr_expect(wax_str_starts(WAX_S("abc"), "ab") && !wax_str_starts(WAX_S("a"), "ab"));
    cr_expect(!wax_from_c(NULL).ptr && wax_from_c(NULL).len == 0);
    wax_str absent = {NULL, 0}, part;
    cr_expect(!wax_str_word(&absent, &part) && wax_str_cut(&absent, ';').len == 0);
    cr_expect(wax_str_starts(absent, "") && wax_str_trim(absent).len == 0);
}
