/* The selective scan for one vector width; see scan.c for how the work is divided.

   A vector holds LANES channels, and the states of those channels are walked one after another: B
   and C are then scalars, y is summed without reducing a vector, and no input is transposed. */

#define STEPS TINYSEG_SCAN_STEPS

#if LANES == 16
#define FORWARD_STATES 8
#define BACKWARD_STATES 8
#elif LANES == 8
#define FORWARD_STATES 8
#define BACKWARD_STATES 4
#else
#define FORWARD_STATES 4
#define BACKWARD_STATES 4
#endif

/* Copies rows of B or C of one block of time to (steps, padded states). */
INLINE void FN(copy_rows)(float *to, tinyseg_sequence from, ptrdiff_t b, ptrdiff_t start,
                          ptrdiff_t steps, ptrdiff_t states, ptrdiff_t padded)
{
    const float *row = from.data + b * from.batch + start * from.row;
    for (ptrdiff_t t = 0; t < steps; t++, row += from.row, to += padded) {
        if (from.column == 1 && states == padded) {
            for (ptrdiff_t n = 0; n < padded; n += 8)
                memcpy(to + n, row + n, 8 * sizeof(float));
        } else {
            for (ptrdiff_t n = 0; n < padded; n++)
                to[n] = n < states ? row[n * from.column] : 0;
        }
    }
}

/* One block of one vector of channels. */
typedef struct {
    vf x[STEPS], raw[STEPS], delta[STEPS], entering[STEPS]; /* entering: delta x */
    vf z[STEPS];
    vf y[STEPS];
} FN(inputs);

INLINE vf FN(channel_vector)(const float *vector, ptrdiff_t channel, ptrdiff_t count)
{
    return vector ? v_load_part(vector + channel, count) : v_set(0);
}

/* Fills all of `in`; y becomes the skip. */
INLINE void FN(load_inputs)(FN(inputs) *in, const tinyseg_scan *scan, ptrdiff_t b, ptrdiff_t start,
                            ptrdiff_t steps, ptrdiff_t channel, ptrdiff_t count)
{
    vf D = FN(channel_vector)(scan->D, channel, count);
    vf bias = FN(channel_vector)(scan->bias, channel, count);
    const float *x = scan->x.data + b * scan->x.batch + start * scan->x.row + channel;
    const float *delta = scan->delta.data + b * scan->delta.batch + start * scan->delta.row + channel;
    for (ptrdiff_t t = 0; t < steps; t++) {
        in->x[t] = v_load_part(x + t * scan->x.row, count);
        in->raw[t] = v_load_part(delta + t * scan->delta.row, count) + bias;
        in->delta[t] = scan->softplus ? v_softplus(in->raw[t]) : in->raw[t];
        in->entering[t] = in->delta[t] * in->x[t];
        in->y[t] = D * in->x[t];
    }
    if (scan->z.data) {
        const float *z = scan->z.data + b * scan->z.batch + start * scan->z.row + channel;
        for (ptrdiff_t t = 0; t < steps; t++)
            in->z[t] = v_load_part(z + t * scan->z.row, count);
    }
}

/* Asks for a row of each step. */
INLINE void FN(prefetch_rows)(const float *data, ptrdiff_t row, ptrdiff_t steps, const int write)
{
    for (ptrdiff_t t = 0; t < steps; t++)
        PREFETCH(data + t * row, write);
}

/* Asks for what the block that begins at `start` reads, before it is its turn. */
INLINE void FN(prefetch_inputs)(const tinyseg_scan *scan, ptrdiff_t b, ptrdiff_t start,
                                ptrdiff_t steps, ptrdiff_t channel)
{
    const tinyseg_sequence *sequences[] = {&scan->x, &scan->delta, &scan->z, &scan->B, &scan->C};
    for (int i = 0; i < 5; i++)
        if (sequences[i]->data)
            FN(prefetch_rows)(sequences[i]->data + b * sequences[i]->batch +
                                  start * sequences[i]->row + (i < 3 ? channel : 0),
                              sequences[i]->row, steps, 0);
}

