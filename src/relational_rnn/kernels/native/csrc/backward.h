/* The backward pass over a whole sequence, following relational_rnn/reference (unroll.py, block.py,
 * input_projection.py). */
#ifndef RELATIONAL_BACKWARD_H
#define RELATIONAL_BACKWARD_H

#include "forward.h"
#include "gradients.h"

/* Weights as right-hand sides of d W. */
static matrix backward_matrix(cursor *c, layer l, int64_t depth, int64_t columns) {
    float *to = take(c, packed_size(depth, columns));
    if (c->base) pack(l.weight, depth, columns, to);
    return (matrix){to, NULL, depth, columns};
}

static matrices backward_matrices(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    matrices m = {0};
    m.input_projection = backward_matrix(c, p->values.input_projection, s.width, p->features);
    m.qkv = backward_matrix(c, p->values.qkv, s.projection, s.width);
    for (int64_t l = 0; l < p->layers; l++) m.mlp[l] = backward_matrix(c, p->values.mlp[l], s.width, s.width);
    if (p->gate) {
        m.gate_input = backward_matrix(c, p->values.gate_input, 2 * p->gate, p->input_rows * s.width);
        m.gate_memory = backward_matrix(c, p->values.gate_memory, 2 * p->gate, s.width);
    }
    return m;
}

/* A thread's room. */
typedef struct {
    step_room forward;
    factors factors;
    parameters gradients;
    float *d_memory, *d_new, *d_attended, *d_input; /* (rows, D) each */
    float *d_projected;                             /* (rows, P) */
    float *fresh;                                   /* (D) */
    float *d_initial;                               /* (N, D) */
    float *d_rows;                                  /* (chunk R, D) */
    float **d_row;                                  /* M pointers */
    const float **d_out;
} backward_room;

static backward_room take_backward_room(cursor *c, const problem *p) {
    const sizes s = sizes_of(p);
    const int64_t rows = s.samples * p->slots;
    backward_room r;
    r.forward = take_step_room(c, p);
    r.factors = take_factors(c, p);
    r.gradients = take_gradients(c, p);
    r.d_memory = take(c, rows * s.width);
    r.d_new = take(c, rows * s.width);
    r.d_attended = take(c, rows * s.width);
    r.d_input = take(c, rows * s.width);
    r.d_projected = take(c, rows * s.projection);
    r.fresh = take(c, s.width);
    r.d_initial = take(c, p->slots * s.width);
    if (c->base) memset(r.d_initial, 0, (size_t)(p->slots * s.width) * 4);
    r.d_rows = take(c, s.chunk * p->input_rows * s.width + BEHIND);
    r.d_row = (float **)take(c, 2 * s.rows);
    r.d_out = (const float **)take(c, 2 * s.rows);
    return r;
}

/* One step of `samples` samples back. `room->d_memory` (rows, D) comes as the gradient of the memory after the step
 * and leaves as that of the memory before; d_appended (samples R, P) and d_share (samples, 2G) are written. */
