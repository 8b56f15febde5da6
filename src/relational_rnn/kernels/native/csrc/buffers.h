/* Sizes that follow from a problem's, and how the memory that Python hands in is cut up. */
#ifndef RELATIONAL_BUFFERS_H
#define RELATIONAL_BUFFERS_H

#include "rows.h"

#define ROWS 112 /* rows of a block of samples that are worked on together, about */

/* Sizes that follow from a problem's. */
typedef struct {
    int64_t width, projection, rows; /* D, P, M */
    int64_t samples, blocks;         /* samples of a block; blocks */
    int64_t chunk, chunks;           /* samples of a chunk of the input projections; chunks */
} sizes;

INLINE int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

static sizes sizes_of(const problem *p) {
    sizes s = {.width = p->heads * p->value, .projection = p->heads * (2 * p->key + p->value)};
    s.rows = p->slots + p->input_rows;
    const int64_t wanted = divide_up(p->batch, larger_of(1, ROWS / p->slots));
    s.samples = divide_up(p->batch, divide_up(wanted, p->threads) * p->threads); /* as many blocks for each thread */
    s.blocks = divide_up(p->batch, s.samples);
    s.chunk = larger_of(1, ROWS / p->input_rows);
    s.chunks = divide_up(p->total, s.chunk);
    return s;
}

/* Cut `count` floats off; with a NULL cursor base the cursor just counts. Whole cache lines, one of them spare. */
typedef struct {
    float *base;
    int64_t used;
} cursor;

static float *take(cursor *c, int64_t count) {
    float *p = c->base ? c->base + c->used : NULL;
    c->used += (count + 15) / 16 * 16 + 16;
    if (p) {
        OURS(p, count);
        FENCE(p + count, c->base + c->used);
    }
    return p;
}

/* What the input contributes, and what of it backward needs, for all samples. */
typedef struct {
    float *rows;       /* (S, R, D) projected */
    float *hat, *rstd; /* (S, R, P) normalised projection without gain and bias; (S, R) */
    float *gates;      /* (S, 2G) */
} input_projections;

static input_projections take_input_projections(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    const int64_t rows = p->total * p->input_rows;
    input_projections w;
    w.rows = take(c, rows * s.width);
    w.hat = take(c, rows * s.projection);
    w.rstd = take(c, rows);
    w.gates = take(c, p->total * 2 * p->gate);
    return w;
}

/* What steps keep, for `samples` of them. */
static saved_state take_saved_state(cursor *c, const problem *p, int64_t samples) {
    const sizes s = sizes_of(p);
    const int64_t rows = samples * p->slots;
    saved_state k = {0};
    k.start = take(c, rows * s.width);
    k.qkv_hat = take(c, rows * s.projection);
    k.qkv_rstd = take(c, rows);
    k.weights = take(c, rows * p->heads * s.rows);
    k.attention_hat = take(c, rows * s.width);
    k.attention_rstd = take(c, rows);
    for (int64_t l = 1; l < p->layers; l++) k.hidden[l] = take(c, rows * s.width);
    k.mlp_hat = take(c, rows * s.width);
    k.mlp_rstd = take(c, rows);
    k.gates = take(c, rows * 2 * p->gate);
    return k;
}

/* The part of `k` from sample `first` on. */
static saved_state saved_from(saved_state k, const problem *p, int64_t first) {
    const sizes s = sizes_of(p);
    const int64_t rows = first * p->slots;
    k.start += rows * s.width;
    k.qkv_hat += rows * s.projection;
    k.qkv_rstd += rows;
    k.weights += rows * p->heads * s.rows;
    k.attention_hat += rows * s.width;
    k.attention_rstd += rows;
    for (int64_t l = 1; l < p->layers; l++) k.hidden[l] += rows * s.width;
    k.mlp_hat += rows * s.width;
    k.mlp_rstd += rows;
    k.gates += rows * 2 * p->gate;
    return k;
}

/* Weights as right-hand sides of x W'. */
typedef struct {
    matrix input_projection, qkv, gate_input, gate_memory, mlp[MAX_LAYERS];
} matrices;

/* For so few rows packing costs more than it brings. */
INLINE int few_rows(const problem *p) { return p->total * p->slots <= 32; }

static matrix forward_matrix(cursor *c, const problem *p, layer l, int64_t depth, int64_t columns) {
    matrix m = {NULL, l.weight, depth, columns};
    if (few_rows(p)) return m;
    float *to = take(c, packed_size(depth, columns));
    if (c->base) pack_transposed(l.weight, depth, columns, to);
    m.packed = to;
    return m;
}

static matrices forward_matrices(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    matrices m = {0};
    m.input_projection = forward_matrix(c, p, p->values.input_projection, p->features, s.width);
    m.qkv = forward_matrix(c, p, p->values.qkv, s.width, s.projection);
    for (int64_t l = 0; l < p->layers; l++) m.mlp[l] = forward_matrix(c, p, p->values.mlp[l], s.width, s.width);
    if (p->gate) {
        m.gate_input = forward_matrix(c, p, p->values.gate_input, p->input_rows * s.width, 2 * p->gate);
        m.gate_memory = forward_matrix(c, p, p->values.gate_memory, s.width, 2 * p->gate);
    }
    return m;
}

/* A thread's room for one step of a block of samples. */
typedef struct {
    float *projected;        /* (rows, P) normed queries, keys and values of the slots */
    float *appended;         /* (samples R, P) and of the input rows */
    float *attended;         /* (rows, D), later the row-wise MLP's input */
    float *made;             /* (rows, D) the MLP's output, later normed */
    float *squashed;         /* (rows, D) tanh of the memory */
    float *words;            /* for `product` */
    const float **row;       /* M pointers each */
    float **out;
    attention_sizes attention;
    saved_state saved;       /* unless the problem keeps all */
} step_room;

/* Floats that `product` needs for the largest of a thread's left-hand sides. */
static int64_t words_size(const problem *p) {
    const sizes s = sizes_of(p);
    const int64_t rows = larger_of(s.samples * p->slots, s.chunk * p->input_rows);
    const int64_t widest = larger_of(larger_of(s.projection, 2 * p->gate), larger_of(s.width, p->features));
    const int64_t flat = s.chunk * ROW_WORDS(larger_of(p->input_rows * s.width, 2 * p->gate));
    return larger_of(rows * ROW_WORDS(widest), flat);
}

static step_room take_step_room(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    const int64_t rows = s.samples * p->slots;
    step_room r = {0};
    r.projected = take(c, rows * s.projection);
    r.appended = take(c, s.samples * p->input_rows * s.projection);
    r.attended = take(c, rows * s.width);
    r.made = take(c, rows * s.width);
    r.squashed = take(c, rows * s.width);
    r.words = take(c, words_size(p));
    r.row = (const float **)take(c, 2 * s.rows);
    r.out = (float **)take(c, 2 * s.rows);
    r.attention = (attention_sizes){p->slots, s.rows, p->heads, p->key, p->value, NULL, NULL, NULL};
    const int64_t columns = larger_of(p->key, p->value) * VW;
    r.attention.columns = take(c, columns);
    if (c->base) memset(r.attention.columns, 0, (size_t)columns * 4);
    r.attention.scores = (vf *)take(c, s.rows * VW);
    r.attention.changes = (vf *)take(c, s.rows * VW);
    if (p->keep != KEEP_ALL) r.saved = take_saved_state(c, p, s.samples);
    return r;
}

#endif
