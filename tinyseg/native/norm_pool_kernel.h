/* The largest of 2x2 normed pixels, for one vector width: lanes are channels.

   Pixels about the centre and scaled are in the order of normed ones, negative scales included; the
   shift is the same for all. A later pixel has to be larger to win, so that the first of equals does,
   and where nothing is a number. */

INLINE ptrdiff_t FN(whole_vectors)(ptrdiff_t channels)
{
    return (channels + LANES - 1) / LANES * LANES;
}

/* FUNCTION(.., count) for every block of a part; count, of channels, is known when compiled where
   they fill a vector. */
#define EACH_BLOCK(part, channels, function, ...)                                                  \
    do {                                                                                           \
        for (ptrdiff_t row = 0; row < (part).window_rows; row++)                                   \
            for (ptrdiff_t at = 0; at < (part).windows; at += NORM_POOL_BLOCK)                     \
                for (ptrdiff_t c = 0; c < (channels); c += LANES) {                                \
                    const norm_pool_block block =                                                  \
                        norm_pool_block_of(&(part), channels, row, at, c);                         \
                    if ((channels) - c >= LANES)                                                   \
                        function(__VA_ARGS__, &(part), &block, LANES);                             \
                    else                                                                           \
                        function(__VA_ARGS__, &(part), &block, (long)((channels) - c));            \
                }                                                                                  \
    } while (0)

/* The pixels of a window about the centre, row by row. */
INLINE void FN(window)(const float *x, ptrdiff_t channels, ptrdiff_t row, vf centre, long count,
                       vf *about)
{
    about[0] = v_load_part(x, count) - centre;
    about[1] = v_load_part(x + channels, count) - centre;
    about[2] = v_load_part(x + row, count) - centre;
    about[3] = v_load_part(x + row + channels, count) - centre;
}

INLINE void FN(block_largest)(const group_norm_work *work, group_norm_lanes lanes,
                              const norm_pool_part *part, const norm_pool_block *block, long count)
{
    const ptrdiff_t channels = work->norm->channels;
    const float *x = work->norm->x + block->x;
    float *y = work->out + block->pooled;
    const vf centre = v_load(lanes.centre + block->channel);
    const vf scale = v_load(lanes.scale + block->channel);
    const vf shift = v_load(lanes.shift + block->channel);
    for (ptrdiff_t i = 0; i < block->windows; i++) {
        vf about[4], largest;
        FN(window)(x + 2 * i * channels, channels, part->row, centre, count, about);
        largest = about[0] * scale;
        UNROLL for (int k = 1; k < 4; k++) largest = v_max(about[k] * scale, largest);
        v_store_part(y + i * channels, largest + shift, count);
    }
}

/* Adds sums of g and of g (x - centre) of the largest to a part's. */
INLINE void FN(block_products)(const group_norm_work *work, group_norm_lanes lanes,
                               const norm_pool_part *part, const norm_pool_block *block, long count)
{
    const ptrdiff_t channels = work->norm->channels;
    const float *x = work->norm->x + block->x, *g = work->grad_y + block->pooled;
    double *sums = part->sums + block->channel, *products = sums + channels;
    const vf centre = v_load(lanes.centre + block->channel);
    const vf scale = v_load(lanes.scale + block->channel);
    vf sum = v_set(0), product = v_set(0);
    float s[LANES], p[LANES];
    for (ptrdiff_t i = 0; i < block->windows; i++) {
        const vf of = v_load_part(g + i * channels, count);
        vf about[4], largest, chosen;
        FN(window)(x + 2 * i * channels, channels, part->row, centre, count, about);
        largest = about[0] * scale;
        chosen = about[0];
        UNROLL for (int k = 1; k < 4; k++) {
            const vf value = about[k] * scale;
            chosen = v_if_more(value, largest, about[k], chosen);
            largest = v_max(value, largest);
        }
        sum += of;
        product += of * chosen;
    }
    v_store(s, sum);
    v_store(p, product);
    for (long lane = 0; lane < count; lane++) {
        sums[lane] += s[lane];
        products[lane] += p[lane];
    }
}

