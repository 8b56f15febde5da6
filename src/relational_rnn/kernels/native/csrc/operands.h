/* What the matrix products multiply: words of 32 bits, each one float32 or two bfloat16 that follow each other
 * along the axis that is summed over. Sums are float32 either way. */
#ifndef RELATIONAL_OPERANDS_H
#define RELATIONAL_OPERANDS_H

#include "vector.h"

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

#ifndef BFLOAT16

#define WORDS(depth) (depth)     /* words for so many numbers */
#define ROW_WORDS(depth) (depth) /* from one row of `as_words` to the next */
#define MULTIPLY_ADD(total, a, factor) ((total) + (a) * (factor))

/* Word k of a row. */
INLINE float word(const float *row, int64_t k, int64_t depth) {
    (void)depth;
    return row[k];
}

/* Words k of `count` <= VW neighbouring columns, whose rows are `step` apart. */
INLINE vf words(const float *columns, int64_t step, int64_t k, int64_t depth, int64_t count) {
    (void)depth;
    return load_some(columns + k * step, count);
}

/* All rows as words: in place, or in `room`. */
INLINE const float *as_words(const float *x, int64_t rows, int64_t depth, float *room) {
    (void)rows, (void)depth, (void)room;
    return x;
}

#else /* AVX-512 with its bfloat16 instructions */

#define WORDS(depth) (((depth) + 1) / 2)
#define ROW_WORDS(depth) (((depth) + 31) / 32 * 16)
#define MULTIPLY_ADD(total, a, factor) \
    ((vf)_mm512_dpbf16_ps((__m512)(total), (__m512bh)(a), (__m512bh)_mm512_set1_ps(factor)))

/* Words from the numbers that come first and second in them. */
INLINE vf join(vf low, vf high) {
    const __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)low));
    const __m512i odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)high));
    return (vf)_mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

INLINE float word(const float *row, int64_t k, int64_t depth) {
    return join(splat(row[2 * k]), splat(2 * k + 1 < depth ? row[2 * k + 1] : 0))[0];
}

INLINE vf words(const float *columns, int64_t step, int64_t k, int64_t depth, int64_t count) {
    const float *first = columns + 2 * k * step;
    return join(load_some(first, count), 2 * k + 1 < depth ? load_some(first + step, count) : (vf){0});
}

INLINE const float *as_words(const float *x, int64_t rows, int64_t depth, float *room) {
    for (int64_t r = 0; r < rows; r++, x += depth)
        for (int64_t k = 0; k < depth; k += 32) {
            const int64_t left = depth - k;
            const vf low = load_some(x + k, smaller(left, VW));
            const vf high = left > VW ? load_some(x + k + VW, smaller(left - VW, VW)) : (vf){0};
            store(room + r * ROW_WORDS(depth) + k / 2, (vf)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
        }
    return room;
}

#endif

#endif
