/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the graph to the plan: which nodes serve each of the user's steps, and where the exchanges
 * are.
 *
 *   count_final    key ─▶ combine ─▶ send ═▶ receive ─▶ final
 *   reduce_final          combine ─▶ send ═▶ receive ─▶ final
 *   fold_final           [combine ─▶] send ═▶ receive ─▶ final      combine when the fold has a
 * MERGE redistribute                     send ═▶ receive output                          [send ═▶
 * receive ─▶] sink       exchange when the sink has one writer
 *
 * With a single worker there is nothing to exchange, and none of these nodes is made. The plan
 * depends on the graph and the number of workers alone, so every process makes the same one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"
#include "core/table.h"

#define CHANNEL_TOTAL (8u << 20)
#define CHANNEL_MIN   (64u << 10)
#define CHANNEL_MAX   (256u << 10)

uint64_t wx_channel_credit(uint32_t workers)
{
    uint64_t credit = CHANNEL_TOTAL / (workers ? workers : 1);
    return credit < CHANNEL_MIN ? CHANNEL_MIN : credit > CHANNEL_MAX ? CHANNEL_MAX : credit;
}

/* Where a stream of the user's graph comes from: a node and its output. */
struct origin {
    uint32_t node, port;
};

struct planner {
    struct wx_plan *plan;
    struct origin (*origin)[WX_OUTPUTS_MAX]; /* [flow step][output] */
};

static struct wx_node *add_node(struct planner *p, enum wx_node_kind kind,
                                const struct wx_flow_step *step)
{
    struct wx_plan *plan = p->plan;
    WX_ASSERT(plan->nodes < plan->node_cap);
    struct wx_node *node = &plan->node[plan->nodes];
    *node = (struct wx_node){.kind = kind, .index = plan->nodes++, .step = step};
    return node;
}

/* Makes `node` a reader of `from`. */
static void connect(struct planner *p, struct origin from, struct wx_node *node)
{
    struct wx_out *out = &p->plan->node[from.node].out[from.port];
    out->reader = wx_realloc(out->reader, (out->readers + 1) * sizeof *out->reader);
    out->reader[out->readers++] = (struct wx_reader){node->index, node->slots++};
    node->in = node->in_ones = out->shape;
    node->in_ones.ones = true;
}

static struct origin chain(struct planner *p, struct origin from, struct wx_node *node,
                           struct wx_shape out)
{
    connect(p, from, node);
    node->out[0].shape = out;
    return (struct origin){node->index, 0};
}

/* An exchange behind `from`; with one worker, nothing. */
static struct origin exchange(struct planner *p, struct origin from,
                              const struct wx_flow_step *step, enum wx_route route, uint32_t target)
{
    struct wx_plan *plan = p->plan;
    if (plan->workers == 1)
        return from;
    struct wx_shape shape = plan->node[from.node].out[from.port].shape;
    struct wx_node *send = add_node(p, WX_NODE_SEND, step);
    connect(p, from, send);
    /* A FINAL follows and computes the hashes of numbers again: cheaper than to move them. */
    send->in.lean = send->in_ones.lean = route == WX_ROUTE_KEY && shape.key->kind == WAX_I64;
    send->route = route;
    send->target = target;
    send->edge = plan->edges;
    struct wx_node *receive = add_node(p, WX_NODE_RECEIVE, step);
    receive->edge = plan->edges++;
    receive->slots = plan->workers;
    receive->in = shape;
    receive->out[0].shape = shape;
    return (struct origin){receive->index, 0};
}

/* FNV-1a: spreads single parts and writers over the workers, the same in every process. */
uint32_t wx_id_hash(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return hash;
}

static struct origin plan_final(struct planner *p, const struct wx_flow_step *step,
                                struct origin from)
{
    struct wx_shape state = step->output[0].shape;
    enum wx_fold first = WX_FOLD_BODY, second = WX_FOLD_BODY;
    bool combine = false;
    if (step->verb == WX_COUNT_FINAL) {
        struct wx_shape ones = state;
        ones.ones = true;
        struct wx_node *key = add_node(p, WX_NODE_KEY, step);
        from = chain(p, from, key, ones);
        first = WX_FOLD_COUNT;
        second = WX_FOLD_SUM;
        combine = true;
    } else if (step->verb == WX_REDUCE_FINAL) {
        first = second = WX_FOLD_REDUCE;
        combine = true;
    } else if (step->op->merge && *step->op->merge) {
        second = WX_FOLD_MERGE;
        combine = true;
    }
    if (combine && p->plan->workers > 1) {
        struct wx_node *node = add_node(p, WX_NODE_COMBINE, step);
        node->fold = first;
        from = chain(p, from, node, state);
        first = second;
    }
    from = exchange(p, from, step, WX_ROUTE_KEY, 0);
    struct wx_node *node = add_node(p, WX_NODE_FINAL, step);
    node->fold = first;
    return chain(p, from, node, state);
}