/* The gradient of x: (x - centre) slope + shift, and g scale for the largest. */
INLINE void FN(block_gradient)(const group_norm_work *work, group_norm_lanes lanes,
                               const norm_pool_part *part, const norm_pool_block *block, long count)
{
    const ptrdiff_t channels = work->norm->channels;
    const float *x = work->norm->x + block->x, *g = work->grad_y + block->pooled;
    float *to = work->out + block->x;
    const vf centre = v_load(lanes.centre + block->channel);
    const vf scale = v_load(lanes.scale + block->channel);
    const vf slope = v_load(lanes.slope + block->channel);
    const vf shift = v_load(lanes.shift + block->channel);
    for (ptrdiff_t i = 0; i < block->windows; i++) {
        const ptrdiff_t at = 2 * i * channels;
        vf of = v_load_part(g + i * channels, count) * scale;
        vf about[4], value[4], before[4], given[4];
        FN(window)(x + at, channels, part->row, centre, count, about);
        before[1] = about[0] * scale;
        UNROLL for (int k = 1; k < 4; k++) {
            value[k] = about[k] * scale;
            if (k < 3)
                before[k + 1] = v_max(value[k], before[k]);
        }
        UNROLL for (int k = 3; k > 0; k--) {
            given[k] = v_if_more(value[k], before[k], of, v_set(0));
            of = v_if_more(value[k], before[k], v_set(0), of);
        }
        given[0] = of;
        UNROLL for (int k = 0; k < 4; k++)
            v_store_part(to + at + k / 2 * part->row + k % 2 * channels,
                         given[k] + (about[k] * slope + shift), count);
    }
}

/* The same for PIXELS that are in no window, beside each other. */
INLINE void FN(outside_gradient)(const group_norm_work *work, group_norm_lanes lanes, ptrdiff_t at,
                                 ptrdiff_t pixels)
{
    const ptrdiff_t channels = work->norm->channels;
    for (ptrdiff_t i = 0; i < pixels; i++)
        for (ptrdiff_t c = 0; c < channels; c++) {
            const ptrdiff_t of = at + i * channels + c;
            const float about = work->norm->x[of] - lanes.centre[c];
            work->out[of] = about * lanes.slope[c] + lanes.shift[c];
        }
}

static void FN(norm_pool_largest)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                  group_norm_lanes lanes)
{
    const ptrdiff_t channels = work->norm->channels;
    const norm_pool_part of = norm_pool_part_of(work, sample, part);
    group_norm_coefficients(work, sample, FN(whole_vectors)(channels), lanes);
    EACH_BLOCK(of, channels, FN(block_largest), work, lanes);
}

static void FN(norm_pool_products)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                   group_norm_lanes lanes)
{
    const ptrdiff_t channels = work->norm->channels;
    const norm_pool_part of = norm_pool_part_of(work, sample, part);
    group_norm_coefficients(work, sample, FN(whole_vectors)(channels), lanes);
    memset(of.sums, 0, (size_t)(2 * channels) * sizeof(double));
    EACH_BLOCK(of, channels, FN(block_products), work, lanes);
}

static void FN(norm_pool_gradient)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                   group_norm_lanes lanes)
{
    const ptrdiff_t channels = work->norm->channels;
    const norm_pool_part of = norm_pool_part_of(work, sample, part);
    group_norm_slopes(work, sample, FN(whole_vectors)(channels), lanes);
    EACH_BLOCK(of, channels, FN(block_gradient), work, lanes);
    for (ptrdiff_t row = 0; row < of.pixel_rows; row++) {
        const ptrdiff_t inside = row < 2 * of.window_rows ? 2 * of.windows : 0;
        FN(outside_gradient)(work, lanes, of.x + row * of.row + inside * channels,
                             work->norm->width - inside);
    }
}

#undef EACH_BLOCK
