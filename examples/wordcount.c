/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often does each word occur in a text? Words are what stands between blanks, in lower case.
 *
 *   wax run examples/wordcount.c -w2 -D path=LICENSE
 *
 * The text is read in pieces by all workers; each counts what it reads, and at the end of the input
 * the worker that owns a word adds up what the others have counted of it.
 */
#include <wax/wax.h>

WAX_FLAT_MAP(words, wax_str, wax_str)
{
    wax_str rest = *in, word;
    while (wax_str_word(&rest, &word))
        wax_emit(out, wax_str_lower(cx, word)); /* a slice of the line: nothing is copied */
    return WAX_OK;
}

WAX_KEY(the_word, wax_str, wax_str)
{
    return *in;
}

WAX_DATAFLOW(wordcount)
{
    const char *path = wax_param(flow, "path", "wordcount.txt");
    wax_stream(wax_str) lines = wax_input(flow, "text", wax_lines(path));
    wax_stream(wax_str) split = wax_flat_map("words", lines, words);
    wax_keyed(int64_t) counts = wax_count_final("count", split, the_word);
    wax_output("out", counts, wax_stdout());
}
