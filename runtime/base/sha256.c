/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 and HMAC, as the standards describe them: a message is hashed in blocks of 64 bytes, the
 * last one or two padded with a 1 bit and the length. The constants are the first 32 bits of the
 * fractional parts of the square (start) and cube (rounds) roots of the first primes.
 */
#include "base/sha256.h"

#include <string.h>

#define BLOCK 64u

struct hash {
    uint32_t state[8];
    uint8_t block[BLOCK];
    uint64_t len; /* bytes so far */
};

static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void add_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t t = s[7] + e + choice + rounds[i] + w[i];
        uint32_t a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t;
        s[0] = t + a + majority;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

static void begin(struct hash *h)
{
    memcpy(h->state, start, sizeof start);
    h->len = 0;
}

static void add(struct hash *h, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    while (len > 0) {
        size_t used = h->len % BLOCK;
        size_t n = len < BLOCK - used ? len : BLOCK - used;
        memcpy(h->block + used, from, n);
        h->len += n;
        from += n;
        len -= n;
        if (h->len % BLOCK == 0)
            add_block(h->state, h->block);
    }
}

static void end(struct hash *h, uint8_t digest[WX_SHA256_BYTES])
{
    uint64_t bits = h->len * 8;
    uint8_t tail[8];
    for (unsigned i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    add(h, &(uint8_t){0x80}, 1);
    while (h->len % BLOCK != BLOCK - sizeof tail)
        add(h, &(uint8_t){0}, 1);
    add(h, tail, sizeof tail);
    for (unsigned i = 0; i < WX_SHA256_BYTES; i++)
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void wx_sha256(const void *bytes, size_t len, uint8_t digest[WX_SHA256_BYTES])
{
    struct hash h;
    begin(&h);
    add(&h, bytes, len);
    end(&h, digest);
}

void wx_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                    uint8_t digest[WX_SHA256_BYTES])
{
    uint8_t pad[BLOCK] = {0}, inner[WX_SHA256_BYTES];
    if (key_len > BLOCK)
        wx_sha256(key, key_len, pad);
    else if (key_len > 0)
        memcpy(pad, key, key_len);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36;
    struct hash h;
    begin(&h);
    add(&h, pad, BLOCK);
    add(&h, bytes, len);
    end(&h, inner);
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    begin(&h);
    add(&h, pad, BLOCK);
    add(&h, inner, sizeof inner);
    end(&h, digest);
    explicit_bzero(pad, sizeof pad);
}
