/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SHA256_H
#define WX_SHA256_H

#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104), for handshakes: small and without a library
 * that would have to be loaded at every start. Not for bulk data.
 */

#define WX_SHA256_BYTES 32u

void wx_sha256(const void *bytes, size_t len, uint8_t digest[WX_SHA256_BYTES]);
void wx_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                    uint8_t digest[WX_SHA256_BYTES]);

#endif /* WX_SHA256_H */