static void step_backward(const problem *p, const matrices *w, backward_room *room, saved_state k, int64_t samples,
                          const float *input_hat, float *d_appended, float *d_share) {
    const parameters *v = &p->values;
    parameters *g = &room->gradients;
    factors *f = &room->factors;
    const step_room *r = &room->forward;
    const int64_t width = p->heads * p->value, projection = p->heads * (2 * p->key + p->value), gates = 2 * p->gate;
    const int64_t rows = samples * p->slots, all = p->slots + p->input_rows, size = p->slots * projection;

    if (f->used + rows > f->capacity) use_up(p, f, g);
    CHECK(f->used + rows <= f->capacity);
    float *start = f->start + f->used * width, *attended = f->attended + f->used * width;
    float *squashed = f->squashed + f->used * width, *d_gates = f->d_gates + f->used * gates;
    float *d_qkv = f->d_qkv + f->used * projection, *d_y = f->d_mlp[p->layers - 1] + f->used * width;
    memcpy(start, k.start, (size_t)(rows * width) * 4);

    /* gates: d_new becomes the gradient of what attention and MLP made, d_memory the part through the forget gate */
    float *d_new = room->d_memory;
    if (p->gate) {
        d_new = room->d_new;
        memset(d_share, 0, (size_t)(samples * gates) * 4);
        for (int64_t n = 0; n < rows; n++) {
            gain_and_bias(k.mlp_hat + n * width, width, v->mlp_norm, room->fresh);
            gate_backward(width, p->gate, k.gates + n * gates, room->fresh, start + n * width,
                          room->d_memory + n * width, d_gates + n * gates, d_share + n / p->slots * gates,
                          d_new + n * width);
        }
        product(d_gates, rows, w->gate_memory, NULL, room->d_input, 0, r->words);
        EACH_VECTOR(rows * width, {
            const vf y = hyperbolic_tangent(load_some(start + i, left));
            store_some(squashed + i, y, left);
            const vf d = load_some(room->d_input + i, left) * (1.0f - y * y) + load_some(room->d_memory + i, left);
            store_some(room->d_memory + i, d, left);
        });
    }

    /* norm, MLP and norm: d_attended becomes the gradient of memory + attended */
    for (int64_t n = 0; n < rows; n++) {
        normalise_backward(d_new + n * width, k.mlp_hat + n * width, k.mlp_rstd[n], width, v->mlp_norm.weight,
                           d_y + n * width, g->mlp_norm);
        gain_and_bias(k.attention_hat + n * width, width, v->attention_norm, attended + n * width);
    }
    memcpy(room->d_attended, d_y, (size_t)(rows * width) * 4);
    for (int64_t l = p->layers - 1; l > 0; l--) {
        float *hidden = f->hidden[l] + f->used * width, *d_hidden = f->d_mlp[l - 1] + f->used * width;
        product(f->d_mlp[l] + f->used * width, rows, w->mlp[l], NULL, d_hidden, 0, r->words);
        EACH_VECTOR(rows * width, {
            const vf y = load_some(k.hidden[l] + i, left);
            store_some(hidden + i, y, left);
            store_some(d_hidden + i, (vf)((vi)load_some(d_hidden + i, left) & ~(y <= 0.0f)), left);
        });
    }
    product(f->d_mlp[0] + f->used * width, rows, w->mlp[0], NULL, room->d_attended, ADD, r->words);
    for (int64_t n = 0; n < rows; n++)
        normalise_backward(room->d_attended + n * width, k.attention_hat + n * width, k.attention_rstd[n], width,
                           v->attention_norm.weight, room->d_attended + n * width, g->attention_norm);

    /* attention, norm and projection */
    restore_projections(p, r, samples, k.qkv_hat, input_hat);
    memset(d_appended, 0, (size_t)(samples * p->input_rows * projection) * 4); /* input rows do not ask */
    for (int64_t b = 0; b < samples; b++) {
        const int64_t more = b * p->input_rows * projection;
        point(p, r->row, r->projected + b * size, r->appended + more, projection);
        for (int64_t n = 0; n < p->slots; n++) {
            room->d_row[n] = room->d_projected + b * size + n * projection;
            room->d_out[n] = room->d_attended + (b * p->slots + n) * width;
        }
        for (int64_t n = 0; n < p->input_rows; n++) room->d_row[p->slots + n] = d_appended + more + n * projection;
        attend_backward(&r->attention, r->row, k.weights + b * p->heads * all * p->slots, room->d_out, room->d_row);
    }
    for (int64_t n = 0; n < rows; n++)
        normalise_backward(room->d_projected + n * projection, k.qkv_hat + n * projection, k.qkv_rstd[n],
                           projection, v->qkv_norm.weight, d_qkv + n * projection, g->qkv_norm);
    EACH_VECTOR(rows * width, {
        const vf d = load_some(room->d_attended + i, left);
        store_some(room->d_memory + i, p->gate ? d + load_some(room->d_memory + i, left) : d, left);
    });
    product(d_qkv, rows, w->qkv, NULL, room->d_memory, ADD, r->words);
    f->used += rows;
}

typedef struct {
    const problem *problem;
    const matrices *weights, *forward_weights; /* the latter to compute steps again */
    input_projections work;
    saved_state saved;
    float *cut;                  /* of this each thread has `room_size` floats */
    int64_t room_size;
    backward_room *rooms;        /* each thread's, cut by itself */
    float *d_appended, *d_share; /* (S, R, P), (S, 2G) */
    float *words;                /* as in `forward_job` */
} backward_job;

/* A thread's room, and its share of the blocks of samples, each back through all steps. */
static void backward_memories(const void *argument, int64_t thread) {
    const backward_job *job = argument;
    const problem *p = job->problem;
    const sizes s = sizes_of(p);
    const int64_t size = p->slots * s.width, input_size = p->input_rows * s.projection;
    backward_room *room = &job->rooms[thread];
    cursor c = {job->cut + thread * job->room_size, 0};
    *room = take_backward_room(&c, p);
    CHECK(c.used == job->room_size);
    for (int64_t block = thread; block < s.blocks; block += p->threads) {
        const int64_t first = block * s.samples;
        int64_t now = p->total + first;
        int64_t ran = 0;
        for (int64_t t = p->steps - 1; t >= 0; t--) {
            now -= p->batch_sizes[t];
            const int64_t samples = running(p, &s, block, t);
            if (!samples) continue;
            /* those that ended here start from the gradient of their last memory */
            float *d = room->d_memory, *joining = d + ran * size;
            if (p->d_last) memcpy(joining, p->d_last + (first + ran) * size, (size_t)((samples - ran) * size) * 4);
            else memset(joining, 0, (size_t)((samples - ran) * size) * 4);
            ran = samples;
            if (p->d_memories) add_up(d, p->d_memories + now * size, samples * size, 0);
            const saved_state k = saved_at(p, job->saved, room->forward.saved, now);
            if (p->keep == KEEP_MEMORIES)
                step(p, job->forward_weights, &room->forward, k, samples, job->work.hat + now * input_size,
                     job->work.gates + now * 2 * p->gate, room->d_input); /* the result is not needed */
            step_backward(p, job->weights, room, k, samples, job->work.hat + now * input_size,
                          job->d_appended + now * input_size, job->d_share + now * 2 * p->gate);
            for (int64_t b = 0; p->resets && b < samples; b++) {
                if (!p->resets[now + b]) continue;
                add_up(room->d_initial, d + b * size, size, 0);
                memset(d + b * size, 0, (size_t)size * 4);
            }
        }
        memcpy(p->d_memory + first * size, room->d_memory, (size_t)(ran * size) * 4);
    }
    use_up(p, &room->factors, &room->gradients);
}

