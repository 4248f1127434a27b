/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of which one fails and one crashes. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(gate, passes)
{
    cr_assert(1);
}

Test(gate, fails)
{
    cr_assert(0, "as it should");
}

Test(gate, crashes)
{
    abort();
}
