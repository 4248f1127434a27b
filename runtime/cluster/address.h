/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_ADDRESS_H
#define WX_ADDRESS_H

#include <stdint.h>

#include "base/error.h"

/*
 * Address lists: "one:2101;two:2101", as -a takes them. White space around an entry does not count.
 * An entry with a range, "node-{0..9}:2101", stands for one entry per number; "{00..15}" keeps the
 * width. IPv6 goes in brackets: "[::1]:2101". The place in the list is the process id.
 */

#define WX_ADDRESSES_MAX    1024u  /* entries */
#define WX_HOST_MAX         253u   /* bytes of a host name, as in DNS */
#define WX_ADDRESS_LIST_MAX 65536u /* bytes of a list as given */

struct wx_address {
    char *host; /* without brackets */
    uint16_t port;
    char *text; /* "host:port" in the normal form: what processes compare and messages show */
};

struct wx_addresses {
    uint32_t n;
    struct wx_address *entry;
    char *text; /* the whole list in its normal form */
};

/* Fills `list` from `text`. On error returns -1, with the entry named in `err`, and `list` empty.
 */
int wx_addresses_parse(struct wx_addresses *list, const char *text, struct wx_error *err);
/* Zeroed is valid. */
void wx_addresses_fini(struct wx_addresses *list);

/*
 * The process id that `text` (-i) names: a number, or the number at the end of a name such as
 * "simple-2". It must be in a list of `processes`.
 */
int wx_process_id_parse(const char *text, uint32_t processes, uint32_t *id, struct wx_error *err);

#endif /* WX_ADDRESS_H */
