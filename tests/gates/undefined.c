/* SPDX-License-Identifier: Apache-2.0 */
/* A unit test with undefined behaviour that has no visible effect. */
#include <criterion/criterion.h>
#include <limits.h>

static volatile int most = INT_MAX;

Test(gate, overflows)
{
    cr_assert_neq(most + 1, 0);
}
