/* Causal convolution with SiLU: what its callers pass. Strides count floats. */
#ifndef TINYSEG_CAUSAL_CONV_H
#define TINYSEG_CAUSAL_CONV_H

#include <stdint.h>

#include "dispatch.h"

/* A read-only (batch, length, channels) whose rows have no gaps. */
typedef struct {
    const float *data;
    int64_t batch, row;
} tinyseg_rows;

/* 8 bytes a field. */
typedef struct {
    int64_t threads;
    int64_t batch, length, channels, taps;
    tinyseg_rows x;
    const float *weight; /* (channels, taps), contiguous; the last tap meets the newest step */
    const float *bias;   /* (channels), or NULL */
} tinyseg_causal_conv;

/* y (batch, length, channels), contiguous. 0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_causal_conv_forward(const tinyseg_causal_conv *conv, float *y);

/* grad_x (batch, length, channels), grad_weight (channels, taps), grad_bias (channels), contiguous.
   0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_causal_conv_backward(const tinyseg_causal_conv *conv,
                                                const tinyseg_rows *grad_y, float *grad_x,
                                                float *grad_weight, float *grad_bias);

#endif
