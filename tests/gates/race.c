/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads that write one number without agreement: right by luck, wrong by the language. */
#include <pthread.h>
#include <stddef.h>

static int number;

static void *write_it(void *arg)
{
    number = *(const int *)arg;
    return NULL;
}

int main(void)
{
    pthread_t thread;
    int one = 1, two = 2;
    if (pthread_create(&thread, NULL, write_it, &one) != 0)
        return 1;
    write_it(&two);
    pthread_join(thread, NULL);
    return 0;
}
