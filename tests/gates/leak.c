/* SPDX-License-Identifier: Apache-2.0 */
/* A unit test that leaks: Criterion lets it pass, so only the sanitizer's own log can catch it. */
#include <criterion/criterion.h>
#include <stdlib.h>

static void *volatile kept;

Test(gate, leaks)
{
    kept = malloc(100);
    kept = NULL;
}
