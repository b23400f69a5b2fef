/* A vector of LANES floats; included once per width by each_width.h, so without a guard.

   vf is the vector, vi one of as many integers; + - * / work on both, also where LANES is 1 and
   they are plain numbers. */
#define vf FN(vf)
#define vi FN(vi)
#define v_set FN(v_set)
#define v_load FN(v_load)
#define v_store FN(v_store)
#define v_load_part FN(v_load_part)
#define v_store_part FN(v_store_part)
#define v_if_more FN(v_if_more)
#define v_max FN(v_max)
#define v_min FN(v_min)
#define v_sum FN(v_sum)
#define v_exp2 FN(v_exp2)
#define v_exp FN(v_exp)
#define v_sigmoid FN(v_sigmoid)
#define v_softplus FN(v_softplus)

#if LANES > 1
typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef float FN(vf_unaligned) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline, unused))
#else
typedef float vf;
typedef int32_t vi;
#if defined(__GNUC__)
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline
#endif
#endif

#undef PREFETCH
#undef UNROLL
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif
#if defined(__GNUC__)
/* Clang wants a constant before it has looked into inline functions. */
#define PREFETCH(address, write)                                                                   \
    ((write) ? __builtin_prefetch(address, 1) : __builtin_prefetch(address, 0))
#else
#define PREFETCH(address, write) ((void)(address))
#endif

INLINE vf v_set(float value)
{
#if LANES > 1
    return value - (vf){0};
#else
    return value;
#endif
}

INLINE vf v_load(const float *from)
{
#if LANES > 1
    return *(const FN(vf_unaligned) *)from;
#else
    return *from;
#endif
}

INLINE void v_store(float *to, vf value)
{
#if LANES > 1
    *(FN(vf_unaligned) *)to = value;
#else
    *to = value;
#endif
}

/* The first COUNT lanes; nothing beyond them is read, the others are 0. */
INLINE vf v_load_part(const float *from, long count)
{
    if (count >= LANES)
        return v_load(from);
#if LANES == 16
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
    vf value = v_set(0);
    memcpy(&value, from, (size_t)count * sizeof(float));
    return value;
#endif
}

/* Writes the first COUNT lanes and nothing beyond them. */
INLINE void v_store_part(float *to, vf value, long count)
{
    if (count >= LANES) {
        v_store(to, value);
        return;
    }
#if LANES == 16
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), value);
#else
    memcpy(to, &value, (size_t)count * sizeof(float));
#endif
}

/* THEN where a > b, OTHERWISE elsewhere, also where either is no number. */
INLINE vf v_if_more(vf a, vf b, vf then, vf otherwise)
{
#if LANES == 16
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), otherwise, then);
#elif LANES == 8
    return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
#elif LANES > 1
    vi chosen = a > b;
    return (vf)((chosen & (vi)then) | (~chosen & (vi)otherwise));
#else
    return a > b ? then : otherwise;
#endif
}

/* Of a and b; b where either is no number. */
INLINE vf v_max(vf a, vf b)
{
#if LANES == 16
    return _mm512_max_ps(a, b);
#elif LANES == 8
    return _mm256_max_ps(a, b);
#else
    return v_if_more(a, b, a, b);
#endif
}

INLINE vf v_min(vf a, vf b)
{
#if LANES == 16
    return _mm512_min_ps(a, b);
#elif LANES == 8
    return _mm256_min_ps(a, b);
#else
    return v_if_more(b, a, a, b);
#endif
}

INLINE float v_sum(vf value)
{
#if LANES == 16
    return _mm512_reduce_add_ps(value);
#elif LANES > 1
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += value[lane];
    return sum;
#else
    return value;
#endif
}

/* 2^t within 2 units in the last place, no less than 0 and no more than 2^-126 where t < -126;
   exactly 1 at 0.

   2^t = 2^floor(t) p(t - floor(t)), p a minimax polynomial of degree 5 whose constant is 1: another
   constant would drift over a long sequence of steps of size 0. */
INLINE vf v_exp2(vf t)
{
#if LANES == 16
    vf f = _mm512_reduce_ps(t, 0x08); /* t - rint(t) */
    vf n = t - f;
#else
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    t = v_min(v_max(t, v_set(-126.0f)), v_set(128.0f));
    vf r = t + magic;
    vf n = r - magic;
    vf f = t - n;
#endif
    vf p = 0.00132647f * f + 0.00967151f;
    p = p * f + 0.05550734f;
    p = p * f + 0.24022242f;
    p = p * f + 0.69314698f;
    p = p * f + 1.0f;
#if LANES == 16
    return _mm512_scalef_ps(p, n);
#elif LANES > 1
    vi exponent = (vi)r << 23;
    return (vf)((vi)p + exponent);
#else
    vi bits, exponent;
    memcpy(&bits, &p, 4);
    memcpy(&exponent, &r, 4);
    bits += (vi)((uint32_t)exponent << 23);
    memcpy(&p, &bits, 4);
    return p;
#endif
}

INLINE vf v_exp(vf x)
{
    return v_exp2(x * 1.44269504f);
}

INLINE vf v_sigmoid(vf x)
{
    return 1.0f / (1.0f + v_exp(-x));
}

/* log(1 + exp(x)) = max(x, 0) + 2 atanh(e / (2 + e)) with e = exp(-|x|): small results keep their
   digits. */
INLINE vf v_softplus(vf x)
{
    vf above = v_max(x, v_set(0));
    vf e = v_exp(x - 2 * above);
    vf s = e / (2.0f + e);
    vf q = s * s;
    vf series = q * 0.09090909f + 0.11111111f;
    series = q * series + 0.14285714f;
    series = q * series + 0.2f;
    series = q * series + 0.33333333f;
    series = q * series + 1.0f;
    return above + 2.0f * s * series;
}
