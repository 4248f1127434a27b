/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory the batches of a worker can take. All of it comes from the worker's pool, and
 * everything in the pool is held by one of these:
 *
 *   slots      a batch in each input of each step
 *   pending    what a step has made and not handed over: a batch or two; the results of one call
 *              of a source; the results of one record of a flat_map, at most --max-fanout
 *   blocks     one for each receiver in each sending half of an exchange
 *   channels   to workers of the same process: the credit, or one block where that is more. From
 *              workers of other processes: what the credit lets through, at worst in the smallest
 *              batches, see received()
 *   markers    a few in each of these places
 *
 * (Bodies without output may also ask for scratch memory, up to --max-record; those of the library
 * do not.) Batches are chained: one whose strings point into the batch that it was made from keeps
 * that one alive, and so on up to the source or the last exchange. So a batch counts with its whole
 * chain. The size of one batch: its columns, for as many records as fit, and its strings, which the
 * dataflow bounds. Size classes add at most a quarter, chunks of string memory at most double what
 * is in them twice.
 */
#include "sim/memory.h"

#include "sim/library.h"

#define CLASS     1.25 /* a block of the heap is at most so much larger than what was asked for */
#define HEADER    (CLASS * 256) /* a batch without columns: a marker, an alias */
#define MARKERS   8             /* waiting in one place */
#define CHUNK_MIN (8.0 * 1024)  /* the smallest chunk of string memory */
#define CHARGE    256.0         /* credit that even the smallest batch takes between processes */

struct bound {
    const struct wx_plan *plan;
    const struct sim_graph *graph;
    double chain[SIM_NODES_MAX * 6]; /* of a batch of each node: itself and what it keeps alive */
};

static double columns(const struct wx_shape *shape, double records)
{
    double size = shape->ones ? 0 : shape->type->size;
    if (shape->key)
        size += shape->key->size + (double)sizeof(uint64_t);
    return HEADER + CLASS * (records * size + 3 * 64);
}

static double strings(double bytes)
{
    return bytes > 0 ? 4 * bytes + 2 * CHUNK_MIN : 0;
}

static bool has_strings(const struct wx_shape *shape)
{
    return !wx_type_is_flat(shape->type) || (shape->key && shape->key->kind == WAX_STR);
}

/* Bytes of strings in a batch of the user's stream that this output is, or is on the way to. */
static double batch_text(const struct bound *b, const struct wx_node *node, uint32_t port)
{
    const struct sim_node *user = &b->graph->node[node->step->index];
    double most = 0;
    if (!has_strings(&node->out[port].shape))
        return 0;
    if (port < user->outputs)
        most = b->graph->stream[user->output[port]].batch_text;
    for (uint32_t i = 0; i < user->inputs; i++) {
        double in = b->graph->stream[user->input[i]].batch_text;
        most = in > most ? in : most;
    }
    return most;
}

/* The most that the texts of one record in or behind the user's step can have. */
static double record_text(const struct bound *b, const struct wx_node *node)
{
    const struct sim_node *user = &b->graph->node[node->step->index];
    double most = 0;
    for (uint32_t i = 0; i < user->inputs; i++)
        if (b->graph->stream[user->input[i]].text_max > most)
            most = b->graph->stream[user->input[i]].text_max;
    if (user->outputs && b->graph->stream[user->output[0]].text_max > most)
        most = b->graph->stream[user->output[0]].text_max;
    return 3 * (most + 16); /* a key and two texts */
}

/* An exchange block: twice the records, the strings at which it leaves, and those of one slice. */
static double block(const struct bound *b, const struct wx_node *node)
{
    double text = has_strings(&node->in) ? 2 * 65536 + record_text(b, node) : 0;
    return columns(&node->in, 2 * wx_shape_cap(&node->in_ones)) + strings(text);
}

