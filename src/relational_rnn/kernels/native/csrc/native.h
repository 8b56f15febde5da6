/* What Python and C say to each other: kept in step with kernels/native/library.py.
 *
 * Letters: F input features, N slots, R input rows, M = N + R, H heads, K key and V value size, D = H V,
 * P = H (2K + V), G gate width, L layers of the MLP, T steps, B samples, S = sum of the batch sizes.
 * All matrices are row-major without gaps. Sizes are int64_t everywhere: `long` has 32 bits on Windows. */
#ifndef RELATIONAL_NATIVE_H
#define RELATIONAL_NATIVE_H

#include <stdint.h>

#define MAX_LAYERS 8

/* A linear layer, or the gain and bias of a layer norm; or their gradients. */
typedef struct {
    float *weight, *bias;
} layer;

typedef struct {
    layer input_projection, qkv, qkv_norm, attention_norm, mlp_norm, gate_input, gate_memory;
    layer mlp[MAX_LAYERS];
} parameters;

/* What a step keeps for its backward, each array for all S samples, step after step. */
typedef struct {
    float *start;                          /* (S, N, D) memory before the step, after resets */
    float *qkv_hat, *qkv_rstd;             /* (S, N, P) normalised without gain and bias; (S, N) 1 / deviation */
    float *weights;                        /* (S, H, M, N) attention */
    float *attention_hat, *attention_rstd; /* (S, N, D), (S, N) */
    float *hidden[MAX_LAYERS];             /* (S, N, D) inputs of the MLP's layers but the first */
    float *mlp_hat, *mlp_rstd;             /* (S, N, D), (S, N) */
    float *gates;                          /* (S, N, 2G) after the sigmoid */
} saved_state;

/* For the backward: nothing, as there is none; the memory before each step, from which backward computes all
 * again; everything. */
enum { KEEP_NOTHING, KEEP_MEMORIES, KEEP_ALL };

typedef struct {
    int64_t features, slots, input_rows, heads, key, value, gate, layers, steps, batch, total, threads;
    int64_t keep; /* one of the following */
    float input_bias, forget_bias;
    const int64_t *batch_sizes; /* (T) */
    const float *inputs;        /* (S, R, F) */
    const float *memory;        /* (B, N, D) */
    const float *initial;       /* (N, D) */
    const uint8_t *resets;      /* (S) or NULL */
    parameters values;
    float *memories, *last; /* (S, N, D), (B, N, D) */
    float *saved;           /* saved_size floats: from forward to backward */
    float *workspace;       /* forward_workspace or backward_workspace floats */
    /* backward only */
    const float *d_memories, *d_last; /* or NULL */
    float *d_inputs, *d_memory, *d_initial;
    parameters gradients;
} problem;

/* One instruction set's code. */
typedef struct {
    const char *name;
    int64_t (*saved)(const problem *);
    int64_t (*forward_workspace)(const problem *);
    int64_t (*backward_workspace)(const problem *);
    void (*forward)(const problem *);
    void (*backward)(const problem *);
    void (*activate)(int64_t which, int64_t count, const float *x, float *y);
} variant;

/* threads.c: call `work(argument, thread)` for every thread number; the caller's thread takes part. */
void run_threads(int64_t threads, void (*work)(const void *argument, int64_t thread), const void *argument);

/* threads.c: from now on take the threads of an OpenMP runtime: its GOMP_parallel, omp_get_thread_num and
 * omp_get_num_threads. NULL: new threads for every call. */
void use_team(void *start, void *number, void *size);

#endif
