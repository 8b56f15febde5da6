/* The forward pass over a whole sequence: the input projections for all steps, then blocks of samples through time. */
#ifndef RELATIONAL_FORWARD_H
#define RELATIONAL_FORWARD_H

#include "buffers.h"

/* Point at the M rows of one sample. */
INLINE void point(const problem *p, const float **row, const float *slots, const float *appended, int64_t width) {
    for (int64_t n = 0; n < p->slots; n++) row[n] = slots + n * width;
    for (int64_t r = 0; r < p->input_rows; r++) row[p->slots + r] = appended + r * width;
}

/* Normed queries, keys and values from what was kept of them, of slots and of input rows. */
static void restore_projections(const problem *p, const step_room *r, int64_t samples, const float *hat,
                                const float *input_hat) {
    const int64_t width = p->heads * (2 * p->key + p->value);
    if (hat)
        for (int64_t n = 0; n < samples * p->slots; n++)
            gain_and_bias(hat + n * width, width, p->values.qkv_norm, r->projected + n * width);
    for (int64_t n = 0; n < samples * p->input_rows; n++)
        gain_and_bias(input_hat + n * width, width, p->values.qkv_norm, r->appended + n * width);
}

/* One step of `samples` samples: from `k.start` (rows, D) to `next`. */
static void step(const problem *p, const matrices *w, const step_room *r, saved_state k, int64_t samples,
                 const float *input_hat, const float *share, float *next) {
    const parameters *v = &p->values;
    const int64_t width = p->heads * p->value, projection = p->heads * (2 * p->key + p->value);
    const int64_t rows = samples * p->slots, all = p->slots + p->input_rows;
    const float *memory = k.start;

    product(memory, rows, w->qkv, v->qkv.bias, r->projected, 0, r->words);
    normalise(r->projected, NULL, rows, projection, v->qkv_norm, k.qkv_hat, k.qkv_rstd, r->projected);
    restore_projections(p, r, samples, NULL, input_hat);
    for (int64_t b = 0; b < samples; b++) {
        point(p, r->row, r->projected + b * p->slots * projection, r->appended + b * p->input_rows * projection,
              projection);
        for (int64_t n = 0; n < p->slots; n++) r->out[n] = r->attended + (b * p->slots + n) * width;
        attend(&r->attention, r->row, k.weights + b * p->heads * all * p->slots, r->out);
    }
    normalise(r->attended, memory, rows, width, v->attention_norm, k.attention_hat, k.attention_rstd,
              r->attended);

    const float *x = r->attended;
    for (int64_t l = 0; l < p->layers; l++) {
        const int last = l + 1 == p->layers;
        float *y = last ? r->made : k.hidden[l + 1];
        product(x, rows, w->mlp[l], v->mlp[l].bias, y, last ? 0 : RELU, r->words);
        x = y;
    }
    float *fresh = p->gate ? r->made : next;
    normalise(r->made, r->attended, rows, width, v->mlp_norm, k.mlp_hat, k.mlp_rstd, fresh);
    if (!p->gate) return;

    EACH_VECTOR(rows * width, {
        store_some(r->squashed + i, hyperbolic_tangent(load_some(memory + i, left)), left);
    });
    product(r->squashed, rows, w->gate_memory, v->gate_memory.bias, k.gates, 0, r->words);
    for (int64_t n = 0; n < rows; n++)
        gate(width, p->gate, k.gates + n * 2 * p->gate, share + n / p->slots * 2 * p->gate, p->input_bias,
             p->forget_bias, fresh + n * width, memory + n * width, next + n * width);
}

/* How many of a block's samples run at step t. */
INLINE int64_t running(const problem *p, const sizes *s, int64_t block, int64_t t) {
    const int64_t left = p->batch_sizes[t] - block * s->samples;
    return left < 0 ? 0 : smaller(left, s->samples);
}

/* From this size on a number of the projected input, or of the first memory, is out of range: kernels/eager.py. */
#define LARGEST_ROW 1.8446743e15f

static void keep_in_range(float *x, int64_t count) {
    EACH_VECTOR(count, {
        const vf y = load_some(x + i, left), size = pick(y < 0.0f, -y, y);
        store_some(x + i, pick(size < LARGEST_ROW, y, splat(NAN)), left);
    });
}

/* Copy the memory of `samples` samples before step t. `before` and `now` are the numbers of the first of them in
 * steps t - 1 and t. */
static void copy_start(const problem *p, int64_t t, int64_t first, int64_t before, int64_t now, int64_t samples,
                       float *to) {
    const int64_t size = p->slots * p->heads * p->value;
    const float *memory = t ? p->memories + before * size : p->memory + first * size;
    for (int64_t b = 0; b < samples; b++)
        memcpy(to + b * size, p->resets && p->resets[now + b] ? p->initial : memory + b * size, (size_t)size * 4);
    if (!t) keep_in_range(to, samples * size);
}

