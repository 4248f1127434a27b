/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and times as text.
 *
 * Integers go two digits at a time. A double that is a short decimal fraction (prices, sensor
 * readings) is found by scaling it to an integer, which is exact below 10^15; all others go through
 * the C library, with 15, 16 or 17 digits, whichever is the first to read back. Dates count years
 * from March, so that the leap day is the last one of a year and needs no special case.
 */
#include "core/number.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MICROS_PER_SECOND 1000000
#define SECONDS_PER_DAY   86400
#define DAYS_PER_ERA      146097 /* 400 years */
#define DAYS_TO_1970      719468 /* from 0000-03-01 */
#define EXACT_MAX         1e15   /* integers up to here are exact in a double */
#define SCALE_MAX         6      /* decimals that are tried without the C library */

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t wx_c_locale(void)
{
    pthread_once(&locale_once, make_locale);
    return c_locale;
}

/* ---- integers -------------------------------------------------------------------------------- */

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

size_t wx_format_u64(uint64_t value, char *to)
{
    char text[20];
    size_t at = sizeof text;
    for (; value >= 100; value /= 100)
        memcpy(text + (at -= 2), digit_pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(text + (at -= 2), digit_pairs + value * 2, 2);
    else
        text[--at] = (char)('0' + value);
    memcpy(to, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t wx_format_i64(int64_t value, char *to)
{
    if (value >= 0)
        return wx_format_u64((uint64_t)value, to);
    *to = '-';
    return 1 + wx_format_u64(-(uint64_t)value, to + 1);
}

/* `value` with exactly `digits` digits, zeros in front. */
static char *put_digits(char *to, uint64_t value, uint32_t digits)
{
    for (uint32_t i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + digits;
}

/* ---- floating point -------------------------------------------------------------------------- */

/* Writes `value` (finite, not negative) when it has at most SCALE_MAX decimals; else returns 0. */
static size_t format_short_fraction(double value, char *to)
{
    static const uint64_t powers[SCALE_MAX + 1] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    for (uint32_t scale = 0; scale <= SCALE_MAX; scale++) {
        double power = (double)powers[scale], scaled = value * power;
        if (!(scaled < EXACT_MAX))
            return 0;
        uint64_t whole = (uint64_t)(scaled + 0.5);
        /* Both are exact, so the division rounds as reading the text would. */
        if ((double)whole / power != value)
            continue;
        size_t len = wx_format_u64(whole / powers[scale], to);
        if (scale == 0)
            return len;
        to[len] = '.';
        put_digits(to + len + 1, whole % powers[scale], scale);
        return len + 1 + scale;
    }
    return 0;
}

/* Writes what is not a finite number; else returns 0. */
static size_t format_special(double value, char *to)
{
    if (isfinite(value))
        return 0;
    const char *text = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    size_t len = strlen(text);
    memcpy(to, text, len);
    return len;
}

static size_t print_double(double value, int digits, char *to)
{
    char text[WX_NUMBER_MAX];
    locale_t before = uselocale(wx_c_locale());
    int len = snprintf(text, sizeof text, "%.*g", digits, value);
    uselocale(before);
    memcpy(to, text, (size_t)len);
    to[len] = '\0';
    return (size_t)len;
}

size_t wx_format_f64(double value, char *to)
{
    size_t len = format_special(value, to);
    if (len)
        return len;
    size_t sign = signbit(value) ? 1 : 0;
    *to = '-';
    len = format_short_fraction(fabs(value), to + sign);
    if (len)
        return sign + len;
    char text[WX_NUMBER_MAX + 1];
    /* All doubles but the smallest keep 15 digits: fewer would only be zeros. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        len = print_double(value, digits, text);
        double again = strtod_l(text, NULL, wx_c_locale());
        if (memcmp(&again, &value, sizeof value) == 0)
            break;
    }
    memcpy(to, text, len);
    return len;
}

size_t wx_format_f32(float value, char *to)
{
    size_t len = format_special((double)value, to);
    if (len)
        return len;
    char text[WX_NUMBER_MAX + 1];
    for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
        len = print_double((double)value, digits, text);
        float again = strtof_l(text, NULL, wx_c_locale());
        if (memcmp(&again, &value, sizeof value) == 0)
            break;
    }
    memcpy(to, text, len);
    return len;
}

/* ---- times ----------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t wx_days_of(int64_t year, uint32_t month, uint32_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400), year_of_era = y - era * 400;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

uint32_t wx_days_in_month(int64_t year, uint32_t month)
{
    if (month == 2)
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return 30 + ((month + (month > 7)) & 1);
}

struct date {
    int64_t year;
    uint32_t month, day;
};

/* The inverse of wx_days_of(). */
static struct date date_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_ERA), day_of_era = days - era * DAYS_PER_ERA;
    /* Takes the leap days before this day out, then divides by the length of a common year. */
    int64_t leaps = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
    int64_t year_of_era = (day_of_era - leaps) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct date date = {
        .year = era * 400 + year_of_era + (month_from_march >= 10),
        .month = (uint32_t)((month_from_march + 2) % 12 + 1),
        .day = (uint32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
    return date;
}

bool wx_time_has_text(wax_time value)
{
    int64_t days = floor_div(value, (int64_t)SECONDS_PER_DAY * MICROS_PER_SECOND);
    return days >= wx_days_of(0, 1, 1) && days <= wx_days_of(9999, 12, 31);
}

size_t wx_format_time(wax_time value, char *to)
{
    if (!wx_time_has_text(value))
        return wx_format_i64(value, to);
    int64_t seconds = floor_div(value, MICROS_PER_SECOND);
    uint64_t micros = (uint64_t)(value - seconds * MICROS_PER_SECOND);
    int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    uint64_t second = (uint64_t)(seconds - days * SECONDS_PER_DAY);
    struct date date = date_of(days);
    char *at = put_digits(to, (uint64_t)date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, second % 60, 2);
    if (micros) {
        *at++ = '.';
        at = put_digits(at, micros, 6);
    }
    *at++ = 'Z';
    return (size_t)(at - to);
}
