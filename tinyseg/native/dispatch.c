#include "dispatch.h"

static int level = -1;

int tinyseg_best_level(void)
{
#if TINYSEG_X86_WIDTHS
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return TINYSEG_BASE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw"))
        return TINYSEG_AVX2;
    return TINYSEG_AVX512;
#else
    return TINYSEG_BASE;
#endif
}

int tinyseg_level(void)
{
    if (level < 0)
        level = tinyseg_best_level();
    return level;
}

int tinyseg_use_level(int wanted)
{
    int best = tinyseg_best_level();
    level = wanted < TINYSEG_BASE || wanted > best ? best : wanted;
    return level;
}
