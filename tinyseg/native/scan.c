/* The selective scan, forward and backward.

   An item of work is a batch element and a group of channels, walked through all of time in blocks
   of TINYSEG_SCAN_STEPS. Within a block all vectors of channels take their turn, so that rows of
   wide layers are read while they are near. The backward recomputes the states of a block from the
   kept state before it. Sums over items are taken afterwards in a fixed order, and how work is
   divided depends on the shape alone: results are the same for any number of threads. */
#include <stdlib.h>

#include "parallel.h"
#include "scan_work.h"

#define KERNEL "scan_kernel.h"
#include "each_width.h"

#define LOG2E 1.44269504f
#define ENOUGH_ITEMS 8
#define NARROWEST_GROUP 64
#define APART (TINYSEG_APART / (ptrdiff_t)sizeof(float))

static ptrdiff_t rounded(ptrdiff_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* 64-byte aligned floats inside *BLOCK, which the caller frees. */
static float *allocate(void **block, ptrdiff_t floats)
{
    *block = malloc((size_t)floats * sizeof(float) + 64);
    return *block ? (float *)(((uintptr_t)*block + 63) & ~(uintptr_t)63) : NULL;
}

static void divide(scan_work *work, const tinyseg_scan *scan)
{
    ptrdiff_t groups = 1;
    memset(work, 0, sizeof *work);
    work->scan = scan;
    work->padded_channels = TINYSEG_PAD_CHANNELS(scan->channels);
    work->padded_states = TINYSEG_PAD_STATES(scan->states);
    work->blocks = (scan->length + TINYSEG_SCAN_STEPS - 1) / TINYSEG_SCAN_STEPS;
    while (groups * scan->batch < ENOUGH_ITEMS &&
           work->padded_channels / (groups * 2) >= NARROWEST_GROUP)
        groups *= 2;
    work->group_channels = rounded((work->padded_channels + groups - 1) / groups);
    work->groups = (work->padded_channels + work->group_channels - 1) / work->group_channels;
}

static void transpose_A(float *A2, const scan_work *work)
{
    const tinyseg_scan *scan = work->scan;
    memset(A2, 0, (size_t)(work->padded_states * work->padded_channels) * sizeof(float));
    for (ptrdiff_t d = 0; d < scan->channels; d++)
        for (ptrdiff_t n = 0; n < scan->states; n++)
            A2[n * work->padded_channels + d] = scan->A[d * scan->states + n] * LOG2E;
}

static void forward_item(void *context, long item, int thread)
{
    TINYSEG_DISPATCH(scan_forward_item, context, item, thread);
}

static void backward_item(void *context, long item, int thread)
{
    TINYSEG_DISPATCH(scan_backward_item, context, item, thread);
}

int tinyseg_scan_forward(const tinyseg_scan *scan, float *y, float *last, float *starts)
{
    scan_work work;
    void *block;
    divide(&work, scan);
    const ptrdiff_t square = work.padded_states * work.padded_channels;
    const ptrdiff_t rows = TINYSEG_SCAN_STEPS * work.padded_states;
    work.scratch_floats = rounded(2 * rows + square) + APART;
    float *memory = allocate(&block, square + APART + scan->threads * work.scratch_floats);
    if (!memory)
        return 1;
    transpose_A(memory, &work);
    work.A2 = memory;
    work.scratch = memory + square + APART;
    work.y = y;
    work.last = last;
    work.starts = starts;
    tinyseg_parallel((int)scan->threads, (long)(scan->batch * work.groups), forward_item, &work);
    free(block);
    return 0;
}

static void add(float *to, const float *from, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* The parts that items left, summed in order. */
static void sum_parts(const scan_work *work)
{
    const tinyseg_scan *scan = work->scan;
    const tinyseg_scan_gradients *to = work->gradients;
    const ptrdiff_t Np = work->padded_states, Cp = work->padded_channels;
    const ptrdiff_t rows = scan->batch * scan->length * scan->states;
    for (ptrdiff_t group = 1; group < work->groups; group++) {
        add(work->grad_B, work->grad_B + group * rows, rows);
        add(work->grad_C, work->grad_C + group * rows, rows);
    }
    if (work->groups > 1) {
        memcpy(to->B, work->grad_B, (size_t)rows * sizeof(float));
        memcpy(to->C, work->grad_C, (size_t)rows * sizeof(float));
    }
    for (ptrdiff_t b = 1; b < scan->batch; b++) {
        add(work->grad_A, work->grad_A + b * Np * Cp, Np * Cp);
        add(work->grad_channels, work->grad_channels + b * 2 * Cp, 2 * Cp);
    }
    for (ptrdiff_t d = 0; d < scan->channels; d++) {
        for (ptrdiff_t n = 0; n < scan->states; n++)
            to->A[d * scan->states + n] = scan->batch ? work->grad_A[n * Cp + d] : 0;
        if (to->D)
            to->D[d] = scan->batch ? work->grad_channels[d] : 0;
        if (to->bias)
            to->bias[d] = scan->batch ? work->grad_channels[Cp + d] : 0;
    }
}

int tinyseg_scan_backward(const tinyseg_scan *scan, const float *starts, tinyseg_sequence grad_y,
                          const tinyseg_scan_gradients *gradients)
{
    scan_work work;
    void *block;
    divide(&work, scan);
    const ptrdiff_t square = work.padded_states * work.padded_channels;
    const ptrdiff_t rows = TINYSEG_SCAN_STEPS * work.padded_states;
    const ptrdiff_t parts =
        work.groups > 1 ? rounded(work.groups * scan->batch * scan->length * scan->states) : 0;
    const ptrdiff_t channels = 2 * work.padded_channels;
    work.scratch_floats = rounded(2 * rows + 2 * rows * 16 + square) + APART;
    float *memory = allocate(&block, square + APART + scan->threads * work.scratch_floats +
                                         scan->batch * (square + channels) + 2 * parts);
    if (!memory)
        return 1;
    transpose_A(memory, &work);
    work.A2 = memory;
    work.scratch = memory + square + APART;
    work.grad_A = work.scratch + scan->threads * work.scratch_floats;
    work.grad_channels = work.grad_A + scan->batch * square;
    work.grad_B = parts ? work.grad_channels + scan->batch * channels : gradients->B;
    work.grad_C = parts ? work.grad_B + parts : gradients->C;
    work.kept = starts;
    work.grad_y = grad_y;
    work.gradients = gradients;
    tinyseg_parallel((int)scan->threads, (long)(scan->batch * work.groups), backward_item, &work);
    sum_parts(&work);
    free(block);
    return 0;
}
