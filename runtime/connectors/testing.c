/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources for tests and examples: a range of numbers and a list of records. Both are one part and
 * their position is how much they have given. The list is copied with everything that its records
 * point to; batches point into that copy, which lives as long as the dataflow.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"

WAX_RECORD(wx_testing_pos, (int64_t, given));

static int (*const open_hook)(void *, wax_cx *) = NULL;
static void (*const close_hook)(void *) = NULL;

/* ---- range ----------------------------------------------------------------------------------- */

struct range {
    int64_t from;
    uint64_t n;
};

static int next_of_range(void *source, void *position, wax_io *io, wax_time *wake)
{
    const struct range *self = source;
    wx_testing_pos *pos = position;
    (void)wake;
    uint64_t given = (uint64_t)pos->given, left = given < self->n ? self->n - given : 0;
    uint32_t room = io->room - io->kept, n = left < room ? (uint32_t)left : room;
    int64_t *out = (int64_t *)io->out + io->kept;
    uint64_t first = (uint64_t)self->from + given;
    for (uint32_t i = 0; i < n; i++)
        out[i] = (int64_t)(first + i);
    io->kept += n;
    pos->given += n;
    return n == left ? WAX_EOF : WAX_OK;
}

static const wax_self range_self = {.name = "range",
                                    .size = sizeof(struct range),
                                    .align = _Alignof(struct range),
                                    .open = &open_hook,
                                    .close = &close_hook};

static const wax_source_ops range_ops = {.abi = WAX_ABI,
                                         .size = sizeof(wax_source_ops),
                                         .name = "testing_range",
                                         .out = &wax_type_int64_t,
                                         .pos = &wax_type_wx_testing_pos,
                                         .self = &range_self,
                                         .next = next_of_range};

wax_source(int64_t) wax_testing_range(int64_t from, int64_t to)
{
    struct range self = {.from = from, .n = to > from ? (uint64_t)to - (uint64_t)from : 0};
    return (wax_source(int64_t)){.src = wax_source_create(&range_ops, &self)};
}

/* ---- list ------------------------------------------------------------------------------------ */

struct block {
    struct block *next;
    _Alignas(16) char bytes[];
};

/* What the records of a list lie in, and what they point to. */
struct blocks {
    struct wx_memory memory; /* first */
    struct block *newest;
};

/* The descriptor of a source names the type it yields, so each list has its own. */
struct list {
    wax_source_ops *ops;   /* owned by the source */
    struct blocks *blocks; /* likewise */
    const char *items;
    size_t n, size;
};

static void *alloc_block(struct wx_memory *memory, size_t size)
{
    struct blocks *blocks = (struct blocks *)(void *)memory;
    struct block *block = wx_alloc(sizeof *block + size);
    block->next = blocks->newest;
    blocks->newest = block;
    return block->bytes;
}

static int next_of_list(void *source, void *position, wax_io *io, wax_time *wake)
{
    const struct list *self = source;
    wx_testing_pos *pos = position;
    (void)wake;
    size_t given = (size_t)pos->given, left = given < self->n ? self->n - given : 0;
    uint32_t room = io->room - io->kept, n = left < room ? (uint32_t)left : room;
    if (n > 0)
        memcpy((char *)io->out + io->kept * self->size, self->items + given * self->size,
               n * self->size);
    io->kept += n;
    pos->given += n;
    return n == left ? WAX_EOF : WAX_OK;
}

static void free_list(void *source)
{
    struct list *self = source;
    for (struct block *block = self->blocks->newest; block;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(self->blocks);
    free(self->ops);
}

static const wax_self list_self = {.name = "list",
                                   .size = sizeof(struct list),
                                   .align = _Alignof(struct list),
                                   .open = &open_hook,
                                   .close = &close_hook};

wax_src *wax_testing_list_(const wax_type *type, const void *items, size_t n)
{
    struct list self = {.ops = wx_calloc(1, sizeof *self.ops),
                        .blocks = wx_calloc(1, sizeof *self.blocks),
                        .size = type->size};
    self.blocks->memory.alloc = alloc_block;
    *self.ops = (wax_source_ops){.abi = WAX_ABI,
                                 .size = sizeof(wax_source_ops),
                                 .name = "testing_list",
                                 .out = type,
                                 .pos = &wax_type_wx_testing_pos,
                                 .self = &list_self,
                                 .next = next_of_list};
    /* The builder refuses a bad descriptor later, with the place; here it must only not be
     * followed. */
    if (n > 0 && wx_type_check(type, NULL) == 0) {
        char *copy = alloc_block(&self.blocks->memory, n * type->size);
        wx_type_copy(type, copy, items, n, &self.blocks->memory);
        self.items = copy;
        self.n = n;
    }
    wax_src *src = wax_source_create(self.ops, &self);
    src->free_self = free_list;
    return src;
}
