#define NAME avx2
#define VW 8
#define MR 6
#include "variant.h"
