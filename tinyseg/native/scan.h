/* The selective scan: what its callers pass. Sizes and strides count floats. */
#ifndef TINYSEG_SCAN_H
#define TINYSEG_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "dispatch.h"

/* Steps from one kept state to the next: few enough for the buffers of the backward to stay near,
   enough for the kept states to be a sixteenth of all. */
#define TINYSEG_SCAN_STEPS 16

/* Kept states are padded to whole vectors of the widest kind, and to whole groups of states. */
#define TINYSEG_PAD_CHANNELS(channels) (((channels) + 15) / 16 * 16)
#define TINYSEG_PAD_STATES(states) (((states) + 7) / 8 * 8)

/* A read-only (batch, length, width). Only B and C may have a column stride other than 1. */
typedef struct {
    const float *data;
    int64_t batch, row, column;
} tinyseg_sequence;

/* Fields are 8 bytes each on the platforms this is built for; pointers may be NULL where noted. */
typedef struct {
    int64_t threads;
    int64_t batch, length, channels, states;
    int64_t softplus;
    tinyseg_sequence x, delta; /* (batch, length, channels) */
    tinyseg_sequence B, C;     /* (batch, length, states) */
    tinyseg_sequence z;        /* (batch, length, channels), or NULL */
    const float *A;            /* (channels, states), contiguous, as all below */
    const float *D;            /* (channels), or NULL */
    const float *bias;         /* (channels), or NULL */
} tinyseg_scan;

/* y (batch, length, channels), last (batch, channels, states); starts (batch, blocks of
   TINYSEG_SCAN_STEPS, padded states, padded channels), or NULL. 0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_scan_forward(const tinyseg_scan *scan, float *y, float *last,
                                        float *starts);

/* Gradients, contiguous and of the shapes of what they are of; NULL as that is. */
typedef struct {
    float *x, *delta, *A, *B, *C, *D, *z, *bias;
} tinyseg_scan_gradients;

/* 0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_scan_backward(const tinyseg_scan *scan, const float *starts,
                                         tinyseg_sequence grad_y,
                                         const tinyseg_scan_gradients *gradients);

#endif