/* One batch element and group of channels, all of time. */
static void FN(scan_forward_item)(void *context, long item, int thread)
{
    const scan_work *work = context;
    const tinyseg_scan *scan = work->scan;
    const ptrdiff_t Np = work->padded_states, Cp = work->padded_channels;
    const ptrdiff_t b = item / work->groups;
    const ptrdiff_t first = item % work->groups * work->group_channels;
    ptrdiff_t end = first + work->group_channels;
    if (end > scan->channels)
        end = scan->channels;
    float *scratch = work->scratch + thread * work->scratch_floats;
    float *B = scratch, *C = B + STEPS * Np, *state = C + STEPS * Np; /* state: (Np, Cp) */
    for (ptrdiff_t n = 0; n < Np; n++)
        memset(state + n * Cp + first, 0, (size_t)(TINYSEG_PAD_CHANNELS(end) - first) * sizeof(float));

    for (ptrdiff_t block = 0; block < work->blocks; block++) {
        const ptrdiff_t start = block * STEPS;
        const ptrdiff_t steps = scan->length - start < STEPS ? scan->length - start : STEPS;
        float *kept = work->starts ? work->starts + (b * work->blocks + block) * Np * Cp : NULL;
        FN(copy_rows)(B, scan->B, b, start, steps, scan->states, Np);
        FN(copy_rows)(C, scan->C, b, start, steps, scan->states, Np);
        for (ptrdiff_t channel = first; channel < end; channel += LANES) {
            const ptrdiff_t count = end - channel;
            FN(inputs) in;
            if (start + 2 * STEPS <= scan->length) {
                FN(prefetch_inputs)(scan, b, start + STEPS, STEPS, channel);
                FN(prefetch_rows)(work->y + (b * scan->length + start + STEPS) * scan->channels + channel, scan->channels, STEPS, 1);
                if (kept)
                    FN(prefetch_rows)(kept + Np * Cp + channel, Cp, Np, 1);
            }
            FN(load_inputs)(&in, scan, b, start, steps, channel, count);
            for (ptrdiff_t group = 0; group < Np; group += FORWARD_STATES) {
                vf h[FORWARD_STATES], A2[FORWARD_STATES];
                float *here = state + group * Cp + channel;
                UNROLL
                for (int n = 0; n < FORWARD_STATES; n++)
                {
                    h[n] = v_load(here + n * Cp);
                    A2[n] = v_load(work->A2 + (group + n) * Cp + channel);
                }
                if (kept)
                    UNROLL
                    for (int n = 0; n < FORWARD_STATES; n++)
                        v_store(kept + (group + n) * Cp + channel, h[n]);
                for (ptrdiff_t t = 0; t < steps; t++) {
                    const float *Bt = B + t * Np + group, *Ct = C + t * Np + group;
                    const vf delta = in.delta[t], entering = in.entering[t];
                    vf y = in.y[t];
                    UNROLL
                    for (int n = 0; n < FORWARD_STATES; n++) {
                        vf a = v_exp2(delta * A2[n]);
                        h[n] = a * h[n] + entering * Bt[n];
                        y += h[n] * Ct[n];
                    }
                    in.y[t] = y;
                }
                UNROLL
                for (int n = 0; n < FORWARD_STATES; n++)
                    v_store(here + n * Cp, h[n]);
            }
            float *y = work->y + (b * scan->length + start) * scan->channels + channel;
            for (ptrdiff_t t = 0; t < steps; t++) {
                vf out = in.y[t];
                if (scan->z.data)
                    out *= in.z[t] * v_sigmoid(in.z[t]);
                v_store_part(y + t * scan->channels, out, count);
            }
        }
    }
    float *last = work->last + b * scan->channels * scan->states;
    for (ptrdiff_t channel = first; channel < end; channel++)
        for (ptrdiff_t n = 0; n < scan->states; n++)
            last[channel * scan->states + n] = state[n * Cp + channel];
}

/* Sums over lanes of 8 vectors. */
INLINE void FN(sum_lanes8)(float *to, const float *vectors)
{
#if LANES == 16
    __m512 p[4], q[2];
    for (int i = 0; i < 4; i++) {
        __m512 a = v_load(vectors + 32 * i), b = v_load(vectors + 32 * i + 16);
        p[i] = _mm512_unpacklo_ps(a, b) + _mm512_unpackhi_ps(a, b);
    }
    for (int i = 0; i < 2; i++) {
        __m512d a = _mm512_castps_pd(p[2 * i]), b = _mm512_castps_pd(p[2 * i + 1]);
        q[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)) +
               _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
    __m512 r = _mm512_shuffle_f32x4(q[0], q[1], 0x88) + _mm512_shuffle_f32x4(q[0], q[1], 0xDD);
    r += _mm512_shuffle_f32x4(r, r, 0xB1);
    _mm256_storeu_ps(to, _mm512_castps512_ps256(_mm512_shuffle_f32x4(r, r, 0x08)));
#elif LANES == 8
    __m256 p[4], q[2];
    for (int i = 0; i < 4; i++)
        p[i] = _mm256_hadd_ps(v_load(vectors + 16 * i), v_load(vectors + 16 * i + 8));
    for (int i = 0; i < 2; i++)
        q[i] = _mm256_hadd_ps(p[2 * i], p[2 * i + 1]);
    _mm256_storeu_ps(to, _mm256_permute2f128_ps(q[0], q[1], 0x20) +
                             _mm256_permute2f128_ps(q[0], q[1], 0x31));
#else
    for (int i = 0; i < 8; i++)
        to[i] = v_sum(v_load(vectors + i * LANES));
#endif
}

