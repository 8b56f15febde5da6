/* Products of bfloat16 numbers; everything else as in avx512.c. */
#define NAME avx512_bf16
#define VW 16
#define MR 8
#define BFLOAT16
#include "variant.h"
