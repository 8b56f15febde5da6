/* Small single-precision matrix products.
 *
 * Y = X W' and its like run over tiles of up to MR rows and 2 VW columns that stay in registers. The right-hand
 * side is packed beforehand into panels of 2 VW columns, each with its rows one after another. */
#ifndef RELATIONAL_GEMM_H
#define RELATIONAL_GEMM_H

#include "operands.h"

#define PANEL (2 * VW)
#ifdef __clang__ /* which passes over GCC's pragma: half as fast */
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { ADD = 1, RELU = 2 }; /* add to what Y holds; y = max(y, 0) */

/* A matrix of `depth` rows and `columns` columns as the right-hand side of a product. */
typedef struct {
    const float *packed;
    const float *plain; /* if `packed` is NULL: its transpose, row-major */
    int64_t depth, columns;
} matrix;

INLINE int64_t packed_size(int64_t depth, int64_t columns) { return divide_up(columns, PANEL) * PANEL * WORDS(depth); }

/* Pack the transpose of `w` (columns, depth): the right-hand side of X W'. */
static void pack_transposed(const float *w, int64_t depth, int64_t columns, float *to) {
    for (int64_t c0 = 0; c0 < columns; c0 += PANEL, to += PANEL * WORDS(depth)) {
        const int64_t count = smaller(PANEL, columns - c0);
        if (count < PANEL) memset(to, 0, (size_t)(PANEL * WORDS(depth)) * 4);
        for (int64_t k0 = 0; k0 < WORDS(depth); k0 += 16)
            for (int64_t c = 0; c < count; c++)
                for (int64_t k = k0; k < smaller(k0 + 16, WORDS(depth)); k++)
                    to[k * PANEL + c] = word(w + (c0 + c) * depth, k, depth);
    }
}

/* Pack `count` <= PANEL columns of `w`, whose rows are `step` apart, into one panel. */
static void pack_panel(const float *w, int64_t step, int64_t depth, int64_t count, float *to) {
    for (int64_t k = 0; k < WORDS(depth); k++, to += PANEL)
        for (int64_t half = 0; half < PANEL; half += VW) {
            const int64_t left = count - half;
            store(to + half, left > 0 ? words(w + half, step, k, depth, smaller(left, VW)) : (vf){0});
        }
}

/* Pack `w` (depth, columns) as it is: the right-hand side of Y W. */
static void pack(const float *w, int64_t depth, int64_t columns, float *to) {
    for (int64_t c = 0; c < columns; c += PANEL, to += PANEL * WORDS(depth))
        pack_panel(w + c, columns, depth, smaller(PANEL, columns - c), to);
}

