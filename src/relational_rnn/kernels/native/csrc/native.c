/* The functions that Python calls: the choice of an instruction set, and one call for a whole sequence. */
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "native.h"

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum { MOST = 4 };

extern const variant variant_baseline;
#ifdef HAVE_AVX512
extern const variant variant_avx512;
#endif
#ifdef HAVE_AVX512_BF16
extern const variant variant_avx512_bf16;
#endif
#ifdef HAVE_AVX2
extern const variant variant_avx2;
#endif

#ifdef HAVE_AVX512
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

/* Fill `found` with what was compiled and this processor runs: the fastest first, then those of less precision. */
static int variants(const variant **found) {
    int count = 0;
#ifdef HAVE_AVX512
    if (has_avx512()) found[count++] = &variant_avx512;
#endif
#ifdef HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found[count++] = &variant_avx2;
#endif
    found[count++] = &variant_baseline;
#ifdef HAVE_AVX512_BF16
    if (has_avx512() && __builtin_cpu_supports("avx512bf16")) found[count++] = &variant_avx512_bf16;
#endif
    return count;
}

static const variant *choose(int64_t number) {
    const variant *found[MOST];
    CHECK(number >= 0);
    return number < variants(found) ? found[number] : NULL;
}

/* Name of the instruction set `number`, 0 being the fastest; NULL after the last. */
EXPORT const char *relational_variant(int64_t number) {
    const variant *v = choose(number);
    return v ? v->name : NULL;
}

/* Size of `problem`: tells whether Python's idea of it is this library's. */
EXPORT int64_t relational_problem_size(void) { return (int64_t)sizeof(problem); }

/* Floats needed for `saved` and for `workspace`, forward and backward. */
EXPORT void relational_sizes(int64_t number, const problem *p, int64_t *sizes) {
    const variant *v = choose(number);
    CHECK(v);
    check_sizes(p);
    sizes[0] = v->saved(p);
    sizes[1] = v->forward_workspace(p);
    sizes[2] = v->backward_workspace(p);
}

/* See `use_team`. */
EXPORT void relational_use_team(void *start, void *number, void *size) { use_team(start, number, size); }

EXPORT void relational_forward(int64_t number, const problem *p) {
    const variant *v = choose(number);
    CHECK(v);
    check_sizes(p);
    check_pointers(p, 0);
    v->forward(p);
}

EXPORT void relational_backward(int64_t number, const problem *p) {
    const variant *v = choose(number);
    CHECK(v);
    check_sizes(p);
    check_pointers(p, 1);
    v->backward(p);
}

/* exp (0), tanh (1) or the logistic sigmoid (2) of `count` numbers. */
EXPORT void relational_activate(int64_t number, int64_t which, int64_t count, const float *x, float *y) {
    choose(number)->activate(which, count, x, y);
}
