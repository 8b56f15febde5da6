/* The row-wise parts of a step and their derivatives: layer norm, attention between slots, gates.
 *
 * Equations: relational_rnn/reference (layer_norm.py, attention.py, gates.py). */
#ifndef RELATIONAL_ROWS_H
#define RELATIONAL_ROWS_H

#include <math.h>

#include "gemm.h"
#include "native.h"

#define EPSILON 1e-5f

/* hat = (x + residual - mean) / deviation; returns rstd, 1 / deviation. */
INLINE float standardise(const float *x, const float *residual, int64_t n, float *hat) {
    vf total = {0};
    EACH_VECTOR(n, {
        vf v = load_some(x + i, left);
        if (residual) v += load_some(residual + i, left);
        store_some(hat + i, v, left);
        total += v;
    });
    const float mean = sum(total) / (float)n;
    vf squares = {0};
    EACH_VECTOR(n, {
        const vf v = first_of(load_some(hat + i, left) - mean, left);
        squares += v * v;
    });
    const float rstd = 1.0f / sqrtf(sum(squares) / (float)n + EPSILON);
    EACH_VECTOR(n, { store_some(hat + i, (load_some(hat + i, left) - mean) * rstd, left); });
    return rstd;
}

/* y = gain hat + bias */
INLINE void gain_and_bias(const float *hat, int64_t n, layer norm, float *y) {
    EACH_VECTOR(n, {
        const vf scaled = load_some(hat + i, left) * load_some(norm.weight + i, left);
        store_some(y + i, scaled + load_some(norm.bias + i, left), left);
    });
}

/* Layer norm of `rows` rows of x + residual (or NULL): what backward needs and y, which may be x. */
static void normalise(const float *x, const float *residual, int64_t rows, int64_t n, layer norm, float *hat,
                      float *rstd, float *y) {
    for (int64_t r = 0; r < rows; r++) {
        rstd[r] = standardise(x + r * n, residual ? residual + r * n : NULL, n, hat + r * n);
        gain_and_bias(hat + r * n, n, norm, y + r * n);
    }
}

/* dx = (g - mean(g) - hat mean(g hat)) / deviation with g = gain dy; adds to the gradients. dx may be dy. */
INLINE void normalise_backward(const float *dy, const float *hat, float rstd, int64_t n, const float *gain, float *dx,
                               layer gradient) {
    vf plain = {0}, along = {0};
    EACH_VECTOR(n, {
        const vf d = load_some(dy + i, left), h = load_some(hat + i, left), g = d * load_some(gain + i, left);
        const vf dh = d * h;
        plain += g;
        along += g * h;
        store_some(gradient.weight + i, load_some(gradient.weight + i, left) + dh, left);
        store_some(gradient.bias + i, load_some(gradient.bias + i, left) + d, left);
    });
    const float mean = sum(plain) / (float)n, share = sum(along) / (float)n;
    EACH_VECTOR(n, {
        const vf g = load_some(dy + i, left) * load_some(gain + i, left);
        store_some(dx + i, (g - mean - load_some(hat + i, left) * share) * rstd, left);
    });
}

/* products[m] (lanes) = sum over k of row_m[k] * columns[k] (lanes), for `count` rows. */
INLINE void dots(const float *const *row, int64_t offset, int64_t count, const float *columns, int64_t width,
                 vf *products) {
    int64_t m = 0;
    for (; m + 4 <= count; m += 4) {
        const float *a = row[m] + offset, *b = row[m + 1] + offset, *c = row[m + 2] + offset, *d = row[m + 3] + offset;
        vf p = {0}, q = {0}, r = {0}, s = {0};
        for (int64_t k = 0; k < width; k++) {
            const vf v = load(columns + k * VW);
            p += v * a[k];
            q += v * b[k];
            r += v * c[k];
            s += v * d[k];
        }
        products[m] = p, products[m + 1] = q, products[m + 2] = r, products[m + 3] = s;
    }
    for (; m < count; m++) {
        const float *a = row[m] + offset;
        vf p = {0}, q = {0};
        int64_t k = 0;
        for (; k + 2 <= width; k += 2) {
            p += load(columns + k * VW) * a[k];
            q += load(columns + (k + 1) * VW) * a[k + 1];
        }
        if (k < width) p += load(columns + k * VW) * a[k];
        products[m] = p + q;
    }
}

