/* Causal convolution along time, a kernel of its own for each channel, followed by SiLU: forward
   and backward.

   An item of work is a batch element and a group of channels. The backward computes what went into
   SiLU once more. Sums over the batch are taken in a fixed order: results are the same for any
   number of threads. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "causal_conv.h"
#include "parallel.h"

#define CONV_STEPS 32 /* of time in a block */
#define ENOUGH_ITEMS 8
#define NARROWEST_GROUP 64

typedef struct {
    const tinyseg_causal_conv *conv;
    ptrdiff_t padded;         /* channels, to whole vectors of every width */
    ptrdiff_t groups, group_channels;
    ptrdiff_t scratch_floats; /* of one thread */
    float *weights;           /* (taps + 1, padded): the last row is the bias, zeros beyond */
    double *sums;             /* (batch, taps + 1, padded): gradients of the same, by sample */
    float *scratch;
    tinyseg_rows grad_y;
    float *y;                 /* or the gradient of x; (batch, length, channels), contiguous */
} causal_conv_work;

typedef struct {
    ptrdiff_t sample, first, last; /* channels from first to before last */
} causal_conv_item;

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static causal_conv_item causal_conv_item_of(const causal_conv_work *work, long item)
{
    const ptrdiff_t first = item % work->groups * work->group_channels;
    return (causal_conv_item){item / work->groups, first,
                              smaller(first + work->group_channels, work->conv->channels)};
}

#define KERNEL "causal_conv_kernel.h"
#include "each_width.h"

static void forward_item(void *context, long item, int thread)
{
    const causal_conv_work *work = context;
    (void)thread;
    TINYSEG_DISPATCH(causal_conv_forward_item, work, item, NULL);
}

static void backward_item(void *context, long item, int thread)
{
    const causal_conv_work *work = context;
    TINYSEG_DISPATCH(causal_conv_backward_item, work, item,
                     work->scratch + thread * work->scratch_floats);
}

static void divide(causal_conv_work *work, const tinyseg_causal_conv *conv)
{
    ptrdiff_t groups = 1;
    work->conv = conv;
    work->padded = (conv->channels + 15) / 16 * 16;
    while (groups * conv->batch < ENOUGH_ITEMS && work->padded / (groups * 2) >= NARROWEST_GROUP)
        groups *= 2;
    work->group_channels = ((work->padded + groups - 1) / groups + 15) / 16 * 16;
    work->groups = (work->padded + work->group_channels - 1) / work->group_channels;
}

/* Divides the work and allocates, SUMS doubles and SCRATCH floats a thread; NULL where memory is
   short. The caller frees it. */
static void *prepare(causal_conv_work *work, const tinyseg_causal_conv *conv, ptrdiff_t sums,
                     ptrdiff_t scratch)
{
    const ptrdiff_t weights = (conv->taps + 1) * work->padded;
    void *memory = malloc((size_t)sums * sizeof(double) + 64 +
                          (size_t)(weights + conv->threads * scratch) * sizeof(float));
    if (!memory)
        return NULL;
    /* Lines of a cache, so that no two threads write to the same. */
    work->sums = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    work->weights = (float *)(work->sums + sums);
    work->scratch = work->weights + weights;
    work->scratch_floats = scratch;
    memset(work->sums, 0, (size_t)sums * sizeof(double));
    memset(work->weights, 0, (size_t)weights * sizeof(float));
    for (ptrdiff_t c = 0; c < conv->channels; c++) {
        for (ptrdiff_t j = 0; j < conv->taps; j++)
            work->weights[j * work->padded + c] = conv->weight[c * conv->taps + j];
        work->weights[conv->taps * work->padded + c] = conv->bias ? conv->bias[c] : 0;
    }
    return memory;
}

int tinyseg_causal_conv_forward(const tinyseg_causal_conv *conv, float *y)
{
    causal_conv_work work = {.y = y};
    divide(&work, conv);
    void *memory = prepare(&work, conv, 0, 0);
    if (!memory)
        return 1;
    tinyseg_parallel((int)conv->threads, (long)(conv->batch * work.groups), forward_item, &work);
    free(memory);
    return 0;
}

/* From the sums that all samples left. */
static void parameter_gradients(const causal_conv_work *work, float *grad_weight, float *grad_bias)
{
    const tinyseg_causal_conv *conv = work->conv;
    const ptrdiff_t count = (conv->taps + 1) * work->padded;
    for (ptrdiff_t c = 0; c < conv->channels; c++)
        for (ptrdiff_t j = 0; j <= conv->taps; j++) {
            double sum = 0;
            for (ptrdiff_t sample = 0; sample < conv->batch; sample++)
                sum += work->sums[sample * count + j * work->padded + c];
            if (j < conv->taps)
                grad_weight[c * conv->taps + j] = (float)sum;
            else
                grad_bias[c] = (float)sum;
        }
}

int tinyseg_causal_conv_backward(const tinyseg_causal_conv *conv, const tinyseg_rows *grad_y,
                                 float *grad_x, float *grad_weight, float *grad_bias)
{
    causal_conv_work work = {.y = grad_x, .grad_y = *grad_y};
    divide(&work, conv);
    void *memory = prepare(&work, conv, conv->batch * (conv->taps + 1) * work.padded,
                           (CONV_STEPS + conv->taps - 1) * work.padded);
    if (!memory)
        return 1;
    tinyseg_parallel((int)conv->threads, (long)(conv->batch * work.groups), backward_item, &work);
    parameter_gradients(&work, grad_weight, grad_bias);
    free(memory);
    return 0;
}