/* A thread's share of the input projections. */
static void backward_inputs(const void *argument, int64_t thread) {
    const backward_job *job = argument;
    const problem *p = job->problem;
    const sizes s = sizes_of(p);
    backward_room *room = &job->rooms[thread];
    parameters *g = &room->gradients;
    float *outer = room->factors.outer, *words = room->forward.words;
    for (int64_t c = thread; c < s.chunks; c += p->threads) {
        const int64_t first = c * s.chunk, count = smaller(s.chunk, p->total - first);
        const int64_t row = first * p->input_rows, rows = count * p->input_rows;
        float *d_qkv = job->d_appended + row * s.projection, *d_share = job->d_share + first * 2 * p->gate;
        const float *x = job->work.rows + row * s.width, *hat = job->work.hat + row * s.projection;
        for (int64_t n = 0; n < rows; n++)
            normalise_backward(d_qkv + n * s.projection, hat + n * s.projection, job->work.rstd[row + n],
                               s.projection, p->values.qkv_norm.weight, d_qkv + n * s.projection, g->qkv_norm);
        add_linear(d_qkv, s.projection, x, s.width, rows, g->qkv, outer);
        product(d_qkv, rows, job->weights->qkv, NULL, room->d_rows, 0, words);
        if (p->gate) {
            add_linear(d_share, 2 * p->gate, x, p->input_rows * s.width, count, g->gate_input, outer);
            product(d_share, count, job->weights->gate_input, NULL, room->d_rows, ADD, words);
        }
        const float *inputs = p->inputs + row * p->features;
        add_linear(room->d_rows, s.width, inputs, p->features, rows, g->input_projection, outer);
        product(room->d_rows, rows, job->weights->input_projection, NULL, p->d_inputs + row * p->features, 0,
                words);
    }
}

/* A thread's share of the sums over what all threads have: the same sums, however they are shared. */
static void backward_sums(const void *argument, int64_t thread) {
    const backward_job *job = argument;
    const problem *p = job->problem;
    for (int64_t part = 0; part < p->threads; part++) {
        const addition a = {thread, p->threads, part == 0};
        add_gradients(p, &job->rooms[part].gradients, a);
        add_share(p->d_initial, job->rooms[part].d_initial, p->slots * p->heads * p->value, a);
    }
}

/* What all threads share, cut from the workspace; `forward` is needed where steps are computed again. */
static void take_shared(cursor *c, const problem *p, backward_job *job, matrices *weights, matrices *forward) {
    const sizes s = sizes_of(p);
    job->d_appended = take(c, p->total * p->input_rows * s.projection + BEHIND);
    job->d_share = take(c, p->total * 2 * p->gate + BEHIND);
    job->rooms = (backward_room *)take(c, p->threads * (int64_t)(sizeof(backward_room) / 4 + 1));
    *weights = backward_matrices(c, p);
    if (p->keep == KEEP_ALL) return;
    *forward = forward_matrices(c, p);
    job->words = take(c, p->threads * words_size(p));
    job->work = take_input_projections(c, p);
}

static int64_t backward_room_size(const problem *p) {
    cursor c = {NULL, 0};
    take_backward_room(&c, p);
    return c.used;
}

static int64_t backward_workspace(const problem *p) {
    cursor c = {NULL, 0};
    backward_job job;
    matrices weights, forward;
    take_shared(&c, p, &job, &weights, &forward);
    return c.used + p->threads * backward_room_size(p);
}

static void backward(const problem *p) {
    const sizes s = sizes_of(p);
    cursor saved = {p->saved, 0}, c = {p->workspace, 0};
    matrices weights, forward;
    backward_job job = {.problem = p, .weights = &weights, .forward_weights = &forward};
    job.saved = take_saved(&saved, p, &job.work);
    take_shared(&c, p, &job, &weights, &forward);
    job.cut = p->workspace + c.used;
    job.room_size = backward_room_size(p);
    CHECK(saved.used == saved_size(p));
    CHECK(c.used + p->threads * job.room_size == backward_workspace(p));
    if (p->keep == KEEP_MEMORIES) {
        const forward_job again = {.problem = p, .weights = &forward, .work = job.work, .words = job.words};
        run_threads(smaller(p->threads, s.chunks), forward_inputs, &again);
    }
    run_threads(p->threads, backward_memories, &job); /* those without a block have a room, too */
    run_threads(smaller(p->threads, s.chunks), backward_inputs, &job);
    run_threads(p->threads, backward_sums, &job);
}

#endif
