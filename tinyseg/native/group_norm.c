/* Group norm of (batch, pixels, channels), forward and backward.

   A sample is summed and then normalised, two visits to its memory. Where the batch is small its
   pixels are divided into parts that are visited side by side. Sums are kept in double precision
   and added in a fixed order, and the parts depend on the shape alone: results are the same for
   any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "group_norm_work.h"
#include "parallel.h"

#define GROUP_NORM_BLOCK 4096 /* floats: 16 KB, with as many of a gradient still in an L1 cache */
#define ENOUGH_ITEMS 8
#define SMALLEST_PART 32768 /* floats */
#define PART_UNIT 64 /* pixels */

group_norm_part group_norm_part_of(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part)
{
    const ptrdiff_t channels = work->norm->channels;
    const ptrdiff_t first = part * work->part_pixels;
    const ptrdiff_t left = work->pixels - first;
    const ptrdiff_t pixels = left < work->part_pixels ? left : work->part_pixels;
    return (group_norm_part){(sample * work->pixels + first) * channels, pixels * channels,
                             work->sums + (sample * work->parts + part) * 2 * channels};
}

group_norm_lanes group_norm_lanes_of(const group_norm_work *work, int thread)
{
    const ptrdiff_t period = work->longest_period;
    double *sums = work->lanes + thread * 4 * period;
    float *floats = (float *)(sums + 2 * period);
    return (group_norm_lanes){sums, floats, floats + period, floats + 2 * period,
                              floats + 3 * period};
}

group_norm_lanes group_norm_lanes_from(group_norm_lanes lanes, ptrdiff_t lane)
{
    return (group_norm_lanes){lanes.sums + lane, lanes.centre + lane, lanes.scale + lane,
                              lanes.shift + lane, lanes.slope + lane};
}

static const double *statistics_of(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t channel)
{
    const tinyseg_group_norm *norm = work->norm;
    return work->statistics + (sample * norm->groups + work->group_of[channel]) * 2;
}

/* The first value of a sample's group. Moments about it lose next to no digits in double precision,
   wherever it lies: the variance is no less than what it alone adds. */
static double reference_of(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t channel)
{
    const tinyseg_group_norm *norm = work->norm;
    const ptrdiff_t first = work->group_of[channel] * (norm->channels / norm->groups);
    return norm->x[sample * work->pixels * norm->channels + first];
}

/* Repeats what the first pixel's lanes hold through the period. */
static void repeat(float *lanes, ptrdiff_t period, ptrdiff_t channels)
{
    for (ptrdiff_t i = channels; i < period; i++)
        lanes[i] = lanes[i - channels];
}

static void group_norm_references(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                                  group_norm_lanes lanes)
{
    for (ptrdiff_t c = 0; c < work->norm->channels; c++)
        lanes.centre[c] = (float)reference_of(work, sample, c);
    repeat(lanes.centre, period, work->norm->channels);
}

static void group_norm_centres(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                               group_norm_lanes lanes)
{
    for (ptrdiff_t c = 0; c < work->norm->channels; c++)
        lanes.centre[c] = (float)statistics_of(work, sample, c)[0];
    repeat(lanes.centre, period, work->norm->channels);
}

/* The centre is the mean as a float; what that leaves of the mean goes into the shift. */
void group_norm_coefficients(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                             group_norm_lanes lanes)
{
    const tinyseg_group_norm *norm = work->norm;
    group_norm_centres(work, sample, period, lanes);
    for (ptrdiff_t c = 0; c < norm->channels; c++) {
        const double *statistics = statistics_of(work, sample, c);
        const double scale = statistics[1] * (norm->weight ? norm->weight[c] : 1);
        const double rest = statistics[0] - lanes.centre[c];
        lanes.scale[c] = (float)scale;
        lanes.shift[c] = (float)((norm->bias ? norm->bias[c] : 0) - rest * scale);
    }
    repeat(lanes.scale, period, norm->channels);
    repeat(lanes.shift, period, norm->channels);
}