/* One tile: y (rows, count) = sum over the words k of x[r * row_step + k * depth_step] * panel[k]. */
INLINE void tile(const int rows, const float *x, int64_t row_step, int64_t depth_step, const float *panel,
                 int64_t depth, const float *bias, float *y, int64_t y_step, int64_t count, int how) {
    vf left[MR], right[MR];
    UNROLL for (int r = 0; r < rows; r++) left[r] = right[r] = (vf){0};
    for (int64_t k = 0; k < depth; k++) {
        const vf a = load(panel + k * PANEL), b = load(panel + k * PANEL + VW);
        UNROLL for (int r = 0; r < rows; r++) {
            const float factor = x[r * row_step + k * depth_step];
            left[r] = MULTIPLY_ADD(left[r], a, factor);
            right[r] = MULTIPLY_ADD(right[r], b, factor);
        }
    }
    const int64_t left_count = smaller(count, VW), right_count = count - left_count;
    if (bias) {
        const vf a = load_some(bias, left_count);
        const vf b = right_count ? load_some(bias + VW, right_count) : (vf){0};
        UNROLL for (int r = 0; r < rows; r++) {
            left[r] += a;
            right[r] += b;
        }
    }
    if (how & ADD) {
        UNROLL for (int r = 0; r < rows; r++) {
            left[r] += load_some(y + r * y_step, left_count);
            if (right_count) right[r] += load_some(y + r * y_step + VW, right_count);
        }
    }
    if (how & RELU) { /* not larger(x, 0): NaN has to stay */
        UNROLL for (int r = 0; r < rows; r++) {
            left[r] = (vf)((vi)left[r] & ~(left[r] < 0.0f));
            right[r] = (vf)((vi)right[r] & ~(right[r] < 0.0f));
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        store_some(y + r * y_step, left[r], left_count);
        if (right_count) store_some(y + r * y_step + VW, right[r], right_count);
    }
}

/* One function for each height of a tile: its loops over rows are unrolled. */
#define UP_TO_4(CALL) \
    case 4: CALL(4); break; case 3: CALL(3); break; case 2: CALL(2); break; case 1: CALL(1); break;
#define UP_TO_6(CALL) case 6: CALL(6); break; case 5: CALL(5); break; UP_TO_4(CALL)
#define UP_TO_8(CALL) case 8: CALL(8); break; case 7: CALL(7); break; UP_TO_6(CALL)
#if MR == 8
#define TILE_CASES UP_TO_8
#elif MR == 6
#define TILE_CASES UP_TO_6
#else
#define TILE_CASES UP_TO_4
#endif

static void row_tile(int64_t rows, const float *x, int64_t x_step, const float *panel, int64_t depth, const float *bias,
                     float *y, int64_t y_step, int64_t count, int how) {
#define CALL(n) tile(n, x, x_step, 1, panel, depth, bias, y, y_step, count, how)
    switch (rows) { TILE_CASES(CALL) }
#undef CALL
}

static void outer_tile(int64_t rows, const float *x, const float *panel, int64_t depth, float *y, int64_t y_step,
                       int64_t count) {
#define CALL(n) tile(n, x, 1, MR, panel, depth, NULL, y, y_step, count, ADD)
    switch (rows) { TILE_CASES(CALL) }
#undef CALL
}

/* Y (rows, columns) = X w' row by row, for few rows: a sum along k for every element, nothing packed. */
static void product_of_few_rows(const float *x, int64_t rows, matrix w, const float *bias, float *y, int how) {
    enum { TALL = 4 };
    for (int64_t r0 = 0; r0 < rows; r0 += TALL) {
        const int64_t count = smaller(TALL, rows - r0);
        for (int64_t c = 0; c < w.columns; c += 2) {
            const float *w0 = w.plain + c * w.depth, *w1 = w0 + (c + 1 < w.columns ? w.depth : 0);
            vf first[TALL] = {0}, second[TALL] = {0};
            EACH_VECTOR(w.depth, {
                const vf a = load_some(w0 + i, left), b = load_some(w1 + i, left);
                UNROLL for (int64_t r = 0; r < TALL; r++) { /* rows that are not there: the first, again */
                    const vf factor = load_some(x + (r0 + (r < count ? r : 0)) * w.depth + i, left);
                    first[r] += a * factor;
                    second[r] += b * factor;
                }
            });
            for (int64_t r = 0; r < count; r++) {
                float *out = y + (r0 + r) * w.columns + c;
                const float sums[2] = {sum(first[r]), sum(second[r])};
                for (int64_t j = 0; j < smaller(2, w.columns - c); j++) {
                    const float v = sums[j] + (bias ? bias[c + j] : 0) + (how & ADD ? out[j] : 0);
                    out[j] = how & RELU && v < 0 ? 0 : v;
                }
            }
        }
    }
}

/* Y (rows, columns) = X (rows, depth) W + bias; `how` is 0 or ADD, RELU or both. `room`: rows * ROW_WORDS(depth). */
static void product(const float *x, int64_t rows, matrix w, const float *bias, float *y, int how, float *room) {
    if (!rows) return;
    if (!w.packed) {
        product_of_few_rows(x, rows, w, bias, y, how);
        return;
    }
    const int64_t depth = WORDS(w.depth), step = ROW_WORDS(w.depth);
    const float *words = as_words(x, rows, w.depth, room);
    const int64_t tiles = divide_up(rows, MR), height = divide_up(rows, tiles); /* tiles of about equal height */
    for (int64_t c = 0; c < w.columns; c += PANEL)
        for (int64_t r = 0; r < rows; r += height)
            row_tile(smaller(height, rows - r), words + r * step, step, w.packed + c * depth, depth,
                     bias ? bias + c : NULL, y + r * w.columns + c, w.columns, smaller(PANEL, w.columns - c),
                     how);
}

static int64_t outer_workspace(int64_t rows, int64_t a_columns) {
    return WORDS(rows) * (PANEL + divide_up(a_columns, MR) * MR) + VW;
}

#define BEHIND 16 /* floats behind A below that are read with it, in whole vectors */

/* C (a_columns, b_columns) += A' B for A (rows, a_columns) and B (rows, b_columns): gradients of weights. */
static void add_outer_product(const float *a, int64_t a_columns, const float *b, int64_t b_columns, int64_t rows,
                              float *c, float *workspace) {
    const int64_t depth = WORDS(rows);
    float *b_panel = workspace, *a_tiles = workspace + depth * PANEL;
    const int64_t tiles = divide_up(a_columns, MR), height = divide_up(a_columns, tiles);
    /* Whole vectors: what they carry too much is overwritten by what comes next. */
    for (int64_t j = 0; j * height < a_columns; j++)
        for (int64_t k = 0; k < depth; k++)
            for (int64_t r = 0; r < MR; r += VW)
                store(a_tiles + (j * depth + k) * MR + r, words(a + j * height + r, a_columns, k, rows, VW));
    for (int64_t column = 0; column < b_columns; column += PANEL) {
        const int64_t count = smaller(PANEL, b_columns - column);
        pack_panel(b + column, b_columns, rows, count, b_panel);
        for (int64_t j = 0; j * height < a_columns; j++)
            outer_tile(smaller(height, a_columns - j * height), a_tiles + j * depth * MR, b_panel, depth,
                       c + j * height * b_columns + column, b_columns, count);
    }
}

/* total (columns) += the rows of A: gradients of biases. */
static void add_rows(const float *a, int64_t columns, int64_t rows, float *total) {
    EACH_VECTOR(columns, {
        vf v = load_some(total + i, left);
        for (int64_t k = 0; k < rows; k++) v += load_some(a + k * columns + i, left);
        store_some(total + i, v, left);
    });
}

#endif
