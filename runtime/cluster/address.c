/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading address lists. The list is cut at ';', every entry is trimmed, a range in it is written
 * out, and each result is cut into host and port and checked. Every error names the entry as it was
 * written.
 */
#include "cluster/address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wax/str.h>

#include "base/alloc.h"
#include "base/buf.h"

#define PORT_MAX   65535u
#define DIGITS_MAX 9u /* of a number in a range or a process id: no overflow */

/* One entry of the list while it is read. */
struct entry {
    wax_str text; /* trimmed, as written */
    uint32_t place;
    struct wx_error *err;
};

static int bad(const struct entry *e, const char *why)
{
    return wx_fail(e->err, WX_EXIT_USAGE, "cannot use the address list (-a): entry %u, '%.*s': %s",
                   e->place, (int)(e->text.len < 300 ? e->text.len : 300), e->text.ptr, why);
}

static bool all_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return len > 0 && len <= DIGITS_MAX;
}

static bool host_is_good(const char *host, size_t len, bool ipv6)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        bool good = ipv6 ? isxdigit(c) || c == ':' || c == '.' || c == '%' || isalnum(c)
                         : isalnum(c) || c == '.' || c == '-' || c == '_';
        if (!good)
            return false;
    }
    return true;
}

/* `text` is one address, ranges written out. Adds it to the list. */
static int add_address(struct wx_addresses *list, const struct entry *e, const char *text)
{
    bool ipv6 = text[0] == '[';
    const char *end = ipv6 ? strchr(text, ']') : strrchr(text, ':');
    if (ipv6 && !end)
        return bad(e, "the closing ']' is missing");
    const char *host = ipv6 ? text + 1 : text;
    const char *colon = ipv6 ? end + 1 : end;
    if (!colon || *colon != ':')
        return bad(e, "it has no port; write 'host:port'");
    size_t host_len = (size_t)(end - host);
    if (memchr(host, ',', host_len))
        return bad(e, "a ';' stands between addresses, not a ','");
    if (!ipv6 && memchr(host, ':', host_len))
        return bad(e, "write an IPv6 address in brackets, '[::1]:2101'");
    if (host_len == 0)
        return bad(e, "it has no host; write 'host:port'");
    if (host_len > WX_HOST_MAX)
        return bad(e, "the host name is longer than 253 bytes");
    if (!host_is_good(host, host_len, ipv6))
        return bad(e, "the host has a character that no host name has");
    if (!all_digits(colon + 1, strlen(colon + 1)))
        return bad(e, "the port is not a number");
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (port == 0 || port > PORT_MAX)
        return bad(e, "the port is not between 1 and 65535");
    if (list->n == WX_ADDRESSES_MAX)
        return bad(e, "the list has more than 1024 addresses");

    char normal[WX_HOST_MAX + 16];
    snprintf(normal, sizeof normal, ipv6 ? "[%.*s]:%lu" : "%.*s:%lu", (int)host_len, host, port);
    for (char *c = normal; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (uint32_t i = 0; i < list->n; i++)
        if (strcmp(list->entry[i].text, normal) == 0)
            return bad(e, "the address is there twice; every process needs its own");
    struct wx_address *address = &list->entry[list->n++];
    address->host = strndup(normal + (ipv6 ? 1 : 0), host_len);
    WX_ASSERT(address->host);
    address->port = (uint16_t)port;
    address->text = wx_strdup(normal);
    return 0;
}

/* `from` and `to` stand in the braces of a range: numbers with a first not above the last. */
static int add_range(struct wx_addresses *list, const struct entry *e, const char *open,
                     const char *close)
{
    const char *dots = memmem(open + 1, (size_t)(close - open - 1), "..", 2);
    if (!dots)
        return bad(e, "a range is written '{first..last}'");
    size_t first_len = (size_t)(dots - open - 1), last_len = (size_t)(close - dots - 2);
    if (first_len > 0 && last_len == 0)
        return bad(e, "the range has no last number; a list without end is not possible here");
    if (!all_digits(open + 1, first_len) || !all_digits(dots + 2, last_len))
        return bad(e, "a range is written '{first..last}', with two numbers");
    unsigned long first = strtoul(open + 1, NULL, 10), last = strtoul(dots + 2, NULL, 10);
    if (first > last)
        return bad(e, "the range's first number is above its last");
    if (last - first >= WX_ADDRESSES_MAX)
        return bad(e, "the list has more than 1024 addresses");
    int width = open[1] == '0' && first_len > 1 ? (int)first_len : 0;
    const char *begin = e->text.ptr, *end = begin + e->text.len;
    for (unsigned long i = first; i <= last; i++) {
        char text[2 * WX_HOST_MAX];
        int len = snprintf(text, sizeof text, "%.*s%0*lu%.*s", (int)(open - begin), begin, width, i,
                           (int)(end - close - 1), close + 1);
        if (len < 0 || (size_t)len >= sizeof text)
            return bad(e, "the host name is longer than 253 bytes");
        if (add_address(list, e, text) < 0)
            return -1;
    }
    return 0;
}

static int add_entry(struct wx_addresses *list, const struct entry *e)
{
    if (e->text.len == 0)
        return bad(e, "it is empty");
    const char *open = memchr(e->text.ptr, '{', e->text.len);
    const char *close = memchr(e->text.ptr, '}', e->text.len);
    if (!open && !close) {
        char text[2 * WX_HOST_MAX];
        if (e->text.len >= sizeof text)
            return bad(e, "the host name is longer than 253 bytes");
        snprintf(text, sizeof text, "%.*s", (int)e->text.len, e->text.ptr);
        return add_address(list, e, text);
    }
    const char *end = e->text.ptr + e->text.len;
    if (!open || !close || close < open)
        return bad(e, "the braces of its range do not match");
    if (memchr(open + 1, '{', (size_t)(end - open - 1)) ||
        memchr(close + 1, '}', (size_t)(end - close - 1)))
        return bad(e, "it has more than one range");
    return add_range(list, e, open, close);
}

static void join_text(struct wx_addresses *list)
{
    struct wx_buf text = {.max = SIZE_MAX / 2};
    for (uint32_t i = 0; i < list->n; i++)
        wx_buf_printf(&text, "%s%s", i ? ";" : "", list->entry[i].text);
    list->text = wx_strdup(wx_buf_text(&text));
    wx_buf_free(&text);
}

int wx_addresses_parse(struct wx_addresses *list, const char *text, struct wx_error *err)
{
    *list = (struct wx_addresses){0};
    size_t len = strlen(text);
    if (len > WX_ADDRESS_LIST_MAX)
        return wx_fail(err, WX_EXIT_USAGE, "the address list (-a) has %zu bytes; %u are allowed",
                       len, WX_ADDRESS_LIST_MAX);
    wax_str rest = {text, (uint32_t)len};
    if (wax_str_trim(rest).len == 0)
        return wx_fail(err, WX_EXIT_USAGE, "the address list (-a) is empty");
    list->entry = wx_calloc(WX_ADDRESSES_MAX, sizeof *list->entry);
    for (uint32_t place = 1; rest.ptr; place++) {
        const char *cut = memchr(rest.ptr, ';', rest.len);
        wax_str one = {rest.ptr, cut ? (uint32_t)(cut - rest.ptr) : rest.len};
        struct entry e = {wax_str_trim(one), place, err};
        if (add_entry(list, &e) < 0) {
            wx_addresses_fini(list);
            return -1;
        }
        rest = cut ? (wax_str){cut + 1, rest.len - one.len - 1} : (wax_str){NULL, 0};
    }
    join_text(list);
    return 0;
}

void wx_addresses_fini(struct wx_addresses *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        free(list->entry[i].host);
        free(list->entry[i].text);
    }
    free(list->entry);
    free(list->text);
    *list = (struct wx_addresses){0};
}

int wx_process_id_parse(const char *text, uint32_t processes, uint32_t *id, struct wx_error *err)
{
    size_t len = strlen(text), digits = 0;
    while (digits < len && isdigit((unsigned char)text[len - digits - 1]))
        digits++;
    bool plain = digits == len, named = digits < len && text[len - digits - 1] == '-';
    if (digits == 0 || digits > DIGITS_MAX || !(plain || (named && len > digits + 1)))
        return wx_fail(
            err, WX_EXIT_USAGE,
            "process id '%.200s' (-i) is not a number, nor a name that ends in '-' and one", text);
    unsigned long number = strtoul(text + len - digits, NULL, 10);
    if (number >= processes)
        return wx_fail(err, WX_EXIT_USAGE,
                       "process id '%.200s' (-i) is not in the address list: its %u %s 0%s%.0u",
                       text, processes,
                       processes == 1 ? "address is for process" : "addresses are for processes",
                       processes == 1 ? "" : " to ", processes == 1 ? 0 : processes - 1);
    *id = (uint32_t)number;
    return 0;
}