/* out_j = sum over i of factor[j * j_step + i * i_step] * row_i, for j < outs; added to what is there if `add`. */
INLINE void mix(float *const *out, int64_t out_offset, int64_t outs, const float *factor, int64_t j_step,
                int64_t i_step, const float *const *row, int64_t offset, int64_t rows, int64_t width, int add) {
    for (int64_t j = 0; j < outs; j += 4) {
        const int64_t count = smaller(4, outs - j);
        const float *f0 = factor + j * j_step, *f1 = f0 + (count > 1) * j_step, *f2 = f1 + (count > 2) * j_step,
                    *f3 = f2 + (count > 3) * j_step;
        EACH_VECTOR(width, {
            vf made[4] = {{0}};
            for (int64_t m = 0; m < rows; m++) {
                const vf v = load_some(row[m] + offset + i, left);
                made[0] += v * f0[m * i_step];
                made[1] += v * f1[m * i_step];
                made[2] += v * f2[m * i_step];
                made[3] += v * f3[m * i_step];
            }
            UNROLL for (int64_t c = 0; c < 4; c++) {
                if (c >= count) break;
                float *to = out[j + c] + out_offset + i;
                store_some(to, add ? made[c] + load_some(to, left) : made[c], left);
            }
        });
    }
}

/* columns[k] (lanes) = scale * row_n[k] for the `count` <= VW rows from the first; other lanes as they were. */
INLINE void turn(const float *const *row, int64_t offset, int64_t count, int64_t width, float scale, float *columns) {
    for (int64_t n = 0; n < count; n++) {
        const float *from = row[n] + offset;
        for (int64_t k = 0; k < width; k++) columns[k * VW + n] = from[k] * scale;
    }
}

/* Attention of one sample: `row` holds the M rows' normed queries, keys and values, the slots first. */
typedef struct {
    int64_t slots, rows, heads, key, value;
    float *columns; /* max(K, V) * VW, zeros where a lane has no slot */
    vf *scores, *changes; /* M each */
} attention_sizes;

/* weights (H, M, N); out_n (D) are written. Lanes are slots: no sum runs across a vector. */
static void attend(const attention_sizes *s, const float *const *row, float *weights, float *const *out) {
    const float scale = 1.0f / sqrtf((float)s->key);
    for (int64_t h = 0; h < s->heads; h++, weights += s->rows * s->slots) {
        const int64_t query = h * (2 * s->key + s->value), key = query + s->key, value = key + s->key;
        for (int64_t n = 0; n < s->slots; n += VW) {
            const int64_t count = smaller(VW, s->slots - n);
            turn(row + n, query, count, s->key, scale, s->columns);
            dots(row, key, s->rows, s->columns, s->key, s->scores);
            vf peak = s->scores[0], total = {0};
            for (int64_t m = 1; m < s->rows; m++) peak = larger(s->scores[m], peak);
            for (int64_t m = 0; m < s->rows; m++) total += s->scores[m] = exponential(s->scores[m] - peak);
            const vf inverse = 1.0f / total;
            for (int64_t m = 0; m < s->rows; m++) {
                s->scores[m] *= inverse;
                store_some(weights + m * s->slots + n, s->scores[m], count);
            }
            mix(out + n, h * s->value, count, (const float *)s->scores, 1, VW, row, value, s->rows, s->value, 0);
        }
    }
}

