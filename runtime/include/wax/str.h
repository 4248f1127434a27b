/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/str.h: work on borrowed strings. Slicing never copies: results point into the argument and
 * live as long as it does. The short ones are inline because bodies call them for every record.
 */
#ifndef WAX_STR_H
#define WAX_STR_H

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <wax/type.h>

WAX_BEGIN_C
/* The whole of `s` as a number or time; false, with `*out` untouched, when it is not one. */
WAX_EXPORT bool wax_str_i64(wax_str s, int64_t *out);
WAX_EXPORT bool wax_str_f64_any_(wax_str s, double *out);
/* RFC 3339 ("2024-05-01T10:00:00Z", with offset or fraction), "2024-05-01 10:00:00" (UTC),
 * "2024-05-01". */
WAX_EXPORT bool wax_str_time(wax_str s, wax_time *out);
/* A C string, borrowed. */
WAX_EXPORT wax_str wax_from_c(const char *s);
WAX_END_C

WAX_INLINE wax_str wax_str_of_(const char *ptr, uint32_t len)
{
    wax_str s = {ptr, len};
    return s;
}

WAX_INLINE bool wax_str_eq(wax_str a, wax_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
WAX_INLINE bool wax_str_is(wax_str a, const char *text)
{
    return a.len == strlen(text) && (a.len == 0 || memcmp(a.ptr, text, a.len) == 0);
}
WAX_INLINE bool wax_str_starts(wax_str a, const char *text)
{
    size_t len = strlen(text);
    return a.len >= len && (len == 0 || memcmp(a.ptr, text, len) == 0);
}

/* ASCII white space: blank, \t \n \v \f \r. */
WAX_INLINE bool wax_is_space_(char c)
{
    return c == ' ' || (unsigned char)(c - '\t') < 5;
}

/* `s` without white space at both ends. */
WAX_INLINE wax_str wax_str_trim(wax_str s)
{
    while (s.len && wax_is_space_(s.ptr[0]))
        s.ptr++, s.len--;
    while (s.len && wax_is_space_(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The first `c` in [p, end), or `end`. Eight bytes at a time: the trick that finds a zero byte in a
 * word. */
WAX_INLINE const char *wax_find_(const char *p, const char *end, char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= ones * (unsigned char)c;
        uint64_t zero = (word - ones) & ~word & tops;
        if (zero)
            return p + (__builtin_ctzll(zero) >> 3);
    }
    while (p < end && *p != c)
        p++;
    return p;
}

/* What stands before the first `sep`; `*rest` moves behind it. Without one: all of it, `*rest` is
 * empty. */
WAX_INLINE wax_str wax_str_cut(wax_str *rest, char sep)
{
    if (WAX_UNLIKELY(rest->len == 0))
        return *rest; /* perhaps without a pointer to calculate with */
    const char *p = rest->ptr, *end = p + rest->len, *at = wax_find_(p, end, sep);
    const char *after = at + (at < end);
    *rest = wax_str_of_(after, (uint32_t)(end - after));
    return wax_str_of_(p, (uint32_t)(at - p));
}

/* The first white space in [p, end), or `end`. */
WAX_INLINE const char *wax_find_space_(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_sub_epi8(bytes, _mm_set1_epi8('\t'));
        __m128i space = _mm_or_si128(
            _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
            _mm_cmpeq_epi8(_mm_min_epu8(control, _mm_set1_epi8(4)), control)); /* \t to \r */
        int found = _mm_movemask_epi8(space);
        if (found)
            return p + __builtin_ctz((unsigned)found);
    }
#endif
    while (p < end && !wax_is_space_(*p))
        p++;
    return p;
}

/* The next run of bytes that are not white space; `*rest` moves behind it. False at the end. */
WAX_INLINE bool wax_str_word(wax_str *rest, wax_str *word)
{
    if (WAX_UNLIKELY(rest->len == 0))
        return false;
    const char *p = rest->ptr, *end = p + rest->len;
    while (p < end && wax_is_space_(*p))
        p++;
    const char *at = wax_find_space_(p, end);
    *word = wax_str_of_(p, (uint32_t)(at - p));
    *rest = wax_str_of_(at, (uint32_t)(end - at));
    return at > p;
}

/*
 * The whole of `s` as a decimal number. Up to 15 digits without exponent are exact here (an integer
 * and a power of ten, both exact in a double, so one division rounds correctly); the rest goes to
 * the library.
 */
WAX_INLINE bool wax_str_f64(wax_str s, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (s.len == 0)
        return false;
    const char *p = s.ptr, *end = p + s.len;
    bool negative = *p == '-';
    p += negative;
    int64_t digits = 0;
    uint32_t n = 0, fraction = 0;
    for (; p < end && (unsigned char)(*p - '0') < 10 && n <= 15; p++, n++)
        digits = digits * 10 + (*p - '0');
    if (p < end && *p == '.' && n > 0 && n <= 15)
        for (p++; p < end && (unsigned char)(*p - '0') < 10 && n <= 15; p++, n++, fraction++)
            digits = digits * 10 + (*p - '0');
    if (p != end || n == 0 || n > 15)
        return wax_str_f64_any_(s, out);
    double value = (double)digits / powers[fraction];
    *out = negative ? -value : value;
    return true;
}

#endif /* WAX_STR_H */
