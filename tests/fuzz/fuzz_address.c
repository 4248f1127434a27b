/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes address lists and process ids: what is taken has a normal form that is taken again,
 * unchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = wx_alloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    struct wx_addresses list, again;
    struct wx_error err = {0};
    if (wx_addresses_parse(&list, text, &err) == 0) {
        WX_ASSERT(list.n > 0 && list.n <= WX_ADDRESSES_MAX);
        if (strlen(list.text) <= WX_ADDRESS_LIST_MAX) {
            WX_ASSERT(wx_addresses_parse(&again, list.text, &err) == 0);
            WX_ASSERT(strcmp(list.text, again.text) == 0);
            wx_addresses_fini(&again);
        }
        wx_addresses_fini(&list);
    } else {
        WX_ASSERT(err.exit_code == WX_EXIT_USAGE && err.text[0]);
    }
    uint32_t id = 0;
    if (wx_process_id_parse(text, 100, &id, &err) == 0)
        WX_ASSERT(id < 100);
    free(text);
    return 0;
}
