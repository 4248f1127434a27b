/* SPDX-License-Identifier: Apache-2.0 */
/* For the sources of the benchmark: N equal parts, each named by its number. */
#ifndef PARTS_H
#define PARTS_H

#include <wax/wax.h>

static inline void name_parts(wax_parts *parts, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        wax_part(parts, "%lld", (long long)i);
}

#endif
