/* Group norm over (pixels, channels) rows, for one vector width.

   A row of pixels is read as one flat line in which the channels repeat, so that few channels fill
   a vector as well as many: what is period floats apart belongs to the same channel. A period is
   whole vectors and whole pixels; up to AT_ONCE neighbouring vectors of it are walked together. */
#ifndef AT_ONCE
#define AT_ONCE 4
#endif

INLINE ptrdiff_t FN(period)(ptrdiff_t channels)
{
    ptrdiff_t floats = channels;
    while (floats % LANES)
        floats += channels;
    return floats > AT_ONCE * LANES / 2 ? floats : AT_ONCE * LANES / floats * floats;
}

/* Whole periods that stay in an L1 cache between two visits. */
INLINE ptrdiff_t FN(block)(ptrdiff_t period)
{
    return period < GROUP_NORM_BLOCK ? GROUP_NORM_BLOCK / period * period : period;
}

INLINE ptrdiff_t FN(least)(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* FUNCTION(.., width) with as many vectors at once as are left before END, known when compiled. */
#define SOME_AT_ONCE(left, function, ...)                                                          \
    do {                                                                                           \
        switch (left) {                                                                            \
        case 1: function(__VA_ARGS__, 1); break;                                                   \
        case 2: function(__VA_ARGS__, 2); break;                                                   \
        case 3: function(__VA_ARGS__, 3); break;                                                   \
        default: function(__VA_ARGS__, AT_ONCE);                                                   \
        }                                                                                          \
    } while (0)

/* Adds sums of x - reference and of its squares over COUNT periods to as many lanes as WIDTH vectors
   have. They are first taken about the mean of a quarter, so that single precision will do. */
INLINE void FN(column_moments)(const float *x, const float *references, ptrdiff_t period,
                               ptrdiff_t count, double *sums, double *squares, int width)
{
    const ptrdiff_t quarter = (count + 3) / 4;
    vf centre[AT_ONCE], sum[AT_ONCE], square[AT_ONCE];
    UNROLL for (int v = 0; v < width; v++) centre[v] = sum[v] = square[v] = v_set(0);
    for (ptrdiff_t i = 0; i < quarter; i++) {
        UNROLL for (int v = 0; v < width; v++) centre[v] += v_load(x + i * period + v * LANES);
    }
    UNROLL for (int v = 0; v < width; v++) centre[v] *= 1.0f / (float)quarter;
    for (ptrdiff_t i = 0; i < count; i++) {
        UNROLL for (int v = 0; v < width; v++) {
            const vf about = v_load(x + i * period + v * LANES) - centre[v];
            sum[v] += about;
            square[v] += about * about;
        }
    }
    for (int v = 0; v < width; v++) {
        float c[LANES], s[LANES], q[LANES];
        v_store(c, centre[v]);
        v_store(s, sum[v]);
        v_store(q, square[v]);
        for (int lane = 0; lane < LANES; lane++) {
            const double apart = (double)c[lane] - references[v * LANES + lane];
            const double sum_apart = apart * (double)count;
            sums[v * LANES + lane] += s[lane] + sum_apart;
            squares[v * LANES + lane] += q[lane] + apart * (2.0 * s[lane] + sum_apart);
        }
    }
}

/* The same for sums of g and of g (x - centre). */
INLINE void FN(column_products)(const float *g, const float *x, const float *centres,
                                ptrdiff_t period, ptrdiff_t count, double *sums, double *products,
                                int width)
{
    vf centre[AT_ONCE], sum[AT_ONCE], product[AT_ONCE];
    UNROLL for (int v = 0; v < width; v++) {
        centre[v] = v_load(centres + v * LANES);
        sum[v] = product[v] = v_set(0);
    }
    for (ptrdiff_t i = 0; i < count * period; i += period) {
        UNROLL for (int v = 0; v < width; v++) {
            const vf of = v_load(g + i + v * LANES);
            sum[v] += of;
            product[v] += of * (v_load(x + i + v * LANES) - centre[v]);
        }
    }
    for (int v = 0; v < width; v++) {
        float s[LANES], p[LANES];
        v_store(s, sum[v]);
        v_store(p, product[v]);
        for (int lane = 0; lane < LANES; lane++) {
            sums[v * LANES + lane] += s[lane];
            products[v * LANES + lane] += p[lane];
        }
    }
}

/* y = (x - centre) scale + shift. */
INLINE void FN(column_normalise)(const float *x, float *y, group_norm_lanes lanes,
                                 ptrdiff_t period, ptrdiff_t count, int width)
{
    vf centre[AT_ONCE], scale[AT_ONCE], shift[AT_ONCE];
    UNROLL for (int v = 0; v < width; v++) {
        centre[v] = v_load(lanes.centre + v * LANES);
        scale[v] = v_load(lanes.scale + v * LANES);
        shift[v] = v_load(lanes.shift + v * LANES);
    }
    for (ptrdiff_t i = 0; i < count * period; i += period) {
        UNROLL for (int v = 0; v < width; v++) {
            const vf about = v_load(x + i + v * LANES) - centre[v];
            v_store(y + i + v * LANES, about * scale[v] + shift[v]);
        }
    }
}

/* The gradient of x: g scale + (x - centre) slope + shift. */
INLINE void FN(column_gradient)(const float *g, const float *x, float *to, group_norm_lanes lanes,
                                ptrdiff_t period, ptrdiff_t count, int width)
{
    vf centre[AT_ONCE], scale[AT_ONCE], slope[AT_ONCE], shift[AT_ONCE];
    UNROLL for (int v = 0; v < width; v++) {
        centre[v] = v_load(lanes.centre + v * LANES);
        scale[v] = v_load(lanes.scale + v * LANES);
        slope[v] = v_load(lanes.slope + v * LANES);
        shift[v] = v_load(lanes.shift + v * LANES);
    }
    for (ptrdiff_t i = 0; i < count * period; i += period) {
        UNROLL for (int v = 0; v < width; v++) {
            const vf about = v_load(x + i + v * LANES) - centre[v];
            const vf of = v_load(g + i + v * LANES);
            v_store(to + i + v * LANES, of * scale[v] + (about * slope[v] + shift[v]));
        }
    }
}

/* A part as a kernel of this width goes through it. */
typedef struct {
    group_norm_part of;
    ptrdiff_t channels, period, block;
    ptrdiff_t whole; /* floats in whole periods; those after are done one by one */
} FN(walk);

INLINE FN(walk) FN(walk_of)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part)
{
    FN(walk) walk;
    walk.of = group_norm_part_of(work, sample, part);
    walk.channels = work->norm->channels;
    walk.period = FN(period)(walk.channels);
    walk.block = FN(block)(walk.period);
    walk.whole = walk.of.floats / walk.period * walk.period;
    return walk;
}