void group_norm_slopes(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                       group_norm_lanes lanes)
{
    const tinyseg_group_norm *norm = work->norm;
    group_norm_centres(work, sample, period, lanes);
    for (ptrdiff_t c = 0; c < norm->channels; c++) {
        const double *statistics = statistics_of(work, sample, c);
        const double *slope = work->slopes + (sample * norm->groups + work->group_of[c]) * 2;
        const double rest = statistics[0] - lanes.centre[c];
        lanes.scale[c] = (float)(statistics[1] * (norm->weight ? norm->weight[c] : 1));
        lanes.slope[c] = (float)slope[1];
        lanes.shift[c] = (float)(slope[0] - slope[1] * rest);
    }
    repeat(lanes.scale, period, norm->channels);
    repeat(lanes.slope, period, norm->channels);
    repeat(lanes.shift, period, norm->channels);
}

#define KERNEL "group_norm_kernel.h"
#include "each_width.h"

/* Adds the sums of a sample's other parts to those of its first. */
static double *joined_sums(const group_norm_work *work, ptrdiff_t sample)
{
    const ptrdiff_t count = 2 * work->norm->channels;
    double *sums = work->sums + sample * work->parts * count;
    for (ptrdiff_t i = count; i < work->parts * count; i++)
        sums[i % count] += sums[i];
    return sums;
}

static void finish_moments(void *context, ptrdiff_t sample)
{
    const group_norm_work *work = context;
    const tinyseg_group_norm *norm = work->norm;
    const ptrdiff_t width = norm->channels / norm->groups;
    const double n = (double)(width * work->pixels);
    const double *sums = joined_sums(work, sample);
    for (ptrdiff_t first = 0; first < norm->channels; first += width) {
        double *to = work->written + (sample * norm->groups + work->group_of[first]) * 2;
        double sum = 0, squares = 0;
        for (ptrdiff_t c = first; c < first + width; c++) {
            sum += sums[c];
            squares += sums[norm->channels + c];
        }
        const double variance = squares / n - sum / n * (sum / n);
        to[0] = reference_of(work, sample, first) + sum / n;
        to[1] = 1 / sqrt((variance < 0 ? 0 : variance) + norm->eps);
    }
}

/* With r = 1 / deviation, n the values of a group, p = sum(w g) and q = sum(w g (x - mean)), the
   gradient of x is r w g - r^3 q / n (x - mean) - r p / n. Products were taken about the mean as a
   float; from here on they are about the mean. */
static void finish_products(void *context, ptrdiff_t sample)
{
    const group_norm_work *work = context;
    const tinyseg_group_norm *norm = work->norm;
    const ptrdiff_t width = norm->channels / norm->groups;
    const double n = (double)(width * work->pixels);
    double *sums = joined_sums(work, sample), *products = sums + norm->channels;
    for (ptrdiff_t first = 0; first < norm->channels; first += width) {
        const double *statistics = statistics_of(work, sample, first);
        const double mean = statistics[0], r = statistics[1];
        double *to = work->slopes + (sample * norm->groups + work->group_of[first]) * 2;
        double p = 0, q = 0;
        for (ptrdiff_t c = first; c < first + width; c++) {
            const double weight = norm->weight ? norm->weight[c] : 1;
            products[c] -= (mean - (float)mean) * sums[c];
            p += weight * sums[c];
            q += weight * products[c];
        }
        to[0] = -r * p / n;
        to[1] = -r * r * r * q / n;
    }
}

GROUP_NORM_ITEM(group_norm_moments)
GROUP_NORM_ITEM(group_norm_normalise)
GROUP_NORM_ITEM(group_norm_products)
GROUP_NORM_ITEM(group_norm_gradient)

/* All that a sample needs while it is near. */
static void sample_item(void *context, long sample, int thread)
{
    const group_norm_work *work = context;
    work->sum(context, sample, thread);
    work->finish(context, sample);
    if (work->out)
        work->write(context, sample, thread);
}

