/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of cluster/address.c: tables of lists and process ids, good and bad. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/address.h"

Test(address, reads_good_lists)
{
    static const struct {
        const char *given, *normal;
        uint32_t n;
    } cases[] = {
        {"a:1", "a:1", 1},
        {"a:1;b:2", "a:1;b:2", 2},
        {" a:1 ;\tb:2\n", "a:1;b:2", 2},
        {"Node-A.Example.org:65535", "node-a.example.org:65535", 1},
        {"cluster_one:2101;cluster_two:2101", "cluster_one:2101;cluster_two:2101", 2},
        {"127.0.0.1:2101", "127.0.0.1:2101", 1},
        {"[::1]:2101;[FE80::1%eth0]:2101", "[::1]:2101;[fe80::1%eth0]:2101", 2},
        {"[::ffff:10.0.0.1]:7", "[::ffff:10.0.0.1]:7", 1},
        {"node-{0..2}:2101", "node-0:2101;node-1:2101;node-2:2101", 3},
        {"node-{9..11}:1", "node-9:1;node-10:1;node-11:1", 3},
        {"n{08..10}:1", "n08:1;n09:1;n10:1", 3},
        {"n{0..0}:1", "n0:1", 1},
        {"a-{0..1}.svc:1;b-{3..4}:2;c:3", "a-0.svc:1;a-1.svc:1;b-3:2;b-4:2;c:3", 5},
        {"h:{10..12}", "h:10;h:11;h:12", 3},
        {"10.0.0.{1..3}:5", "10.0.0.1:5;10.0.0.2:5;10.0.0.3:5", 3},
        {"[fd00::{1..2}]:5", "[fd00::1]:5;[fd00::2]:5", 2},
        {"a:1;a:2", "a:1;a:2", 2},
        {"a:007", "a:7", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wx_addresses list;
        struct wx_error err = {0};
        cr_assert_eq(wx_addresses_parse(&list, cases[i].given, &err), 0, "'%s': %s", cases[i].given,
                     err.text);
        cr_expect_str_eq(list.text, cases[i].normal, "'%s' gives '%s'", cases[i].given, list.text);
        cr_expect_eq(list.n, cases[i].n, "'%s' has %u", cases[i].given, list.n);
        wx_addresses_fini(&list);
    }
}

Test(address, cuts_host_and_port)
{
    struct wx_addresses list;
    cr_assert_eq(wx_addresses_parse(&list, "one:1;[::1]:65535;n-{7..8}:99", NULL), 0);
    static const struct {
        const char *host;
        uint16_t port;
    } wanted[] = {{"one", 1}, {"::1", 65535}, {"n-7", 99}, {"n-8", 99}};
    cr_assert_eq(list.n, sizeof wanted / sizeof wanted[0]);
    for (uint32_t i = 0; i < list.n; i++) {
        cr_expect_str_eq(list.entry[i].host, wanted[i].host, "entry %u: '%s'", i,
                         list.entry[i].host);
        cr_expect_eq(list.entry[i].port, wanted[i].port, "entry %u: %u", i, list.entry[i].port);
    }
    wx_addresses_fini(&list);
    wx_addresses_fini(&list);
}

/* `text` must be refused with an error that has `said` in it. */
static void refused(const char *text, const char *said)
{
    struct wx_addresses list;
    struct wx_error err = {0};
    cr_expect_eq(wx_addresses_parse(&list, text, &err), -1, "'%.60s' was taken", text);
    cr_expect_eq(err.exit_code, WX_EXIT_USAGE, "'%.60s'", text);
    cr_expect(strstr(err.text, said) != NULL, "'%.60s': '%s' does not say '%s'", text, err.text,
              said);
    cr_expect_eq(list.n, 0);
    cr_expect_null(list.entry);
    wx_addresses_fini(&list);
}

Test(address, refuses_bad_lists_by_entry)
{
    static const struct {
        const char *given, *said;
    } cases[] = {
        {"", "the address list (-a) is empty"},
        {" \t", "the address list (-a) is empty"},
        {"a", "entry 1, 'a': it has no port"},
        {"a:1;", "entry 2, '': it is empty"},
        {";a:1", "entry 1, '': it is empty"},
        {"a:1;;b:1", "entry 2, '': it is empty"},
        {"a:1, b:1", "entry 1, 'a:1, b:1': "},
        {"a:1;b:", "entry 2, 'b:': the port is not a number"},
        {"a:1;b:x", "entry 2, 'b:x': the port is not a number"},
        {"a:-1", "the port is not a number"},
        {"a:1 2", "the port is not a number"},
        {"a:0", "the port is not between 1 and 65535"},
        {"a:65536", "the port is not between 1 and 65535"},
        {"a:9999999999", "the port is not a number"},
        {":1", "entry 1, ':1': it has no host"},
        {"[]:1", "it has no host"},
        {"a b:1", "a character that no host name has"},
        {"a/b:1", "a character that no host name has"},
        {"http://a:1", "write an IPv6 address in brackets"},
        {"::1:2101", "entry 1, '::1:2101': write an IPv6 address in brackets"},
        {"[::1:2101", "the closing ']' is missing"},
        {"[::1]", "it has no port"},
        {"[::1]2101", "it has no port"},
        {"[::g/]:1", "a character that no host name has"},
        {"a:1;b:1;a:1", "entry 3, 'a:1': the address is there twice"},
        {"A:1;a:01", "entry 2, 'a:01': the address is there twice"},
        {"n{0..2}:1;n1:1", "entry 2, 'n1:1': the address is there twice"},
        {"n-{0..}:1", "no last number"},
        {"n-{..3}:1", "two numbers"},
        {"n-{..}:1", "two numbers"},
        {"n-{3}:1", "'{first..last}'"},
        {"n-{}:1", "'{first..last}'"},
        {"n-{a..b}:1", "two numbers"},
        {"n-{-1..2}:1", "two numbers"},
        {"n-{0..1 }:1", "two numbers"},
        {"n-{5..1}:1", "first number is above its last"},
        {"n-{0..1}{0..1}:1", "more than one range"},
        {"n-{0..{1}}:1", "more than one range"},
        {"n-{0..1:1", "braces of its range do not match"},
        {"n-0..1}:1", "braces of its range do not match"},
        {"n}0..1{:1", "braces of its range do not match"},
        {"n-{0..1024}:1", "more than 1024 addresses"},
        {"n-{0..999999999}:1", "more than 1024 addresses"},
        {"n-{0..9999999999}:1", "two numbers"},
        {"n-{0..1023}:1;m:1", "entry 2, 'm:1': the list has more than 1024 addresses"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].given, cases[i].said);
}

/* `len` letters and then `end`. */
static void host_of(char *text, size_t len, const char *end)
{
    memset(text, 'h', len);
    memcpy(text + len, end, strlen(end) + 1);
}

Test(address, refuses_what_is_too_long)
{
    static char text[WX_ADDRESS_LIST_MAX + 100];
    host_of(text, WX_HOST_MAX, ":1");
    struct wx_addresses list;
    cr_assert_eq(wx_addresses_parse(&list, text, NULL), 0, "a host of the greatest length is good");
    wx_addresses_fini(&list);
    static const size_t lengths[] = {WX_HOST_MAX + 1, 2 * WX_HOST_MAX - 2, 2 * WX_HOST_MAX, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        host_of(text, lengths[i], ":1");
        refused(text, "longer than 253 bytes");
        host_of(text, lengths[i], "{0..1}:1");
        refused(text, "longer than 253 bytes");
    }
    memset(text, ';', WX_ADDRESS_LIST_MAX + 1);
    refused(text, "65536 are allowed");
}

Test(address, reads_process_ids)
{
    static const struct {
        const char *given;
        uint32_t processes;
        int rc;
        uint32_t id;
        const char *said;
    } cases[] = {
        {"0", 1, 0, 0, ""},
        {"2", 3, 0, 2, ""},
        {"002", 3, 0, 2, ""},
        {"simple-2", 3, 0, 2, ""},
        {"my-own-simple-10", 11, 0, 10, ""},
        {"2", 2, -1, 0,
         "'2' (-i) is not in the address list: its 2 addresses are for processes 0 to 1"},
        {"1", 1, -1, 0, "its 1 address is for process 0"},
        {"simple-3", 2, -1, 0, "process id 'simple-3' (-i) is not in the address list"},
        {"", 2, -1, 0, "is not a number"},
        {"x", 2, -1, 0, "is not a number"},
        {"simple", 2, -1, 0, "is not a number"},
        {"simple1", 2, -1, 0, "is not a number"},
        {"-1", 2, -1, 0, "is not a number"},
        {"simple-", 2, -1, 0, "is not a number"},
        {"1x", 2, -1, 0, "is not a number"},
        {" 1", 2, -1, 0, "is not a number"},
        {"99999999999999999999", 2, -1, 0, "is not a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wx_error err = {0};
        uint32_t id = 0;
        int rc = wx_process_id_parse(cases[i].given, cases[i].processes, &id, &err);
        cr_expect_eq(rc, cases[i].rc, "'%s': %d, %s", cases[i].given, rc, err.text);
        cr_expect_eq(id, cases[i].id, "'%s': %u", cases[i].given, id);
        cr_expect(strstr(err.text, cases[i].said) != NULL, "'%s': '%s'", cases[i].given, err.text);
        cr_expect_eq(err.exit_code, rc ? WX_EXIT_USAGE : 0);
    }
}