/* Adds what the lanes of a period hold to the channels that they belong to. */
INLINE void FN(fold)(const FN(walk) *walk, const double *lanes)
{
    const ptrdiff_t C = walk->channels;
    double *to = walk->of.sums;
    memset(to, 0, (size_t)(2 * C) * sizeof(double));
    for (ptrdiff_t i = 0; i < walk->period; i += C)
        for (ptrdiff_t c = 0; c < C; c++) {
            to[c] += lanes[i + c];
            to[C + c] += lanes[walk->period + i + c];
        }
}

/* Sums of x - reference and of its squares, of a part's channels into its sums. */
static void FN(group_norm_moments)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                   group_norm_lanes lanes)
{
    const FN(walk) walk = FN(walk_of)(work, sample, part);
    const float *x = work->norm->x + walk.of.start;
    double *sums = lanes.sums, *squares = sums + walk.period;
    group_norm_references(work, sample, walk.period, lanes);
    memset(sums, 0, (size_t)(2 * walk.period) * sizeof(double));
    for (ptrdiff_t at = 0; at < walk.whole; at += walk.block) {
        const ptrdiff_t count = FN(least)(walk.block, walk.whole - at) / walk.period;
        for (ptrdiff_t v = 0; v < walk.period; v += AT_ONCE * LANES)
            SOME_AT_ONCE((walk.period - v) / LANES, FN(column_moments), x + at + v,
                         lanes.centre + v, walk.period, count, sums + v, squares + v);
    }
    FN(fold)(&walk, sums);
    for (ptrdiff_t i = walk.whole, l = 0; i < walk.of.floats; i++, l++) {
        const ptrdiff_t c = i % walk.channels;
        const double about = (double)x[i] - lanes.centre[l];
        walk.of.sums[c] += about;
        walk.of.sums[walk.channels + c] += about * about;
    }
}

