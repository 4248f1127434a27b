/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The naive interpreter: each record is followed through the graph to its end before the next one
 * is taken. Steps that give their results at the end keep their records in a list, which is sorted
 * by key then; all such lists are worked off in the order of the graph, so each is complete before
 * it is.
 */
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct list {
    struct sim_item *item;
    size_t n, cap;
};

struct interpreter {
    struct sim_oracle *oracle;
    const struct sim_graph *graph;
    struct sim_arena arena;
    struct list kept[SIM_NODES_MAX]; /* of finals */
    bool counts;
};

static void take(struct interpreter *x, uint32_t node, const struct sim_item *item);

/* To all readers of the node's output. */
static void give(struct interpreter *x, const struct sim_node *node, uint32_t port,
                 const struct sim_item *item)
{
    uint32_t stream = node->output[port];
    if (x->graph->stream[stream].readers == 0)
        return;
    for (uint32_t i = (uint32_t)(node - x->graph->node) + 1; i < x->graph->nodes; i++)
        for (uint32_t k = 0; k < x->graph->node[i].inputs; k++)
            if (x->graph->node[i].input[k] == stream)
                take(x, i, item);
}

static wax_str record_text(struct interpreter *x, const struct sim_item *item)
{
    wax_str text, key = {"", 0};
    if (item->type == SIM_NUMBER)
        text = sim_arena_fmt(&x->arena, "%" PRId64, item->number[0]);
    else
        text = sim_arena_fmt(&x->arena,
                             "{\"value\":%" PRId64 ",\"origin\":%" PRId64 ",\"seq\":%" PRId64
                             ",\"epoch\":0,\"text\":\"%.*s\"}",
                             item->number[0], item->number[1], item->number[2],
                             (int)item->text[0].len, item->text[0].ptr);
    if (item->key == SIM_KEY_NUMBER)
        key = sim_arena_fmt(&x->arena, "%" PRId64 " -> ", item->key_number);
    if (item->key == SIM_KEY_TEXT)
        key = sim_arena_fmt(&x->arena, "%.*s -> ", (int)item->key_text.len, item->key_text.ptr);
    return sim_arena_fmt(&x->arena, "%.*s%.*s", (int)key.len, key.ptr, (int)text.len, text.ptr);
}

static void refused(struct interpreter *x, const struct sim_node *node, const struct sim_item *item,
                    wax_str message)
{
    if (node->policy == WX_ON_FAILURE_STOP)
        x->oracle->stops++;
    if (node->policy != WX_ON_FAILURE_DIVERT)
        return;
    char *shown = sim_arena_alloc(&x->arena, SIM_RECORD_SHOWN);
    struct sim_item failure = {.type = SIM_FAILURE};
    failure.text[0] = wax_from_c(node->id);
    failure.text[1] = message;
    failure.text[2] = sim_record_shown(record_text(x, item), shown);
    give(x, node, node->outputs - 1, &failure);
}

static void keep(struct interpreter *x, uint32_t node, const struct sim_item *item)
{
    struct list *list = &x->kept[node];
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->item = wx_realloc(list->item, list->cap * sizeof *list->item);
    }
    list->item[list->n++] = *item;
}

/* A step with a body: what it gives goes on, or is kept when the step counts. */
static void run_body(struct interpreter *x, uint32_t index, const struct sim_item *item)
{
    const struct sim_node *node = &x->graph->node[index];
    struct sim_emit emit = {.arena = &x->arena, .in = item};
    int rc = node->op->pure(item, &emit);
    if (rc < 0) {
        refused(x, node, item, emit.message);
    } else if (node->op->kind == SIM_FILTER) {
        if (rc || node->kind == SIM_BRANCH)
            give(x, node, rc ? 0 : 1, item);
    } else {
        for (uint32_t i = 0; i < emit.n; i++) {
            if (node->kind == SIM_COUNT)
                keep(x, index, &emit.item[i]);
            else
                give(x, node, 0, &emit.item[i]);
        }
    }
    free(emit.item);
}