/* From d_out_n (D) the gradients d_row_m (P) of the queries (slots only), keys and values. */
static void attend_backward(const attention_sizes *s, const float *const *row, const float *weights,
                            const float *const *d_out, float *const *d_row) {
    const float scale = 1.0f / sqrtf((float)s->key);
    for (int64_t h = 0; h < s->heads; h++, weights += s->rows * s->slots) {
        const int64_t query = h * (2 * s->key + s->value), key = query + s->key, value = key + s->key;
        for (int64_t n = 0; n < s->slots; n += VW) {
            const int64_t count = smaller(VW, s->slots - n);
            turn(d_out + n, h * s->value, count, s->value, 1.0f, s->columns);
            dots(row, value, s->rows, s->columns, s->value, s->changes);
            vf total = {0};
            for (int64_t m = 0; m < s->rows; m++) {
                s->scores[m] = load_some(weights + m * s->slots + n, count);
                total += s->scores[m] * s->changes[m];
            }
            for (int64_t m = 0; m < s->rows; m++) s->changes[m] = s->scores[m] * (s->changes[m] - total) * scale;
            const float *probability = (const float *)s->scores, *change = (const float *)s->changes;
            mix(d_row + n, query, count, change, 1, VW, row, key, s->rows, s->key, 0);
            mix(d_row, key, s->rows, change, VW, 1, row + n, query, count, s->key, n > 0);
            mix(d_row, value, s->rows, probability, VW, 1, d_out + n, h * s->value, count, s->value, n > 0);
        }
    }
}

/* next = sigmoid(i) tanh(new) + sigmoid(f) memory for one slot. `gates` holds the memory's share of i and f (G each)
 * and leaves with the sigmoids; `share` is the input's. G is D or 1. */
INLINE void gate(int64_t width, int64_t gate_width, float *gates, const float *share, float input_bias,
                 float forget_bias, const float *fresh, const float *memory, float *next) {
    if (gate_width == 1) {
        for (int j = 0; j < 2; j++) gates[j] = sigmoid(splat(gates[j] + share[j] + (j ? forget_bias : input_bias)))[0];
        const float in = gates[0], forget = gates[1];
        EACH_VECTOR(width, {
            const vf y = hyperbolic_tangent(load_some(fresh + i, left)) * in + load_some(memory + i, left) * forget;
            store_some(next + i, y, left);
        });
        return;
    }
    float *forget_gates = gates + gate_width;
    const float *forget_share = share + gate_width;
    EACH_VECTOR(width, {
        const vf in = sigmoid(load_some(gates + i, left) + load_some(share + i, left) + input_bias);
        const vf forget = sigmoid(load_some(forget_gates + i, left) + load_some(forget_share + i, left) + forget_bias);
        store_some(gates + i, in, left);
        store_some(forget_gates + i, forget, left);
        const vf y = hyperbolic_tangent(load_some(fresh + i, left)) * in + load_some(memory + i, left) * forget;
        store_some(next + i, y, left);
    });
}

/* From d (of next) the gradients of i and f (added to the input's share too), of `fresh`, and, instead of d, that of
 * the memory through the forget gate. */
INLINE void gate_backward(int64_t width, int64_t gate_width, const float *gates, const float *fresh,
                          const float *memory, float *d, float *d_gates, float *d_share, float *d_fresh) {
    vf in_total = {0}, forget_total = {0};
    const int single = gate_width == 1;
    EACH_VECTOR(width, {
        const vf in = single ? splat(gates[0]) : load_some(gates + i, left);
        const vf forget = single ? splat(gates[1]) : load_some(gates + gate_width + i, left);
        const vf candidate = hyperbolic_tangent(load_some(fresh + i, left));
        const vf dy = load_some(d + i, left);
        const vf d_in = dy * candidate * (in * (1.0f - in));
        const vf d_forget = dy * load_some(memory + i, left) * (forget * (1.0f - forget));
        if (single) {
            in_total += d_in;
            forget_total += d_forget;
        } else {
            store_some(d_gates + i, d_in, left);
            store_some(d_gates + gate_width + i, d_forget, left);
            store_some(d_share + i, load_some(d_share + i, left) + d_in, left);
            store_some(d_share + gate_width + i, load_some(d_share + gate_width + i, left) + d_forget, left);
        }
        store_some(d_fresh + i, dy * in * (1.0f - candidate * candidate), left);
        store_some(d + i, dy * forget, left);
    });
    if (single) {
        d_share[0] += d_gates[0] = sum(in_total);
        d_share[1] += d_gates[1] = sum(forget_total);
    }
}

#endif
