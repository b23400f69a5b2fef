/* Group norm followed by a 2x2 max-pool, forward and backward.

   What is normed is written down nowhere: the four pixels of a window are normed where they are
   compared, and once more by the backward. Parts, sums and the algebra are those of group_norm.c; a
   part is whole rows of windows. */
#include <string.h>

#include "group_norm_work.h"
#include "norm_pool.h"

#define NORM_POOL_BLOCK 64 /* windows: few enough to be summed in single precision */

/* A part of a sample, as rows of pixels and rows of windows. */
typedef struct {
    ptrdiff_t x, pooled; /* floats before it in x, and in what is pooled */
    ptrdiff_t row;       /* floats in a row of x */
    ptrdiff_t pixel_rows, window_rows, windows; /* the last: in a row */
    double *sums;
} norm_pool_part;

/* Windows beside each other, and their channels from one on. */
typedef struct {
    ptrdiff_t x, pooled; /* floats before them */
    ptrdiff_t channel, windows;
} norm_pool_block;

static norm_pool_part norm_pool_part_of(const group_norm_work *work, ptrdiff_t sample,
                                        ptrdiff_t part)
{
    const tinyseg_group_norm *norm = work->norm;
    const group_norm_part of = group_norm_part_of(work, sample, part);
    const ptrdiff_t row = norm->width * norm->channels, windows = norm->width / 2;
    const ptrdiff_t above = sample * (norm->height / 2) + part * (work->part_pixels / work->unit);
    const ptrdiff_t pixel_rows = of.floats / row;
    return (norm_pool_part){of.start, above * windows * norm->channels, row, pixel_rows,
                            pixel_rows / 2, windows, of.sums};
}

static norm_pool_block norm_pool_block_of(const norm_pool_part *part, ptrdiff_t channels,
                                          ptrdiff_t window_row, ptrdiff_t window,
                                          ptrdiff_t channel)
{
    const ptrdiff_t left = part->windows - window;
    return (norm_pool_block){
        part->x + 2 * window_row * part->row + 2 * window * channels + channel,
        part->pooled + (window_row * part->windows + window) * channels + channel, channel,
        left < NORM_POOL_BLOCK ? left : NORM_POOL_BLOCK};
}

#define KERNEL "norm_pool_kernel.h"
#include "each_width.h"

GROUP_NORM_ITEM(norm_pool_largest)
GROUP_NORM_ITEM(norm_pool_products)
GROUP_NORM_ITEM(norm_pool_gradient)

int tinyseg_norm_pool_forward(const tinyseg_group_norm *norm, float *y, double *statistics)
{
    group_norm_work work = {.norm = norm, .unit = 2 * norm->width, .out = y,
                            .written = statistics, .write = norm_pool_largest_item};
    return group_norm_forward(&work);
}

int tinyseg_norm_pool_backward(const tinyseg_group_norm *norm, const double *statistics,
                               const float *grad_y, float *grad_x, float *grad_weight,
                               float *grad_bias)
{
    group_norm_work work = {.norm = norm, .unit = 2 * norm->width, .out = grad_x,
                            .grad_y = grad_y, .statistics = statistics,
                            .sum = norm_pool_products_item, .write = norm_pool_gradient_item};
    return group_norm_backward(&work, grad_weight, grad_bias);
}
