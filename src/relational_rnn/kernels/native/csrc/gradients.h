/* Gradients of parameters: each thread adds up its own, those of weights by products over many rows at once. */
#ifndef RELATIONAL_GRADIENTS_H
#define RELATIONAL_GRADIENTS_H

#include "buffers.h"

#define COLLECT 128 /* rows at least, if there are so many, for one product that makes gradients of weights */

/* One thread's gradients: cut from `c`, all zero. */
static layer take_layer(cursor *c, int64_t weight, int64_t bias) {
    layer l = {take(c, weight), take(c, bias)};
    if (c->base) {
        memset(l.weight, 0, (size_t)weight * 4);
        memset(l.bias, 0, (size_t)bias * 4);
    }
    return l;
}

static parameters take_gradients(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    parameters g;
    memset(&g, 0, sizeof g);
    g.input_projection = take_layer(c, s.width * p->features, s.width);
    g.qkv = take_layer(c, s.projection * s.width, s.projection);
    g.qkv_norm = take_layer(c, s.projection, s.projection);
    g.attention_norm = take_layer(c, s.width, s.width);
    g.mlp_norm = take_layer(c, s.width, s.width);
    for (int64_t l = 0; l < p->layers; l++) g.mlp[l] = take_layer(c, s.width * s.width, s.width);
    if (p->gate) {
        g.gate_input = take_layer(c, 2 * p->gate * p->input_rows * s.width, 2 * p->gate);
        g.gate_memory = take_layer(c, 2 * p->gate * s.width, 2 * p->gate);
    }
    return g;
}

/* total += part, or total = part */
static void add_up(float *total, const float *part, int64_t count, int first) {
    if (first) memcpy(total, part, (size_t)count * 4);
    else for (int64_t i = 0; i < count; i++) total[i] += part[i];
}

/* What is added: of all numbers a thread's share, and whether it is the first that is. */
typedef struct {
    int64_t thread, threads;
    int first;
} addition;

static void add_share(float *total, const float *part, int64_t count, addition a) {
    const int64_t begin = count * a.thread / a.threads, end = count * (a.thread + 1) / a.threads;
    add_up(total + begin, part + begin, end - begin, a.first);
}

static void add_layer(layer total, layer part, int64_t weight, int64_t bias, addition a) {
    add_share(total.weight, part.weight, weight, a);
    add_share(total.bias, part.bias, bias, a);
}

static void add_gradients(const problem *p, const parameters *part, addition a) {
    const sizes s = sizes_of(p);
    const parameters *g = &p->gradients;
    add_layer(g->input_projection, part->input_projection, s.width * p->features, s.width, a);
    add_layer(g->qkv, part->qkv, s.projection * s.width, s.projection, a);
    add_layer(g->qkv_norm, part->qkv_norm, s.projection, s.projection, a);
    add_layer(g->attention_norm, part->attention_norm, s.width, s.width, a);
    add_layer(g->mlp_norm, part->mlp_norm, s.width, s.width, a);
    for (int64_t l = 0; l < p->layers; l++) add_layer(g->mlp[l], part->mlp[l], s.width * s.width, s.width, a);
    if (p->gate) {
        add_layer(g->gate_input, part->gate_input, 2 * p->gate * p->input_rows * s.width, 2 * p->gate, a);
        add_layer(g->gate_memory, part->gate_memory, 2 * p->gate * s.width, 2 * p->gate, a);
    }
}

/* Rows of factors of the weights' gradients, collected over steps until a product of them pays. */
typedef struct {
    int64_t used, capacity;
    float *d_qkv, *d_mlp[MAX_LAYERS], *d_gates;                    /* gradients of outputs */
    float *start, *attended, *hidden[MAX_LAYERS], *squashed;       /* inputs */
    float *outer; /* for `add_outer_product` */
} factors;

static factors take_factors(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    factors f = {.capacity = larger_of(s.samples * p->slots, COLLECT)};
    f.d_qkv = take(c, f.capacity * s.projection + BEHIND);
    f.d_gates = take(c, f.capacity * 2 * p->gate + BEHIND);
    f.start = take(c, f.capacity * s.width);
    f.attended = take(c, f.capacity * s.width);
    f.squashed = take(c, f.capacity * s.width);
    for (int64_t l = 0; l < p->layers; l++) {
        f.d_mlp[l] = take(c, f.capacity * s.width + BEHIND);
        f.hidden[l] = take(c, f.capacity * s.width);
    }
    const int64_t widest = larger_of(larger_of(s.projection, 2 * p->gate), s.width);
    f.outer = take(c, outer_workspace(larger_of(f.capacity, s.chunk * p->input_rows), widest));
    return f;
}

static void add_linear(const float *d, int64_t outputs, const float *x, int64_t inputs, int64_t rows, layer gradient,
                       float *workspace) {
    add_outer_product(d, outputs, x, inputs, rows, gradient.weight, workspace);
    add_rows(d, outputs, rows, gradient.bias);
}

static void use_up(const problem *p, factors *f, parameters *g) {
    const sizes s = sizes_of(p);
    if (!f->used) return;
    add_linear(f->d_qkv, s.projection, f->start, s.width, f->used, g->qkv, f->outer);
    for (int64_t l = 0; l < p->layers; l++)
        add_linear(f->d_mlp[l], s.width, l ? f->hidden[l] : f->attended, s.width, f->used, g->mlp[l], f->outer);
    if (p->gate)
        add_linear(f->d_gates, 2 * p->gate, f->squashed, s.width, f->used, g->gate_memory, f->outer);
    f->used = 0;
}

#endif