typedef struct {
    const problem *problem;
    const matrices *weights;
    input_projections work;
    saved_state saved; /* all of it, or only `start` */
    float *rooms, *words; /* of all threads; the latter for `product` in `forward_inputs` */
    int64_t room_size;
} forward_job;

/* Where step `now` keeps what: in `room` what `all` has no place for. */
INLINE saved_state saved_at(const problem *p, saved_state all, saved_state room, int64_t now) {
    if (p->keep == KEEP_ALL) return saved_from(all, p, now);
    if (p->keep == KEEP_MEMORIES) room.start = all.start + now * p->slots * p->heads * p->value;
    return room;
}

/* A thread's share of the input projections. */
static void forward_inputs(const void *argument, int64_t thread) {
    const forward_job *job = argument;
    const problem *p = job->problem;
    const sizes s = sizes_of(p);
    float *words = job->words + thread * words_size(p);
    for (int64_t c = thread; c < s.chunks; c += p->threads) {
        const int64_t first = c * s.chunk, count = smaller(s.chunk, p->total - first);
        const int64_t row = first * p->input_rows, rows = count * p->input_rows;
        float *x = job->work.rows + row * s.width, *hat = job->work.hat + row * s.projection;
        product(p->inputs + row * p->features, rows, job->weights->input_projection,
                p->values.input_projection.bias, x, 0, words);
        keep_in_range(x, rows * s.width);
        if (p->gate)
            product(x, count, job->weights->gate_input, p->values.gate_input.bias,
                    job->work.gates + first * 2 * p->gate, 0, words);
        product(x, rows, job->weights->qkv, p->values.qkv.bias, hat, 0, words);
        for (int64_t r = 0; r < rows; r++)
            job->work.rstd[row + r] = standardise(hat + r * s.projection, NULL, s.projection, hat + r * s.projection);
    }
}

/* A thread's share of the blocks of samples, each through all steps. */
static void forward_memories(const void *argument, int64_t thread) {
    const forward_job *job = argument;
    const problem *p = job->problem;
    const sizes s = sizes_of(p);
    const int64_t size = p->slots * s.width;
    cursor c = {job->rooms + thread * job->room_size, 0};
    const step_room room = take_step_room(&c, p);
    CHECK(c.used == job->room_size);
    for (int64_t block = thread; block < s.blocks; block += p->threads) {
        const int64_t first = block * s.samples;
        int64_t before = 0, now = first;
        for (int64_t t = 0, samples; t < p->steps && (samples = running(p, &s, block, t)); t++) {
            const saved_state k = saved_at(p, job->saved, room.saved, now);
            copy_start(p, t, first, before, now, samples, k.start);
            step(p, job->weights, &room, k, samples, job->work.hat + now * p->input_rows * s.projection,
                 job->work.gates + now * 2 * p->gate, p->memories + now * size);
            const int64_t go_on = t + 1 < p->steps ? running(p, &s, block, t + 1) : 0;
            memcpy(p->last + (first + go_on) * size, p->memories + (now + go_on) * size,
                   (size_t)((samples - go_on) * size) * 4);
            before = now;
            now += p->batch_sizes[t];
        }
    }
}

static saved_state take_saved(cursor *c, const problem *p, input_projections *work) {
    saved_state k = {0};
    if (p->keep == KEEP_MEMORIES) k.start = take(c, p->total * p->slots * p->heads * p->value);
    if (p->keep != KEEP_ALL) return k;
    *work = take_input_projections(c, p);
    return take_saved_state(c, p, p->total);
}

static int64_t saved_size(const problem *p) {
    cursor c = {NULL, 0};
    input_projections work;
    take_saved(&c, p, &work);
    return c.used;
}

static int64_t forward_room_size(const problem *p) {
    cursor c = {NULL, 0};
    take_step_room(&c, p);
    return c.used;
}

static int64_t forward_workspace(const problem *p) {
    cursor c = {NULL, 0};
    forward_matrices(&c, p);
    take(&c, p->threads * words_size(p));
    if (p->keep != KEEP_ALL) take_input_projections(&c, p);
    return c.used + p->threads * forward_room_size(p);
}

static void forward(const problem *p) {
    cursor saved = {p->saved, 0}, c = {p->workspace, 0};
    forward_job job = {.problem = p};
    job.saved = take_saved(&saved, p, &job.work);
    const matrices weights = forward_matrices(&c, p);
    job.words = take(&c, p->threads * words_size(p));
    if (p->keep != KEEP_ALL) job.work = take_input_projections(&c, p);
    job.weights = &weights;
    job.room_size = forward_room_size(p);
    job.rooms = p->workspace + c.used;
    CHECK(saved.used == saved_size(p));
    CHECK(c.used + p->threads * job.room_size == forward_workspace(p));
    run_threads(smaller(p->threads, sizes_of(p).chunks), forward_inputs, &job);
    run_threads(smaller(p->threads, sizes_of(p).blocks), forward_memories, &job);
}

#endif
