/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings as numbers and times: the functions of <wax/str.h> that are not inline. All are strict:
 * the whole string must be the value, without blanks around it, and what does not fit is refused.
 */
#include <wax/str.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "core/number.h"

#define MICROS_DIGITS 6

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

wax_str wax_from_c(const char *s)
{
    return wax_str_of_(s, s ? (uint32_t)strlen(s) : 0);
}

/* An optional sign and decimal digits. */
bool wax_str_i64(wax_str s, int64_t *out)
{
    if (s.len == 0)
        return false;
    const char *p = s.ptr, *end = p + s.len;
    bool negative = *p == '-';
    p += negative || *p == '+';
    if (p == end)
        return false;
    uint64_t value = 0, max = (uint64_t)INT64_MAX + negative;
    for (; p < end; p++) {
        uint64_t digit = (unsigned char)(*p - '0');
        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? -value : value);
    return true;
}

/* ---- doubles --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/*
 * Is this a decimal number, as opposed to what else strtod() takes (hexadecimal, leading blanks)?
 */
static bool is_decimal(const char *p, const char *end)
{
    p += p < end && (*p == '-' || *p == '+');
    const char *digits = p;
    p = skip_digits(p, end);
    size_t n = (size_t)(p - digits);
    if (p < end && *p == '.') {
        const char *fraction = p + 1;
        p = skip_digits(fraction, end);
        n += (size_t)(p - fraction);
    }
    if (n == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '-' || *p == '+');
        const char *exponent = p;
        p = skip_digits(p, end);
        if (p == exponent)
            return false;
    }
    return p == end;
}

/* The names that doubles without digits are printed by. */
static bool is_special(wax_str s)
{
    static const char *const names[] = {"nan", "inf", "infinity"};
    if (s.len && (*s.ptr == '-' || *s.ptr == '+'))
        s = wax_str_of_(s.ptr + 1, s.len - 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (s.len == strlen(names[i]) && strncasecmp_l(s.ptr, names[i], s.len, wx_c_locale()) == 0)
            return true;
    return false;
}

bool wax_str_f64_any_(wax_str s, double *out)
{
    if (s.len == 0 || !(is_decimal(s.ptr, s.ptr + s.len) || is_special(s)))
        return false;
    char small[64];
    char *text = s.len < sizeof small ? small : wx_alloc((size_t)s.len + 1);
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *out = strtod_l(text, NULL, wx_c_locale());
    if (text != small)
        free(text);
    return true;
}

/* ---- times ----------------------------------------------------------------------------------- */

/* Takes exactly `n` digits off the front of `*rest`. */
static bool take_digits(wax_str *rest, uint32_t n, uint32_t *out)
{
    if (rest->len < n)
        return false;
    uint32_t value = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_digit(rest->ptr[i]))
            return false;
        value = value * 10 + (uint32_t)(rest->ptr[i] - '0');
    }
    *out = value;
    *rest = wax_str_of_(rest->ptr + n, rest->len - n);
    return true;
}

static bool take_char(wax_str *rest, const char *any_of)
{
    if (rest->len == 0 || *rest->ptr == '\0' || !strchr(any_of, *rest->ptr))
        return false;
    *rest = wax_str_of_(rest->ptr + 1, rest->len - 1);
    return true;
}

static bool take_date(wax_str *rest, int64_t *days)
{
    uint32_t year, month, day;
    if (!take_digits(rest, 4, &year) || !take_char(rest, "-") || !take_digits(rest, 2, &month) ||
        !take_char(rest, "-") || !take_digits(rest, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > wx_days_in_month(year, month))
        return false;
    *days = wx_days_of(year, month, day);
    return true;
}

/*
 * hh:mm:ss and a fraction; digits beyond microseconds are cut. A leap second counts as the next
 * one.
 */
static bool take_clock(wax_str *rest, int64_t *micros)
{
    uint32_t hour, minute, second;
    if (!take_digits(rest, 2, &hour) || !take_char(rest, ":") || !take_digits(rest, 2, &minute) ||
        !take_char(rest, ":") || !take_digits(rest, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t fraction = 0;
    if (take_char(rest, ".")) {
        uint32_t digits = 0, digit;
        for (; take_digits(rest, 1, &digit); digits++)
            fraction = digits < MICROS_DIGITS ? fraction * 10 + digit : fraction;
        if (digits == 0)
            return false;
        for (; digits < MICROS_DIGITS; digits++)
            fraction *= 10;
    }
    *micros = wax_seconds((hour * 60 + minute) * 60 + second) + fraction;
    return true;
}

/* "Z", "+02:00", "-05:30", or nothing, which means UTC. */
static bool take_zone(wax_str *rest, int64_t *offset)
{
    *offset = 0;
    if (rest->len == 0 || take_char(rest, "Zz"))
        return true;
    bool west = *rest->ptr == '-';
    uint32_t hour, minute;
    if (!take_char(rest, "+-") || !take_digits(rest, 2, &hour) || !take_char(rest, ":") ||
        !take_digits(rest, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *offset = wax_minutes(hour * 60 + minute) * (west ? -1 : 1);
    return true;
}

bool wax_str_time(wax_str s, wax_time *out)
{
    int64_t days, micros = 0, offset = 0;
    if (!take_date(&s, &days))
        return false;
    if (s.len > 0 &&
        (!take_char(&s, "Tt ") || !take_clock(&s, &micros) || !take_zone(&s, &offset) || s.len > 0))
        return false;
    *out = days * wax_hours(24) + micros - offset;
    return true;
}
