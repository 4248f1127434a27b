/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SCAN_H
#define WX_SCAN_H

#include <wax/type.h>

/*
 * Slice the complete lines at the beginning of `bytes` into `lines`, at most `room`: without their
 * ends, \n or \r\n, and pointing into `bytes`. Returns how many; `*used` is what they took with
 * their ends. `len` is below 4 GiB.
 */
uint32_t wx_scan_lines(const char *bytes, size_t len, wax_str *lines, uint32_t room, size_t *used);

/* The line from `begin` to `end`, where its \n stands, without a \r before that. */
static inline wax_str wx_line(const char *begin, const char *end)
{
    if (end > begin && end[-1] == '\r')
        end--;
    wax_str line = {begin, (uint32_t)(end - begin)};
    return line;
}

#endif /* WX_SCAN_H */
