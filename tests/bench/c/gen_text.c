/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a made-up text with the statistics of English verse and prose: 31,500 distinct words by
 * Zipf's law, frequent words short and rare ones long, about 5.75 bytes a word with its separator,
 * capitals and punctuation, lines of some 40 columns, indents and blank lines. The same seed gives
 * the same file, and a shorter file is the beginning of a longer one.
 *
 * usage: gen_text BYTES SEED > FILE
 */
#define _GNU_SOURCE
#include "bench.h"
#include "keys.h"

#define WORDS     31500
#define MAX_WORD  24
#define SET_SLOTS (1u << 17)

struct word {
    char text[MAX_WORD];
    int len;
};

struct text {
    struct word word[WORDS];
    uint32_t set[SET_SLOTS]; /* the words there are: index + 1, by hash */
    struct zipf zipf;
    uint64_t random;
};

/* About 1.5 + 0.6 ln(rank) letters, give or take two. */
static int word_length(uint32_t rank, uint64_t *random)
{
    int doublings = 31 - __builtin_clz(rank + 1);
    int len = (170 + 43 * doublings) / 100 + (int)uniform_key(random, 4) - 1;
    return len < 1 ? 1 : len;
}

static struct word make_word(uint32_t rank, int len, uint64_t *random)
{
    static const char letters[] = "etaoinshrdlucmwfgypbvkjxqzetaoinshrdluetaoin";
    struct word word = {.len = len > MAX_WORD - 2 ? MAX_WORD - 2 : len};
    for (int i = 0; i < word.len; i++)
        word.text[i] = letters[uniform_key(random, sizeof letters - 1)];
    if (uniform_key(random, 5) == 0)
        word.text[0] = (char)(word.text[0] - 'a' + 'A');
    if (rank > 40 && uniform_key(random, 5) == 0)
        word.text[word.len++] = ",.,.;:!?"[uniform_key(random, 8)];
    return word;
}

/* True when `word` was not there yet; then it is now, as number `index`. */
static int add_to_set(struct text *t, const struct word *word, uint32_t index)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < word->len; i++)
        hash = (hash ^ (unsigned char)word->text[i]) * 1099511628211u;
    uint32_t slot = (uint32_t)(hash ^ (hash >> 32)) & (SET_SLOTS - 1);
    for (; t->set[slot]; slot = (slot + 1) & (SET_SLOTS - 1)) {
        const struct word *there = &t->word[t->set[slot] - 1];
        if (there->len == word->len && memcmp(there->text, word->text, (size_t)word->len) == 0)
            return 0;
    }
    t->set[slot] = index + 1;
    return 1;
}

static void make_vocabulary(struct text *t)
{
    for (uint32_t rank = 0; rank < WORDS; rank++) {
        int len = word_length(rank, &t->random), tries = 0;
        do
            t->word[rank] = make_word(rank, len + tries++ / 8, &t->random);
        while (!add_to_set(t, &t->word[rank], rank));
    }
}

/* One line into `line`; its length. Every ninth is blank, every fourth indented. */
static size_t make_line(struct text *t, char *line)
{
    size_t len = 0, width = 22 + uniform_key(&t->random, 42);
    if (uniform_key(&t->random, 9) == 0)
        width = 0;
    else if (uniform_key(&t->random, 4) == 0)
        len = (size_t)snprintf(line, 5, "    ");
    while (len < width) {
        const struct word *word = &t->word[zipf_key(&t->zipf, &t->random)];
        memcpy(line + len, word->text, (size_t)word->len);
        len += (size_t)word->len;
        line[len++] = ' ';
    }
    len -= len > 0;
    line[len++] = '\n';
    return len;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: gen_text BYTES SEED > FILE\n");
        return 2;
    }
    size_t bytes = strtoull(argv[1], NULL, 10);
    struct text *t = must_alloc(sizeof *t);
    t->random = strtoull(argv[2], NULL, 10);
    t->zipf = zipf_create(WORDS);
    if (!t->zipf.slot)
        die("zipf_create");
    make_vocabulary(t);
    for (size_t written = 0; written < bytes;) {
        char line[128];
        size_t len = make_line(t, line);
        if (fwrite(line, len, 1, stdout) != 1)
            die("write");
        written += len;
    }
}
