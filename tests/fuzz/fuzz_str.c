/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads text: numbers, times, slices, lines, and JSON strings made of any bytes. What
 * is accepted must print and read back as the same value; slices must stay inside the text and lose
 * nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wax/str.h>

#include "base/error.h"
#include "connectors/scan.h"
#include "core/number.h"
#include "core/type.h"

static void check_numbers(wax_str text)
{
    char printed[WX_NUMBER_MAX];
    int64_t integer, integer_again;
    if (wax_str_i64(text, &integer)) {
        wax_str s = {printed, (uint32_t)wx_format_i64(integer, printed)};
        WX_ASSERT(wax_str_i64(s, &integer_again) && integer_again == integer);
    }
    double number, number_again, slow;
    if (wax_str_f64(text, &number)) {
        wax_str s = {printed, (uint32_t)wx_format_f64(number, printed)};
        WX_ASSERT(s.len <= WX_NUMBER_MAX && wax_str_f64(s, &number_again));
        WX_ASSERT(number != number || memcmp(&number, &number_again, sizeof number) == 0);
        /* The quick way and the library's must agree to the bit. */
        WX_ASSERT(wax_str_f64_any_(text, &slow));
        WX_ASSERT(number != number || memcmp(&number, &slow, sizeof number) == 0);
    }
    wax_time time, time_again;
    if (wax_str_time(text, &time) && wx_time_has_text(time)) {
        wax_str s = {printed, (uint32_t)wx_format_time(time, printed)};
        WX_ASSERT(wax_str_time(s, &time_again) && time_again == time);
    }
}

static void check_slices(wax_str text)
{
    size_t in_words = 0, outside = 0;
    for (uint32_t i = 0; i < text.len; i++)
        outside += wax_is_space_(text.ptr[i]);
    wax_str rest = text, word;
    while (wax_str_word(&rest, &word)) {
        WX_ASSERT(word.len > 0 && word.ptr >= text.ptr &&
                  word.ptr + word.len <= text.ptr + text.len);
        in_words += word.len;
    }
    WX_ASSERT(in_words + outside == text.len);
    size_t cut = 0;
    for (rest = text; rest.len;)
        cut += wax_str_cut(&rest, ';').len + 1;
    WX_ASSERT(cut == text.len || cut == text.len + 1u);
    word = wax_str_trim(text);
    WX_ASSERT(word.len == 0 ||
              (!wax_is_space_(word.ptr[0]) && !wax_is_space_(word.ptr[word.len - 1])));
}

static void check_lines(wax_str text)
{
    static wax_str lines[64];
    size_t at = 0, used;
    do {
        uint32_t n = wx_scan_lines(text.ptr + at, text.len - at, lines, 64, &used);
        for (uint32_t i = 0; i < n; i++) {
            const char *end = lines[i].ptr + lines[i].len;
            WX_ASSERT(*end == '\n' || (*end == '\r' && end[1] == '\n'));
            WX_ASSERT(!memchr(lines[i].ptr, '\n', lines[i].len));
        }
        at += used;
    } while (used > 0);
    WX_ASSERT(!memchr(text.ptr + at, '\n', text.len - at));
}

/* Inside the quotes there are no quotes, no control characters and only UTF-8. */
static void check_json(wax_str text)
{
    struct wx_buf out = {.max = 1u << 26};
    wx_type_json(&wax_type_wax_str, &text, &out);
    WX_ASSERT(out.len >= 2 && out.data[0] == '"' && out.data[out.len - 1] == '"');
    for (size_t i = 1; i + 1 < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        WX_ASSERT(c >= 0x20 && c != '"');
        i += c == '\\';
    }
    /* What is UTF-8 already does not change when it is made JSON again, but for the escapes. */
    wax_str inner = {out.data + 1, (uint32_t)(out.len - 2)};
    struct wx_buf again = {.max = 1u << 26};
    wx_type_json(&wax_type_wax_str, &inner, &again);
    size_t escapes = 0;
    for (uint32_t i = 0; i < inner.len; i++)
        escapes += inner.ptr[i] == '\\' || inner.ptr[i] == '"';
    WX_ASSERT(again.len == out.len + escapes);
    wx_buf_free(&out);
    wx_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0 || len > 1u << 20)
        return 0;
    /* A copy of exactly this size, so that reading beyond it is seen. */
    char *copy = malloc(len);
    WX_ASSERT(copy != NULL);
    memcpy(copy, data, len);
    wax_str text = {copy, (uint32_t)len};
    check_numbers(text);
    check_slices(text);
    check_lines(text);
    check_json(text);
    free(copy);
    return 0;
}
