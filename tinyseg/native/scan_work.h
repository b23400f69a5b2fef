/* What the scan's work items share; scan.c fills it, the kernels of every width read it. */
#ifndef TINYSEG_SCAN_WORK_H
#define TINYSEG_SCAN_WORK_H

#include "scan.h"

typedef struct {
    const tinyseg_scan *scan;
    ptrdiff_t padded_channels, padded_states;
    ptrdiff_t blocks;         /* of time */
    ptrdiff_t groups;         /* of channels: one item is a batch element and a group */
    ptrdiff_t group_channels; /* a multiple of 16 */
    const float *A2;          /* A log2(e), (padded_states, padded_channels), zeros beyond */
    float *scratch;           /* of all threads, aligned to 64 bytes */
    ptrdiff_t scratch_floats; /* of one thread, a multiple of 16 */
    /* forward */
    float *y, *last, *starts;
    /* backward */
    const float *kept;
    tinyseg_sequence grad_y;
    const tinyseg_scan_gradients *gradients;
    float *grad_A;        /* (batch, padded_states, padded_channels) */
    float *grad_channels; /* (batch, 2, padded_channels): of D and of the bias */
    float *grad_B, *grad_C; /* (groups, batch, length, states) */
} scan_work;

#endif