/* Sums over lanes of as many vectors as there are states. */
INLINE void FN(sum_states)(float *to, const float *vectors, ptrdiff_t states)
{
    for (ptrdiff_t n = 0; n < states; n += 8, vectors += 8 * LANES) {
        if (n + 8 <= states) {
            FN(sum_lanes8)(to + n, vectors);
        } else {
            float sums[8];
            FN(sum_lanes8)(sums, vectors);
            memcpy(to + n, sums, (size_t)(states - n) * sizeof(float));
        }
    }
}

/* One block of one vector of channels: gradients of B and C lane by lane into dB and dC, which are
   written where FIRST and added to otherwise; u and s become the gradients of delta x and, over
   log2(e), of delta. */
INLINE void FN(backward_states)(FN(inputs) *in, const vf *g, vf *u, vf *s, const float *all_A2,
                                const float *start, float *carry, float *grad_A, const float *B,
                                const float *C, float *dB, float *dC, ptrdiff_t Np, ptrdiff_t Cp,
                                ptrdiff_t steps, const int first, const int gated)
{
    vf a[STEPS][BACKWARD_STATES], before[STEPS][BACKWARD_STATES];
    for (ptrdiff_t group = 0; group < Np; group += BACKWARD_STATES) {
        vf h[BACKWARD_STATES], A2[BACKWARD_STATES];
        UNROLL
        for (int n = 0; n < BACKWARD_STATES; n++) {
            h[n] = v_load(start + (group + n) * Cp);
            A2[n] = v_load(all_A2 + (group + n) * Cp);
        }
        for (ptrdiff_t t = 0; t < steps; t++) {
            const float *Bt = B + t * Np + group, *Ct = C + t * Np + group;
            const vf delta = in->delta[t], entering = in->entering[t], gt = g[t];
            float *dCt = dC + (t * Np + group) * LANES;
            vf y = in->y[t];
            UNROLL
            for (int n = 0; n < BACKWARD_STATES; n++) {
                a[t][n] = v_exp2(delta * A2[n]);
                before[t][n] = h[n];
                h[n] = a[t][n] * h[n] + entering * Bt[n];
                v_store(dCt + n * LANES, first ? gt * h[n] : v_load(dCt + n * LANES) + gt * h[n]);
                if (gated)
                    y += h[n] * Ct[n];
            }
            if (gated)
                in->y[t] = y;
        }
        vf r[BACKWARD_STATES], dA[BACKWARD_STATES];
        UNROLL
        for (int n = 0; n < BACKWARD_STATES; n++) {
            r[n] = v_load(carry + (group + n) * Cp);
            dA[n] = v_load(grad_A + (group + n) * Cp);
        }
        for (ptrdiff_t t = steps - 1; t >= 0; t--) {
            const float *Bt = B + t * Np + group, *Ct = C + t * Np + group;
            const vf delta = in->delta[t], entering = in->entering[t], gt = g[t];
            float *dBt = dB + (t * Np + group) * LANES;
            vf ut = u[t], st = s[t];
            UNROLL
            for (int n = 0; n < BACKWARD_STATES; n++) {
                vf q = gt * Ct[n] + r[n];
                r[n] = q * a[t][n];
                vf w = r[n] * before[t][n];
                ut += q * Bt[n];
                st += w * A2[n];
                dA[n] += w * delta;
                v_store(dBt + n * LANES,
                        first ? q * entering : v_load(dBt + n * LANES) + q * entering);
            }
            u[t] = ut;
            s[t] = st;
        }
        UNROLL
        for (int n = 0; n < BACKWARD_STATES; n++) {
            v_store(carry + (group + n) * Cp, r[n]);
            v_store(grad_A + (group + n) * Cp, dA[n]);
        }
    }
}

