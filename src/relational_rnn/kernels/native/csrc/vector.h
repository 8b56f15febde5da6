/* Vectors of VW floats (GCC and Clang vector extensions), and exp, tanh and the logistic sigmoid on them.
 *
 * Included once per instruction set with another VW. NaN and infinity come out as from libm. */
#ifndef RELATIONAL_VECTOR_H
#define RELATIONAL_VECTOR_H

/* What stops here is left out of the library (build.py). */
#if VW > 4 && !(defined(__AVX2__) && defined(__FMA__))
#error "this compiler makes code for another processor, or without AVX2"
#endif
#if VW > 4 && defined(_WIN32) && !defined(__clang__)
#error "GCC does not align the stack for wide vectors on Windows (its bug 54412)"
#endif

#include <stdint.h>
#include <string.h>
#if VW == 16
#include <immintrin.h> /* only for loads and stores of a part of a vector */
#endif

#include "check.h"

#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(4 * VW)));
typedef int32_t vi __attribute__((vector_size(4 * VW)));
typedef vf vf_anywhere __attribute__((aligned(4), may_alias));

INLINE vf splat(float x) { return x - (vf){0}; }
INLINE vf load(const float *p) { return *(const vf_anywhere *)p; }
INLINE void store(float *p, vf v) { *(vf_anywhere *)p = v; }

/* The first `left` floats, zeros behind them. With left = VW known at compile time these are `load` and `store`. */
INLINE vf load_some(const float *p, int64_t left) {
    if (left >= VW) return load(p);
#if VW == 16
    OURS(p, left);
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << left) - 1), p);
#else
    vf v = {0};
    for (int64_t i = 0; i < left; i++) v[i] = p[i];
    return v;
#endif
}

INLINE void store_some(float *p, vf v, int64_t left) {
    if (left >= VW) {
        store(p, v);
        return;
    }
#if VW == 16
    OURS(p, left);
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << left) - 1), (__m512)v);
#else
    for (int64_t i = 0; i < left; i++) p[i] = v[i];
#endif
}

/* v, but 0 from element `left` on. */
INLINE vf first_of(vf v, int64_t left) {
    if (left >= VW) return v;
    float lanes[VW];
    store(lanes, v);
    return load_some(lanes, left);
}

/* Run the body over n elements: `i` is where a vector starts, `left` how many of its elements count. */
#define EACH_VECTOR(n, ...)                                   \
    do {                                                      \
        int64_t i = 0;                                           \
        for (; i + VW <= (n); i += VW) {                      \
            const int64_t left = VW;                             \
            __VA_ARGS__                                       \
        }                                                     \
        if (i < (n)) {                                        \
            const int64_t left = (n) - i;                        \
            __VA_ARGS__                                       \
        }                                                     \
    } while (0)

INLINE vf pick(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vf larger(vf a, vf b) { return pick(a > b, a, b); }

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)
#endif
#endif
#ifndef SHUFFLE
#define SHUFFLE(v, ...) __builtin_shuffle(v, (vi){__VA_ARGS__})
#endif

/* Sum of all elements, by halves. */
INLINE float sum(vf v) {
#if VW == 16
    v += SHUFFLE(v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += SHUFFLE(v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3);
    v += SHUFFLE(v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
#elif VW == 8
    v += SHUFFLE(v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += SHUFFLE(v, 2, 3, 0, 1, 2, 3, 0, 1);
#else
    v += SHUFFLE(v, 2, 3, 0, 1);
#endif
    return v[0] + v[1];
}

#define ROUNDER 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */

/* Split x = n ln 2 + r with |r| <= ln 2 / 2; return exp(r) - 1, and 2^n through `power`. */
INLINE vf reduced_expm1(vf x, vf *power) {
    vf shifted = x * 1.44269504f + ROUNDER;
    vf n = shifted - ROUNDER;
    *power = (vf)(((vi)shifted + 127) << 23);
    vf r = x - n * 0.693359375f; /* ln 2 in two parts: the first has few bits, so the product is exact */
    r = r - n * -2.12194440e-4f;
    vf p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    return (p * r) * r + r;
}

/* exp(x) for x <= 88, which is for its callers to see to; 0 below -87, near the smallest normal number. */
INLINE vf exponential(vf x) {
    vf power, inside = pick(x < -87.0f, splat(-87.0f), x);
    vf y = reduced_expm1(inside, &power) * power + power;
    return pick(x < -87.0f, (vf){0}, y);
}

INLINE vf sigmoid(vf x) {
    x = pick(x < -87.0f, splat(-87.0f), x);
    return 1.0f / (1.0f + exponential(-x));
}

/* tanh|x| = -e / (2 + e) with e = exp(-2|x|) - 1, which keeps full accuracy near 0. */
INLINE vf hyperbolic_tangent(vf x) {
    const vi sign_bit = (vi){0} + INT32_MIN;
    vf power, z = -2.0f * (vf)((vi)x & ~sign_bit);
    z = pick(z < -20.0f, splat(-20.0f), z);
    vf e = reduced_expm1(z, &power) * power + (power - 1.0f);
    vf y = -e / (2.0f + e);
    return (vf)(((vi)y & ~sign_bit) | ((vi)x & sign_bit));
}

#endif
