/* What every processor of the architecture runs: SSE2 on x86-64, NEON on 64-bit Arm, elsewhere what the compiler makes
 * of vectors of four floats. */
#define NAME baseline
#define VW 4
#ifdef __aarch64__
#define MR 8 /* 32 registers */
#else
#define MR 4
#endif
#include "variant.h"
