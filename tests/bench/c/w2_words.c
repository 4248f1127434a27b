/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W2, the word count, by hand: a mapped text is split at white space, byte by byte, hashing on
 * the way; words are counted in an open-addressing table that points into the text. Each thread
 * takes a share of the lines, the tables are added up at the end. Prints `word<TAB>count`,
 * unordered.
 *
 * usage: w2_words FILE THREADS
 */
#define _GNU_SOURCE
#include "bench.h"

#define SLOTS (1u << 18) /* far more than the distinct words of the benchmark's text */

struct word {
    const char *text;
    uint32_t len, hash;
    uint64_t count;
};

struct job {
    struct span text;
    struct word *table;
    uint32_t distinct;
};

static struct word *find_word(struct job *job, const char *text, uint32_t len, uint32_t hash)
{
    for (uint32_t i = hash & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
        struct word *word = &job->table[i];
        if (word->text == NULL) {
            if (++job->distinct > SLOTS / 2) {
                fprintf(stderr, "too many distinct words\n");
                exit(1);
            }
            *word = (struct word){text, len, hash, 0};
            return word;
        }
        if (word->hash == hash && word->len == len && memcmp(word->text, text, len) == 0)
            return word;
    }
}

static inline int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void *count_words(void *argument)
{
    struct job *job = argument;
    const char *at = job->text.at, *end = job->text.end;
    job->table = must_alloc(SLOTS * sizeof *job->table);
    while (at < end) {
        while (at < end && is_space(*at))
            at++;
        const char *word = at;
        uint64_t hash = 14695981039346656037u;
        for (; at < end && !is_space(*at); at++)
            hash = (hash ^ (unsigned char)*at) * 1099511628211u;
        if (at > word)
            find_word(job, word, (uint32_t)(at - word), (uint32_t)(hash ^ (hash >> 32)))->count++;
    }
    return NULL;
}

static void add_table(struct job *to, const struct job *from)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct word *word = &from->table[i];
        if (word->text)
            find_word(to, word->text, word->len, word->hash)->count += word->count;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: w2_words FILE THREADS\n");
        return 2;
    }
    uint64_t start = now_ns();
    int threads = thread_count(argv[2]);
    struct span text = map_file(argv[1]);
    struct job job[MAX_THREADS] = {0};
    for (int i = 0; i < threads; i++)
        job[i].text = share_of(text, i, threads);
    run_threads(threads, count_words, job, sizeof job[0]);
    for (int i = 1; i < threads; i++)
        add_table(&job[0], &job[i]);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct word *word = &job[0].table[i];
        if (word->text)
            printf("%.*s\t%lu\n", (int)word->len, word->text, word->count);
    }
    report_seconds(start);
}