/* The new memory of one batch that `node` gives on `port`. */
static double batch(const struct bound *b, const struct wx_node *node, uint32_t port)
{
    const struct wx_shape *shape = &node->out[port].shape;
    double full = columns(shape, wx_shape_cap(shape)) + strings(batch_text(b, node, port));
    switch (node->kind) {
    case WX_NODE_INSPECT:
    case WX_NODE_UNKEY:
    case WX_NODE_MERGE:
    case WX_NODE_RECEIVE:
        return HEADER;
    case WX_NODE_KEY:
        return columns(shape, WX_BLOCK_RECORDS) + strings(batch_text(b, node, port));
    case WX_NODE_COMBINE:
    case WX_NODE_FINAL:
        return 2 * full; /* read from the table, then copied */
    default:
        return full;
    }
}

/* Batches that a step may have made and not handed over. */
static double pending(const struct bound *b, const struct wx_node *node)
{
    const struct sim_node *user = &b->graph->node[node->step->index];
    if (!node->out[0].shape.type)
        return 0;
    double cap = wx_shape_cap(&node->out[0].shape);
    if (node->kind == WX_NODE_SOURCE)
        return user->source.batch_max / cap + 2;
    if (node->kind == WX_NODE_KERNEL && user->op && user->op->kind == SIM_FLAT_MAP)
        return SIM_FANOUT_MAX / (cap * node->out[0].shape.type->size) + 4;
    return 3;
}

/* Does an output keep the batch that it was made from? */
static bool keeps_input(const struct wx_node *node, uint32_t port)
{
    switch (node->kind) {
    case WX_NODE_SOURCE:
    case WX_NODE_COMBINE:
    case WX_NODE_FINAL:
    case WX_NODE_SEND:
    case WX_NODE_RECEIVE:
        return false;
    case WX_NODE_KERNEL:
        return has_strings(&node->out[port].shape);
    default:
        return true;
    }
}

/* The longest chain of the batches that `node` gets. */
static double input_chain(const struct bound *b, const struct wx_node *node)
{
    double longest = 0;
    for (uint32_t i = 0; i < node->index; i++)
        for (uint32_t port = 0; port < WX_OUTPUTS_MAX; port++)
            for (uint32_t k = 0; k < b->plan->node[i].out[port].readers; k++)
                if (b->plan->node[i].out[port].reader[k].node == node->index &&
                    b->chain[i] > longest)
                    longest = b->chain[i];
    return longest;
}

/* Everything that holds batches made by `node`. */
static double held(struct bound *b, const struct wx_node *node)
{
    double places = pending(b, node), largest = 0;
    for (uint32_t port = 0; port < WX_OUTPUTS_MAX; port++) {
        if (!node->out[port].shape.type)
            continue;
        double one = batch(b, node, port);
        if (keeps_input(node, port))
            one += input_chain(b, node);
        largest = one > largest ? one : largest;
        places += node->out[port].readers + (port > 0 ? 2 : 0);
    }
    b->chain[node->index] = largest;
    return places * largest + MARKERS * HEADER * (node->slots + places);
}

/* Memory for `credit` bytes that come from another process. */
static double received(const struct wx_node *node, double credit)
{
    double smallest = columns(&node->in, 1) + (has_strings(&node->in) ? CLASS * CHUNK_MIN : 0);
    return credit / CHARGE * smallest;
}

double sim_memory_bound(const struct wx_plan *plan, const struct sim_graph *graph, uint32_t worker,
                        uint32_t workers_of_process, uint64_t credit)
{
    struct bound b = {.plan = plan, .graph = graph};
    double bytes = 0, remote = credit < 1024 ? 1024 : (double)credit;
    for (uint32_t i = 0; i < plan->nodes; i++) {
        const struct wx_node *node = &plan->node[i];
        bytes += held(&b, node);
        if (node->kind != WX_NODE_SEND)
            continue;
        double one = block(&b, node);
        bytes += plan->workers * one;
        for (uint32_t to = 0; to < plan->workers; to++) {
            bool here = to / workers_of_process == worker / workers_of_process;
            double ring = one > (double)credit ? one : (double)credit;
            bytes += here ? ring : received(node, remote) + one;
            bytes += MARKERS * HEADER;
        }
    }
    return bytes;
}
