/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two dataflows in one module: `letters` counts how many words begin with each letter, `longest`
 * finds the longest of them.
 *
 *   wax run examples/letters.c -D path=LICENSE
 *   wax run examples/letters.c:longest -D path=LICENSE -w2
 *
 * Shows a module of several dataflows that share bodies, 64-bit keys, and a reduction.
 */
#include <wax/wax.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The runs of letters in a line, in lower case. */
WAX_FLAT_MAP(split, wax_str, wax_str)
{
    for (uint32_t i = 0; i < in->len;) {
        uint32_t start = i;
        while (i < in->len && is_letter(in->ptr[i]))
            i++;
        if (i > start)
            wax_emit(out, wax_str_lower(cx, (wax_str){in->ptr + start, i - start}));
        else
            i++;
    }
    return WAX_OK;
}

WAX_KEY(initial, wax_str, wax_str)
{
    return (wax_str){in->ptr, 1};
}

WAX_KEY(initial_code, wax_str, int64_t)
{
    return in->ptr[0];
}

/* The longer one; of two equally long ones the first in the alphabet, so that order does not
 * matter. */
WAX_REDUCE(longer, wax_str)
{
    if (in->len > acc->len || (in->len == acc->len && memcmp(in->ptr, acc->ptr, in->len) < 0))
        *acc = *in;
    return WAX_OK;
}

WAX_DATAFLOW(letters)
{
    wax_stream(wax_str) lines = wax_input(flow, "text", wax_lines(wax_param(flow, "path", NULL)));
    wax_stream(wax_str) words = wax_flat_map("split", lines, split);
    wax_output("out", wax_count_final("count", words, initial), wax_stdout());
}

WAX_DATAFLOW(longest)
{
    wax_stream(wax_str) lines = wax_input(flow, "text", wax_lines(wax_param(flow, "path", NULL)));
    wax_stream(wax_str) words = wax_flat_map("split", lines, split);
    wax_keyed(wax_str) keyed = wax_key_on("initial", words, initial_code);
    wax_keyed(wax_str) best = wax_reduce_final("longest", keyed, longer);
    wax_output("out", wax_key_rm("word", best), wax_stdout());
}