static void visit_all(group_norm_work *work)
{
    const int threads = (int)work->norm->threads;
    const long samples = (long)work->norm->batch, items = samples * (long)work->parts;
    if (work->parts == 1) {
        tinyseg_parallel(threads, samples, sample_item, work);
        return;
    }
    tinyseg_parallel(threads, items, work->sum, work);
    for (ptrdiff_t sample = 0; sample < samples; sample++)
        work->finish(work, sample);
    if (work->out)
        tinyseg_parallel(threads, items, work->write, work);
}

/* Divides the pixels and allocates; NULL where memory is short. The caller frees it. */
static void *prepare(group_norm_work *work)
{
    const tinyseg_group_norm *norm = work->norm;
    ptrdiff_t parts = 1;
    work->pixels = norm->height * norm->width;
    while (parts * norm->batch < ENOUGH_ITEMS &&
           work->pixels * norm->channels / (2 * parts) >= SMALLEST_PART)
        parts *= 2;
    work->part_pixels =
        ((work->pixels + parts - 1) / parts + work->unit - 1) / work->unit * work->unit;
    work->parts = (work->pixels + work->part_pixels - 1) / work->part_pixels;
    work->longest_period = 64 + 16 * norm->channels; /* and whole lines of a cache */
    const ptrdiff_t lanes = norm->threads * 4 * work->longest_period;
    const ptrdiff_t sums = norm->batch * work->parts * 2 * norm->channels;
    const ptrdiff_t groups = norm->batch * norm->groups * 2;
    void *memory = malloc((size_t)(lanes + sums + groups) * sizeof(double) + 64 +
                          (size_t)norm->channels * sizeof(ptrdiff_t));
    if (!memory)
        return NULL;
    /* Lines of a cache, so that no two threads' scratch shares one. */
    work->lanes = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    work->sums = work->lanes + lanes;
    work->slopes = work->sums + sums;
    work->group_of = (ptrdiff_t *)(work->slopes + groups);
    for (ptrdiff_t c = 0; c < norm->channels; c++)
        work->group_of[c] = c / (norm->channels / norm->groups);
    return memory;
}

int group_norm_forward(group_norm_work *work)
{
    void *memory = prepare(work);
    if (!memory)
        return 1;
    work->sum = group_norm_moments_item;
    work->finish = finish_moments;
    work->statistics = work->written;
    visit_all(work);
    free(memory);
    return 0;
}

/* From the sums that all samples left. */
static void parameter_gradients(const group_norm_work *work, float *grad_weight, float *grad_bias)
{
    const ptrdiff_t channels = work->norm->channels;
    for (ptrdiff_t c = 0; c < channels; c++) {
        double weight = 0, bias = 0;
        for (ptrdiff_t sample = 0; sample < work->norm->batch; sample++) {
            const double *sums = work->sums + sample * work->parts * 2 * channels;
            weight += sums[channels + c] * statistics_of(work, sample, c)[1];
            bias += sums[c];
        }
        grad_weight[c] = (float)weight;
        grad_bias[c] = (float)bias;
    }
}

int group_norm_backward(group_norm_work *work, float *grad_weight, float *grad_bias)
{
    void *memory = prepare(work);
    if (!memory)
        return 1;
    work->finish = finish_products;
    visit_all(work);
    parameter_gradients(work, grad_weight, grad_bias);
    free(memory);
    return 0;
}

int tinyseg_group_norm_forward(const tinyseg_group_norm *norm, float *y, double *statistics)
{
    group_norm_work work = {.norm = norm, .unit = PART_UNIT, .out = y, .written = statistics,
                            .write = group_norm_normalise_item};
    return group_norm_forward(&work);
}

int tinyseg_group_norm_backward(const tinyseg_group_norm *norm, const double *statistics,
                                const float *grad_y, float *grad_x, float *grad_weight,
                                float *grad_bias)
{
    group_norm_work work = {.norm = norm, .unit = PART_UNIT, .out = grad_x, .grad_y = grad_y,
                            .statistics = statistics, .sum = group_norm_products_item,
                            .write = group_norm_gradient_item};
    return group_norm_backward(&work, grad_weight, grad_bias);
}
