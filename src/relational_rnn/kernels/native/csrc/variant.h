/* Everything for one instruction set; the including file says NAME, VW (floats of a vector) and MR (rows of a
 * register tile). All functions but the table are private to that file. */
#include "backward.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

/* exp, tanh or sigmoid of an array, for tests of their accuracy. */
static void activate(int64_t which, int64_t count, const float *x, float *y) {
    EACH_VECTOR(count, {
        const vf v = load_some(x + i, left);
        store_some(y + i, which == 0 ? exponential(v) : which == 1 ? hyperbolic_tangent(v) : sigmoid(v), left);
    });
}

const variant JOIN(variant_, NAME) = {
    TEXT(NAME), saved_size, forward_workspace, backward_workspace, forward, backward, activate,
};