static void FN(group_norm_normalise)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                     group_norm_lanes lanes)
{
    const FN(walk) walk = FN(walk_of)(work, sample, part);
    const float *x = work->norm->x + walk.of.start;
    float *y = work->out + walk.of.start;
    group_norm_coefficients(work, sample, walk.period, lanes);
    for (ptrdiff_t at = 0; at < walk.whole; at += walk.block) {
        const ptrdiff_t count = FN(least)(walk.block, walk.whole - at) / walk.period;
        for (ptrdiff_t v = 0; v < walk.period; v += AT_ONCE * LANES)
            SOME_AT_ONCE((walk.period - v) / LANES, FN(column_normalise), x + at + v, y + at + v,
                         group_norm_lanes_from(lanes, v), walk.period, count);
    }
    for (ptrdiff_t i = walk.whole, l = 0; i < walk.of.floats; i++, l++)
        y[i] = (x[i] - lanes.centre[l]) * lanes.scale[l] + lanes.shift[l];
}

/* Sums of the gradient and of its products with x - centre, into a part's sums. */
static void FN(group_norm_products)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                    group_norm_lanes lanes)
{
    const FN(walk) walk = FN(walk_of)(work, sample, part);
    const float *x = work->norm->x + walk.of.start, *g = work->grad_y + walk.of.start;
    double *sums = lanes.sums, *products = sums + walk.period;
    group_norm_centres(work, sample, walk.period, lanes);
    memset(sums, 0, (size_t)(2 * walk.period) * sizeof(double));
    for (ptrdiff_t at = 0; at < walk.whole; at += walk.block) {
        const ptrdiff_t count = FN(least)(walk.block, walk.whole - at) / walk.period;
        for (ptrdiff_t v = 0; v < walk.period; v += AT_ONCE * LANES)
            SOME_AT_ONCE((walk.period - v) / LANES, FN(column_products), g + at + v, x + at + v,
                         lanes.centre + v, walk.period, count, sums + v, products + v);
    }
    FN(fold)(&walk, sums);
    for (ptrdiff_t i = walk.whole, l = 0; i < walk.of.floats; i++, l++) {
        const ptrdiff_t c = i % walk.channels;
        walk.of.sums[c] += g[i];
        walk.of.sums[walk.channels + c] += (double)g[i] * (x[i] - lanes.centre[l]);
    }
}

static void FN(group_norm_gradient)(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part,
                                    group_norm_lanes lanes)
{
    const FN(walk) walk = FN(walk_of)(work, sample, part);
    const float *x = work->norm->x + walk.of.start, *g = work->grad_y + walk.of.start;
    float *to = work->out + walk.of.start;
    group_norm_slopes(work, sample, walk.period, lanes);
    for (ptrdiff_t at = 0; at < walk.whole; at += walk.block) {
        const ptrdiff_t count = FN(least)(walk.block, walk.whole - at) / walk.period;
        for (ptrdiff_t v = 0; v < walk.period; v += AT_ONCE * LANES)
            SOME_AT_ONCE((walk.period - v) / LANES, FN(column_gradient), g + at + v, x + at + v,
                         to + at + v, group_norm_lanes_from(lanes, v), walk.period, count);
    }
    for (ptrdiff_t i = walk.whole, l = 0; i < walk.of.floats; i++, l++)
        to[i] = g[i] * lanes.scale[l] +
                ((x[i] - lanes.centre[l]) * lanes.slope[l] + lanes.shift[l]);
}

#undef SOME_AT_ONCE
