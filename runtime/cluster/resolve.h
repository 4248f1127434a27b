/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_RESOLVE_H
#define WX_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Names to addresses without blocking: numbers at once, names in a thread of their own that lives
 * as long as the look-up. Whoever starts a look-up may abandon it at any time.
 */
struct wx_lookup;

/* Look `host` up; `event_fd`, an eventfd, is written to when the answer is there. Returns owned. */
struct wx_lookup *wx_lookup_start(const char *host, uint16_t port, int event_fd);
/*
 * Is the answer there? Then `*found` is the list of addresses, borrowed until the look-up ends, or
 * NULL with
 * `*why` saying why there is none.
 */
bool wx_lookup_poll(struct wx_lookup *lookup, const struct addrinfo **found, const char **why);
/* Done with it, answered or not. NULL does nothing. */
void wx_lookup_end(struct wx_lookup *lookup);

#endif /* WX_RESOLVE_H */