static void take(struct interpreter *x, uint32_t index, const struct sim_item *item)
{
    const struct sim_node *node = &x->graph->node[index];
    struct sim_item copy = *item;
    x->oracle->records++;
    switch (node->kind) {
    case SIM_NAMED:
        if (strcmp(node->verb, "key_rm") == 0) {
            copy.key = SIM_KEY_NONE;
            copy.key_number = 0;
            copy.key_text = (wax_str){NULL, 0};
        }
        give(x, node, 0, &copy);
        return;
    case SIM_MERGE:
        give(x, node, 0, item);
        return;
    case SIM_FINAL:
        keep(x, index, item);
        return;
    case SIM_OUTPUT:
        sim_bag_add(&x->oracle->bag[index], item);
        return;
    default:
        run_body(x, index, item);
    }
}

/* ---- the end
 * ------------------------------------------------------------------------------------------ */

static int compare_keys(const void *left, const void *right)
{
    const struct sim_item *a = left, *b = right;
    if (a->key == SIM_KEY_NUMBER)
        return (a->key_number > b->key_number) - (a->key_number < b->key_number);
    if (a->key_text.len != b->key_text.len)
        return a->key_text.len < b->key_text.len ? -1 : 1;
    return a->key_text.len ? memcmp(a->key_text.ptr, b->key_text.ptr, a->key_text.len) : 0;
}

/* All records of one key become one. */
static void fold(struct interpreter *x, const struct sim_node *node, const struct sim_item *item,
                 size_t n)
{
    struct sim_item state = item[0];
    size_t begin = 0;
    if (node->kind == SIM_COUNT) {
        state = (struct sim_item){.type = SIM_NUMBER, .number = {(int64_t)n}};
        begin = n;
    } else if (node->op->kind == SIM_FOLD) {
        state = node->op->init;
        state.type = node->op->out;
    } else {
        begin = 1;
    }
    for (size_t i = begin; i < n; i++) {
        struct sim_emit emit = {.arena = &x->arena, .in = &item[i]};
        if (node->op->fold(&state, &item[i], &emit) < 0)
            refused(x, node, &item[i], emit.message);
    }
    state.key = item[0].key;
    state.key_number = item[0].key_number;
    state.key_text = item[0].key_text;
    give(x, node, 0, &state);
}

static void finish(struct interpreter *x, uint32_t index)
{
    struct list *list = &x->kept[index];
    if (list->n)
        qsort(list->item, list->n, sizeof *list->item, compare_keys);
    for (size_t i = 0, end; i < list->n; i = end) {
        for (end = i + 1; end < list->n && compare_keys(&list->item[i], &list->item[end]) == 0;)
            end++;
        fold(x, &x->graph->node[index], list->item + i, end - i);
    }
    free(list->item);
    *list = (struct list){0};
}

static void read_source(struct interpreter *x, const struct sim_node *node,
                        const struct sim_part *parts)
{
    const struct sim_source *source = &node->source;
    char *text = wx_alloc(source->text_max + 1);
    for (uint32_t part = 0; part < source->parts; part++) {
        uint32_t n = parts ? parts[source->first_origin + part].given : source->records[part];
        for (uint32_t k = 0; k < n; k++) {
            struct sim_item item;
            sim_source_record(source, part, k, &item, text);
            if (item.text[0].ptr)
                item.text[0] = sim_arena_dup(&x->arena, text, item.text[0].len);
            give(x, node, 0, &item);
            if (x->counts) /* nothing is kept */
                sim_arena_fini(&x->arena);
        }
    }
    free(text);
}

void sim_oracle_run(struct sim_oracle *oracle, const struct sim_graph *graph,
                    const struct sim_part *parts, bool counts)
{
    struct interpreter x = {.oracle = oracle, .graph = graph, .counts = counts};
    *oracle = (struct sim_oracle){0};
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
        oracle->bag[i].counts = counts;
    for (uint32_t i = 0; i < graph->nodes; i++)
        if (graph->node[i].kind == SIM_INPUT)
            read_source(&x, &graph->node[i], parts);
    for (uint32_t i = 0; i < graph->nodes; i++)
        finish(&x, i);
    sim_arena_fini(&x.arena);
}

void sim_oracle_fini(struct sim_oracle *oracle)
{
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
        sim_bag_fini(&oracle->bag[i]);
}
