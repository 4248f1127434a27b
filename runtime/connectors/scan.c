/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding line ends, 64 bytes at a time: a comparison with \n gives a mask with one bit for each
 * byte, and the loop over its bits costs as much for short lines as for long ones. What is left at
 * the end, and machines without SSE2, use memchr().
 */
#include "connectors/scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64u

#ifdef __SSE2__
/* Bit i says that byte i is a line end. */
static inline uint64_t newline_mask(const char *bytes)
{
    const __m128i newline = _mm_set1_epi8('\n');
    uint64_t mask = 0;
    for (uint32_t i = 0; i < BLOCK; i += 16) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part, newline)) << i;
    }
    return mask;
}

/* As wx_scan_lines(), for the whole blocks. Moves `*begin` behind the last line; returns how many
 * there are and leaves in `*scanned` how far it looked. */
static uint32_t scan_blocks(const char *bytes, size_t len, wax_str *lines, uint32_t room,
                            const char **begin, size_t *scanned)
{
    uint32_t n = 0;
    size_t at = 0;
    for (; len - at >= BLOCK && n < room; at += BLOCK) {
        uint64_t mask = newline_mask(bytes + at);
        for (; mask && n < room; mask &= mask - 1) {
            const char *end = bytes + at + __builtin_ctzll(mask);
            lines[n++] = wx_line(*begin, end);
            *begin = end + 1;
        }
    }
    *scanned = at;
    return n;
}
#endif

uint32_t wx_scan_lines(const char *bytes, size_t len, wax_str *lines, uint32_t room, size_t *used)
{
    const char *begin = bytes, *limit = bytes + len;
    const char *from = bytes;
    uint32_t n = 0;
#ifdef __SSE2__
    size_t scanned;
    n = scan_blocks(bytes, len, lines, room, &begin, &scanned);
    from = bytes + scanned;
#endif
    while (n < room) {
        const char *end = from < limit ? memchr(from, '\n', (size_t)(limit - from)) : NULL;
        if (!end)
            break;
        lines[n++] = wx_line(begin, end);
        from = begin = end + 1;
    }
    *used = (size_t)(begin - bytes);
    return n;
}
