/* Includes the file named by KERNEL once for every vector width of this build.

   The kernel is written against vector.h and defines each of its functions as FN(name), which is
   name_base, name_avx2 or name_avx512; TINYSEG_DISPATCH calls the one in use. */
#include <stdint.h>
#include <string.h>

#include "dispatch.h"

#if TINYSEG_X86_WIDTHS
#include <immintrin.h>
#endif

#define TINYSEG_JOIN2(name, suffix) name##_##suffix
#define TINYSEG_JOIN(name, suffix) TINYSEG_JOIN2(name, suffix)
#define FN(name) TINYSEG_JOIN(name, SUFFIX)

#if defined(__GNUC__) && !defined(TINYSEG_PORTABLE)
#define LANES 4
#else
#define LANES 1
#endif
#define SUFFIX base
#include "vector.h"
#include KERNEL
#undef SUFFIX
#undef LANES

#if TINYSEG_X86_WIDTHS
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#define SUFFIX avx2
#include "vector.h"
#include KERNEL
#undef SUFFIX
#undef LANES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))),        \
    apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define LANES 16
#define SUFFIX avx512
#include "vector.h"
#include KERNEL
#undef SUFFIX
#undef LANES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
