/* Causal convolution with SiLU, for one vector width: lanes are channels.

   Time goes in blocks and within a block all vectors of channels take their turn, so that rows of
   wide layers are read while they are near. */

/* A row of x, or zeros before the first. */
INLINE vf FN(conv_row)(const float *x, ptrdiff_t t, ptrdiff_t row, ptrdiff_t count)
{
    return t < 0 ? v_set(0) : v_load_part(x + t * row, count);
}

/* bias + sum over taps of w[j] x[t - taps + 1 + j]. */
INLINE vf FN(conv_at)(const float *x, ptrdiff_t t, ptrdiff_t row, ptrdiff_t count, const float *w,
                      ptrdiff_t taps, ptrdiff_t stride)
{
    vf sum = v_load(w + taps * stride);
    for (ptrdiff_t j = 0; j < taps; j++)
        sum += v_load(w + j * stride) * FN(conv_row)(x, t - taps + 1 + j, row, count);
    return sum;
}

/* A block of COUNT channels, from step START to END. */
INLINE void FN(conv_forward)(const causal_conv_work *work, const float *x, float *y,
                             const float *w, ptrdiff_t start, ptrdiff_t end, ptrdiff_t count,
                             ptrdiff_t taps)
{
    const ptrdiff_t row = work->conv->x.row, out = work->conv->channels;
    const ptrdiff_t stride = work->padded;
    for (ptrdiff_t t = start; t < end; t++) {
        const vf sum = FN(conv_at)(x, t, row, count, w, taps, stride);
        v_store_part(y + t * out, sum * v_sigmoid(sum), count);
    }
}

/* The same backwards: fills g with the gradient before SiLU, whose later rows the block after has
   left there, adds to SUMS what the block gives the weights and the bias, and writes grad_x. */
INLINE void FN(conv_backward)(const causal_conv_work *work, const float *x, const float *grad_y,
                              float *grad_x, const float *w, float *g, double *sums,
                              ptrdiff_t start, ptrdiff_t end, ptrdiff_t count, ptrdiff_t taps)
{
    const ptrdiff_t row = work->conv->x.row, out = work->conv->channels;
    const ptrdiff_t stride = work->padded;
    for (ptrdiff_t t = start; t < end; t++) {
        const vf sum = FN(conv_at)(x, t, row, count, w, taps, stride);
        const vf gate = v_sigmoid(sum);
        const vf of = v_load_part(grad_y + t * work->grad_y.row, count);
        v_store(g + (t - start) * LANES, of * gate * (1.0f + sum * (1.0f - gate)));
    }
    for (ptrdiff_t j = 0; j <= taps; j++) {
        vf sum = v_set(0);
        float lanes[LANES];
        for (ptrdiff_t t = start; t < end; t++) {
            const vf of = v_load(g + (t - start) * LANES);
            sum += j == taps ? of : of * FN(conv_row)(x, t - taps + 1 + j, row, count);
        }
        v_store(lanes, sum);
        for (int lane = 0; lane < LANES; lane++)
            sums[j * stride + lane] += lanes[lane];
    }
    for (ptrdiff_t t = start; t < end; t++) {
        vf sum = v_set(0);
        for (ptrdiff_t j = 0; j < taps; j++)
            sum += v_load(w + j * stride) * v_load(g + (t - start + taps - 1 - j) * LANES);
        v_store_part(grad_x + t * out, sum, count);
    }
    for (ptrdiff_t t = taps - 2; t >= 0; t--)
        v_store(g + (CONV_STEPS + t) * LANES, v_load(g + t * LANES));
}

static void FN(causal_conv_forward_item)(const causal_conv_work *work, long item, float *scratch)
{
    const tinyseg_causal_conv *conv = work->conv;
    const causal_conv_item of = causal_conv_item_of(work, item);
    (void)scratch;
    for (ptrdiff_t start = 0; start < conv->length; start += CONV_STEPS) {
        const ptrdiff_t end = smaller(start + CONV_STEPS, conv->length);
        for (ptrdiff_t c = of.first; c < of.last; c += LANES) {
            const float *x = conv->x.data + of.sample * conv->x.batch + c;
            float *y = work->y + of.sample * conv->length * conv->channels + c;
            const ptrdiff_t count = smaller(LANES, of.last - c);
            if (conv->taps == 4)
                FN(conv_forward)(work, x, y, work->weights + c, start, end, count, 4);
            else
                FN(conv_forward)(work, x, y, work->weights + c, start, end, count, conv->taps);
        }
    }
}

static void FN(causal_conv_backward_item)(const causal_conv_work *work, long item, float *scratch)
{
    const tinyseg_causal_conv *conv = work->conv;
    const causal_conv_item of = causal_conv_item_of(work, item);
    const ptrdiff_t rows = CONV_STEPS + conv->taps - 1;
    double *sums = work->sums + of.sample * (conv->taps + 1) * work->padded;
    memset(scratch, 0, (size_t)(rows * work->padded) * sizeof(float));
    for (ptrdiff_t start = (conv->length - 1) / CONV_STEPS * CONV_STEPS; start >= 0;
         start -= CONV_STEPS) {
        const ptrdiff_t end = smaller(start + CONV_STEPS, conv->length);
        for (ptrdiff_t c = of.first; c < of.last; c += LANES) {
            const float *x = conv->x.data + of.sample * conv->x.batch + c;
            const float *grad_y = work->grad_y.data + of.sample * work->grad_y.batch + c;
            float *grad_x = work->y + of.sample * conv->length * conv->channels + c;
            float *g = scratch + (c - of.first) * rows;
            const ptrdiff_t count = smaller(LANES, of.last - c);
            if (conv->taps == 4)
                FN(conv_backward)(work, x, grad_y, grad_x, work->weights + c, g, sums + c, start,
                                  end, count, 4);
            else
                FN(conv_backward)(work, x, grad_y, grad_x, work->weights + c, g, sums + c, start,
                                  end, count, conv->taps);
        }
    }
}
