#define NAME avx512
#define VW 16
#define MR 8
#include "variant.h"
