/* What every processor of the architecture runs. */
#define NAME baseline
#define VW 4
#if defined(__x86_64__) || defined(__i386__)
#define MR 4 /* 16 registers */
#else
#define MR 8
#endif
#include "variant.h"
