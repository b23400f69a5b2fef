/* Which vector width the kernels use: chosen once by the processor, narrower on request. */
#ifndef TINYSEG_DISPATCH_H
#define TINYSEG_DISPATCH_H

#if defined(_WIN32)
#define TINYSEG_EXPORT __declspec(dllexport)
#else
#define TINYSEG_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__) && defined(__x86_64__) && !defined(TINYSEG_PORTABLE)
#define TINYSEG_X86_WIDTHS 1
#else
#define TINYSEG_X86_WIDTHS 0
#endif

/* The base is whatever the compiler targets without being asked: 4 lanes (SSE2, NEON), or plain C
   where the compiler has no vector types. */
enum { TINYSEG_BASE = 0, TINYSEG_AVX2 = 1, TINYSEG_AVX512 = 2 };

/* The widest level this processor and build can run. */
TINYSEG_EXPORT int tinyseg_best_level(void);

/* The level in use. */
TINYSEG_EXPORT int tinyseg_level(void);

/* Uses a level from now on; gives back the level in use, which is no wider than the best. */
TINYSEG_EXPORT int tinyseg_use_level(int level);

/* Calls FUNCTION of the level in use; a kernel header included by each_width.h defines it as
   FN(FUNCTION). */
#if TINYSEG_X86_WIDTHS
#define TINYSEG_DISPATCH(function, ...)                                                            \
    do {                                                                                           \
        switch (tinyseg_level()) {                                                                 \
        case TINYSEG_AVX512: function##_avx512(__VA_ARGS__); break;                                \
        case TINYSEG_AVX2: function##_avx2(__VA_ARGS__); break;                                    \
        default: function##_base(__VA_ARGS__);                                                     \
        }                                                                                          \
    } while (0)
#else
#define TINYSEG_DISPATCH(function, ...) function##_base(__VA_ARGS__)
#endif

#endif
