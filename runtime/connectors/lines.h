/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_LINES_H
#define WX_LINES_H

#include <stdint.h>

/* How many parts a file of `size` bytes is divided into: 1 to 256, by the size alone. */
uint32_t wx_lines_parts(uint64_t size);
/* Where part `i` of `n` begins; of part `n`: where the last one ends. */
uint64_t wx_lines_part_begin(uint64_t size, uint32_t i, uint32_t n);

#endif /* WX_LINES_H */
