/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes rows of the billion-row challenge, `station;temperature`: 413 made-up stations, each with
 * a mean of its own and a bell-shaped spread. The same seed gives the same file.
 *
 * usage: gen_brc ROWS SEED > FILE
 */
#define _GNU_SOURCE
#include "bench.h"
#include "keys.h"

#define STATIONS 413

struct station {
    char name[32];
    int len, mean_tenths;
};

/* Names of one to five syllables; the number in base 20 makes each of them its own. */
static struct station make_station(uint32_t number, uint64_t *random)
{
    static const char consonant[] = "bdfghjklmnprstvz", vowel[] = "aeiou";
    struct station s = {.mean_tenths = (int)uniform_key(random, 400) - 100};
    int syllables = (int)uniform_key(random, 5);
    s.name[s.len++] = (char)('A' + number / 20);
    s.name[s.len++] = vowel[number % 5];
    s.name[s.len++] = "lnrs"[number / 5 % 4];
    while (syllables--) {
        s.name[s.len++] = consonant[uniform_key(random, 16)];
        s.name[s.len++] = vowel[uniform_key(random, 5)];
        if (uniform_key(random, 3) == 0)
            s.name[s.len++] = consonant[uniform_key(random, 16)];
    }
    return s;
}

/* The mean, plus four uniform draws of +-86.5 tenths: a standard deviation of 10 degrees. */
static int draw_tenths(const struct station *station, uint64_t *random)
{
    uint64_t bits = splitmix64(random);
    int sum = 0;
    for (int i = 0; i < 4; i++, bits >>= 16)
        sum += (int)((bits & 0xffff) * 173 >> 16) - 86;
    return station->mean_tenths + sum;
}

static char *write_row(char *at, const struct station *station, int tenths)
{
    memcpy(at, station->name, (size_t)station->len);
    at += station->len;
    *at++ = ';';
    if (tenths < 0) {
        *at++ = '-';
        tenths = -tenths;
    }
    if (tenths >= 100)
        *at++ = (char)('0' + tenths / 100);
    *at++ = (char)('0' + tenths / 10 % 10);
    *at++ = '.';
    *at++ = (char)('0' + tenths % 10);
    *at++ = '\n';
    return at;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: gen_brc ROWS SEED > FILE\n");
        return 2;
    }
    uint64_t rows = strtoull(argv[1], NULL, 10), random = strtoull(argv[2], NULL, 10);
    static struct station station[STATIONS];
    static char buffer[1 << 16];
    char *at = buffer;
    for (uint32_t i = 0; i < STATIONS; i++)
        station[i] = make_station(i, &random);
    for (uint64_t i = 0; i < rows; i++) {
        const struct station *s = &station[uniform_key(&random, STATIONS)];
        at = write_row(at, s, draw_tenths(s, &random));
        if (at > buffer + sizeof buffer - 64 || i + 1 == rows) {
            if (fwrite(buffer, (size_t)(at - buffer), 1, stdout) != 1)
                die("write");
            at = buffer;
        }
    }
}
