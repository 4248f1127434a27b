/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W2, the word count: the lines of a file are split at white space and words are counted. Prints
 * `word<TAB>count`, unordered.
 *
 * -D path=FILE
 */
#include <wax/wax.h>

WAX_FLAT_MAP(words, wax_str, wax_str)
{
    wax_str rest = *in, word;
    while (wax_str_word(&rest, &word))
        wax_emit(out, word);
    return WAX_OK;
}

WAX_KEY(itself, wax_str, wax_str)
{
    return *in;
}

WAX_DATAFLOW(w2)
{
    wax_stream(wax_str) lines = wax_input(flow, "lines", wax_lines(wax_param(flow, "path", NULL)));
    wax_stream(wax_str) split = wax_flat_map("words", lines, words);
    wax_keyed(int64_t) counts = wax_count_final("count", split, itself);
    wax_output("out", counts, wax_stdout());
}
