/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_NUMBER_H
#define WX_NUMBER_H

#include <locale.h>

#include <wax/type.h>

/*
 * Numbers and times as text, whatever locale a module has set. Each function writes at most
 * WX_NUMBER_MAX bytes to `to`, without a NUL, and returns how many. Any thread.
 */
#define WX_NUMBER_MAX 32u

size_t wx_format_i64(int64_t value, char *to);
size_t wx_format_u64(uint64_t value, char *to);
/* The shortest decimal that reads back as the same number; "nan", "inf", "-inf". */
size_t wx_format_f64(double value, char *to);
size_t wx_format_f32(float value, char *to);
/*
 * RFC 3339 in UTC, with microseconds unless they are zero. Outside the years 0 to 9999, which that
 * format cannot say: the number of microseconds.
 */
size_t wx_format_time(wax_time value, char *to);
bool wx_time_has_text(wax_time value);

/* Days from 1970-01-01 to a date of the Gregorian calendar, month 1 to 12. */
int64_t wx_days_of(int64_t year, uint32_t month, uint32_t day);
/* 28 to 31. */
uint32_t wx_days_in_month(int64_t year, uint32_t month);

/* The "C" locale, for the library functions that take one. Borrowed for ever. */
locale_t wx_c_locale(void);

#endif /* WX_NUMBER_H */