static void plan_output(struct planner *p, const struct wx_flow_step *step, struct origin from)
{
    uint32_t writer = wx_id_hash(step->id) % p->plan->workers;
    if (step->sink->ops->single)
        from = exchange(p, from, step, WX_ROUTE_ONE, writer);
    struct wx_node *node = add_node(p, WX_NODE_SINK, step);
    node->target = writer;
    connect(p, from, node);
    for (uint32_t i = 0; i < step->outputs; i++)
        node->out[i].shape = step->output[i].shape;
    for (uint32_t i = 0; i < step->outputs; i++)
        p->origin[step->index][i] = (struct origin){node->index, i};
}

static enum wx_node_kind kind_of(const struct wx_flow_step *step)
{
    switch (step->verb) {
    case WX_INPUT:
        return WX_NODE_SOURCE;
    case WX_MERGE:
        return WX_NODE_MERGE;
    case WX_KEY_ON:
        return WX_NODE_KEY;
    case WX_KEY_RM:
        return step->op ? WX_NODE_KERNEL : WX_NODE_UNKEY;
    case WX_INSPECT:
    case WX_INSPECT_DEBUG:
        return WX_NODE_INSPECT;
    default:
        return WX_NODE_KERNEL;
    }
}

/* A step that is one node, with the same inputs and outputs. */
static void plan_plain(struct planner *p, const struct wx_flow_step *step)
{
    struct wx_node *node = add_node(p, kind_of(step), step);
    for (uint32_t i = 0; i < step->inputs; i++)
        connect(p, p->origin[step->input[i]->step->index][step->input[i]->index], node);
    for (uint32_t i = 0; i < step->outputs; i++) {
        node->out[i].shape = step->output[i].shape;
        p->origin[step->index][i] = (struct origin){node->index, i};
    }
}

/* A step that is several nodes refuses records in each that runs user code: their failures are
 * merged. */
static void plan_failures(struct planner *p, const struct wx_flow_step *step, uint32_t first_node)
{
    if (step->policy != WX_ON_FAILURE_DIVERT)
        return;
    uint32_t port = step->failures, last_node = p->plan->nodes;
    struct wx_node *merge = add_node(p, WX_NODE_MERGE, step);
    merge->out[0].shape = step->output[port].shape;
    for (uint32_t i = first_node; i < last_node; i++) {
        struct wx_node *node = &p->plan->node[i];
        if (node->kind != WX_NODE_KEY && node->kind != WX_NODE_COMBINE &&
            node->kind != WX_NODE_FINAL)
            continue;
        node->out[port].shape = step->output[port].shape;
        connect(p, (struct origin){i, port}, merge);
    }
    p->origin[step->index][port] = (struct origin){merge->index, 0};
}

static void plan_step(struct planner *p, const struct wx_flow_step *step)
{
    struct origin from = {0, 0};
    if (step->inputs)
        from = p->origin[step->input[0]->step->index][step->input[0]->index];
    uint32_t first_node = p->plan->nodes;
    switch (step->verb) {
    case WX_COUNT_FINAL:
    case WX_REDUCE_FINAL:
    case WX_FOLD_FINAL:
        p->origin[step->index][0] = plan_final(p, step, from);
        plan_failures(p, step, first_node);
        break;
    case WX_REDISTRIBUTE:
        p->origin[step->index][0] = exchange(p, from, step, WX_ROUTE_SPREAD, 0);
        break;
    case WX_OUTPUT:
        plan_output(p, step, from);
        break;
    default:
        plan_plain(p, step);
    }
}

/* Partition k belongs to worker k * workers / 1024: contiguous ranges. */
static void assign_partitions(struct wx_plan *plan)
{
    WX_ASSERT(WX_PARTITIONS == sizeof plan->owner / sizeof plan->owner[0]);
    for (uint32_t k = 0; k < WX_PARTITIONS; k++)
        plan->owner[k] = (uint16_t)((uint64_t)k * plan->workers / WX_PARTITIONS);
}

struct wx_plan *wx_plan_create(const wax_flow *flow, uint32_t workers)
{
    struct wx_plan *plan = wx_calloc(1, sizeof *plan);
    plan->flow = flow;
    plan->workers = workers;
    plan->node_cap = flow->steps * 6;
    plan->node = wx_calloc(plan->node_cap, sizeof *plan->node);
    struct planner p = {plan, wx_calloc(flow->steps, sizeof *p.origin)};
    for (uint32_t i = 0; i < flow->steps; i++)
        plan_step(&p, flow->step[i]);
    free(p.origin);
    plan->edge_shape = wx_calloc(plan->edges, sizeof *plan->edge_shape);
    for (uint32_t i = 0; i < plan->nodes; i++)
        if (plan->node[i].kind == WX_NODE_SEND)
            plan->edge_shape[plan->node[i].edge] = &plan->node[i].in;
    assign_partitions(plan);
    return plan;
}

void wx_plan_destroy(struct wx_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->nodes; i++)
        for (uint32_t k = 0; k < WX_OUTPUTS_MAX; k++)
            free(plan->node[i].out[k].reader);
    free(plan->node);
    free(plan->edge_shape);
    free(plan);
}

uint32_t wx_plan_edges(const struct wx_plan *plan)
{
    return plan->edges;
}

const struct wx_shape *wx_plan_edge_shape(const struct wx_plan *plan, uint32_t edge)
{
    return plan->edge_shape[edge];
}
