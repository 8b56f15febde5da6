/* What a debug build (build.py, debug=True) verifies before and between the passes; nothing in any other.
 *
 * A check that fails prints one line and aborts. */
#ifndef RELATIONAL_CHECK_H
#define RELATIONAL_CHECK_H

#include "native.h"

#ifndef RELATIONAL_CHECK

#define CHECK(holds) ((void)0)
#define OURS(from, count) ((void)0)
#define FENCE(from, to) ((void)0)
#define check_sizes(p) ((void)0)
#define check_pointers(p, backward) ((void)0)

#else

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(holds)                                                                  \
    do {                                                                              \
        if (!(holds)) {                                                               \
            fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #holds); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* So many floats may be touched: for accesses that the compiler does not watch, those by intrinsics. */
#define OURS(from, count) CHECK(!__asan_region_is_poisoned((void *)(from), (size_t)(count) * 4))

/* From now on none of these floats may be touched, until their memory is given back. */
#define FENCE(from, to) __asan_poison_memory_region(from, (size_t)((to) - (from)) * 4)

#define WITHIN(x, low, high) CHECK((x) >= (low) && (x) <= (high))
#define ALIGNED(x, bytes) CHECK((uintptr_t)(x) % (bytes) == 0) /* or NULL */
#define PRESENT(x)     \
    do {               \
        CHECK(x);      \
        ALIGNED(x, 4); \
    } while (0)
#define LARGEST 2147483647 /* of any size: products of two of them do not overflow */

__attribute__((unused)) static void check_sizes(const problem *p) {
    WITHIN(p->features, 1, LARGEST);
    WITHIN(p->slots, 1, LARGEST);
    WITHIN(p->input_rows, 1, LARGEST);
    WITHIN(p->heads, 1, LARGEST);
    WITHIN(p->key, 1, LARGEST);
    WITHIN(p->value, 1, LARGEST);
    CHECK(p->gate == 0 || p->gate == 1 || p->gate == p->heads * p->value);
    WITHIN(p->layers, 1, MAX_LAYERS);
    WITHIN(p->steps, 1, LARGEST);
    WITHIN(p->batch, 1, LARGEST);
    WITHIN(p->total, 1, LARGEST);
    WITHIN(p->threads, 1, p->batch);
    WITHIN(p->keep, KEEP_NOTHING, KEEP_ALL);
    CHECK(p->batch_sizes);
    ALIGNED(p->batch_sizes, sizeof(int64_t));
    CHECK(p->batch_sizes[0] == p->batch);
    int64_t total = p->batch;
    for (int64_t t = 1; t < p->steps; t++) {
        WITHIN(p->batch_sizes[t], 1, p->batch_sizes[t - 1]);
        total += p->batch_sizes[t];
    }
    CHECK(total == p->total);
}

static void check_layer(layer l) {
    PRESENT(l.weight);
    PRESENT(l.bias);
}

static void check_layers(const problem *p, const parameters *x) {
    check_layer(x->input_projection);
    check_layer(x->qkv);
    check_layer(x->qkv_norm);
    check_layer(x->attention_norm);
    check_layer(x->mlp_norm);
    for (int64_t l = 0; l < p->layers; l++) check_layer(x->mlp[l]);
    if (p->gate) {
        check_layer(x->gate_input);
        check_layer(x->gate_memory);
    }
}

__attribute__((unused)) static void check_pointers(const problem *p, int backward) {
    check_layers(p, &p->values);
    PRESENT(p->inputs);
    CHECK(p->workspace);
    ALIGNED(p->workspace, 64); /* vectors are read from it as such */
    if (p->keep != KEEP_NOTHING) PRESENT(p->saved);
    if (!backward) {
        PRESENT(p->memory);
        PRESENT(p->initial);
        PRESENT(p->memories);
        PRESENT(p->last);
        return;
    }
    CHECK(p->keep != KEEP_NOTHING);
    ALIGNED(p->d_memories, 4);
    ALIGNED(p->d_last, 4);
    PRESENT(p->d_inputs);
    PRESENT(p->d_memory);
    PRESENT(p->d_initial);
    check_layers(p, &p->gradients);
}

#endif

#endif