static void FN(scan_backward_item)(void *context, long item, int thread)
{
    const scan_work *work = context;
    const tinyseg_scan *scan = work->scan;
    const tinyseg_scan_gradients *to = work->gradients;
    const ptrdiff_t Np = work->padded_states, Cp = work->padded_channels;
    const ptrdiff_t b = item / work->groups;
    const ptrdiff_t first = item % work->groups * work->group_channels;
    ptrdiff_t end = first + work->group_channels;
    if (end > scan->channels)
        end = scan->channels;
    const size_t width = (size_t)(TINYSEG_PAD_CHANNELS(end) - first) * sizeof(float);
    float *scratch = work->scratch + thread * work->scratch_floats;
    float *B = scratch, *C = B + STEPS * Np;
    float *dB = C + STEPS * Np, *dC = dB + STEPS * Np * LANES;
    float *carry = dC + STEPS * Np * LANES; /* (Np, Cp): decay times gradient of the step after */
    float *grad_A = work->grad_A + b * Np * Cp;
    float *grad_D = work->grad_channels + 2 * b * Cp, *grad_bias = grad_D + Cp;
    for (ptrdiff_t n = 0; n < Np; n++) {
        memset(carry + n * Cp + first, 0, width);
        memset(grad_A + n * Cp + first, 0, width);
    }
    memset(grad_D + first, 0, width);
    memset(grad_bias + first, 0, width);

    for (ptrdiff_t block = work->blocks - 1; block >= 0; block--) {
        const ptrdiff_t start = block * STEPS;
        const ptrdiff_t steps = scan->length - start < STEPS ? scan->length - start : STEPS;
        const float *kept = work->kept + (b * work->blocks + block) * Np * Cp;
        FN(copy_rows)(B, scan->B, b, start, steps, scan->states, Np);
        FN(copy_rows)(C, scan->C, b, start, steps, scan->states, Np);
        for (ptrdiff_t channel = first; channel < end; channel += LANES) {
            const ptrdiff_t count = end - channel;
            const ptrdiff_t row = scan->channels;
            const ptrdiff_t place = (b * scan->length + start) * row + channel;
            const float *grad_y =
                work->grad_y.data + b * work->grad_y.batch + start * work->grad_y.row + channel;
            FN(inputs) in;
            vf g[STEPS], grad_out[STEPS], u[STEPS], s[STEPS];
            if (block > 0) {
                const ptrdiff_t before = place - STEPS * row;
                FN(prefetch_inputs)(scan, b, start - STEPS, STEPS, channel);
                FN(prefetch_rows)(grad_y - STEPS * work->grad_y.row, work->grad_y.row, STEPS, 0);
                FN(prefetch_rows)(kept - Np * Cp + channel, Cp, Np, 0);
                FN(prefetch_rows)(to->x + before, row, STEPS, 1);
                FN(prefetch_rows)(to->delta + before, row, STEPS, 1);
                if (scan->z.data)
                    FN(prefetch_rows)(to->z + before, row, STEPS, 1);
            }
            FN(load_inputs)(&in, scan, b, start, steps, channel, count);
            for (ptrdiff_t t = 0; t < steps; t++) {
                grad_out[t] = v_load_part(grad_y + t * work->grad_y.row, count);
                g[t] = grad_out[t];
                u[t] = s[t] = v_set(0);
                if (scan->z.data)
                    g[t] *= in.z[t] * v_sigmoid(in.z[t]);
            }
#define STATES(first, gated)                                                                       \
    FN(backward_states)                                                                            \
    (&in, g, u, s, work->A2 + channel, kept + channel, carry + channel, grad_A + channel, B, C,    \
     dB, dC, Np, Cp, steps, first, gated)
            if (scan->z.data) {
                if (channel == first)
                    STATES(1, 1);
                else
                    STATES(0, 1);
            } else {
                if (channel == first)
                    STATES(1, 0);
                else
                    STATES(0, 0);
            }
#undef STATES
            vf D = FN(channel_vector)(scan->D, channel, count);
            vf dD = v_load(grad_D + channel), dbias = v_load(grad_bias + channel);
            for (ptrdiff_t t = 0; t < steps; t++) {
                vf dx = in.delta[t] * u[t] + D * g[t];
                vf ddelta = in.x[t] * u[t] + 0.69314718f * s[t];
                if (scan->softplus)
                    ddelta *= v_sigmoid(in.raw[t]);
                dD += g[t] * in.x[t];
                dbias += ddelta;
                v_store_part(to->x + place + t * row, dx, count);
                v_store_part(to->delta + place + t * row, ddelta, count);
                if (scan->z.data) {
                    vf gate = v_sigmoid(in.z[t]);
                    vf slope = gate * (1.0f + in.z[t] * (1.0f - gate));
                    v_store_part(to->z + place + t * row, grad_out[t] * in.y[t] * slope, count);
                }
            }
            v_store(grad_D + channel, dD);
            v_store(grad_bias + channel, dbias);
        }
        const ptrdiff_t group = item % work->groups;
        const ptrdiff_t place =
            ((group * scan->batch + b) * scan->length + start) * scan->states;
        for (ptrdiff_t t = 0; t < steps; t++) {
            FN(sum_states)(work->grad_B + place + t * scan->states, dB + t * Np * LANES, scan->states);
            FN(sum_states)(work->grad_C + place + t * scan->states, dC + t * Np * LANES, scan->states);
        }
    }
}

#undef STEPS
#undef FORWARD_STATES
#undef BACKWARD_STATES
