/* Group norm of pictures whose channels are innermost: what its callers pass. */
#ifndef TINYSEG_GROUP_NORM_H
#define TINYSEG_GROUP_NORM_H

#include <stdint.h>

#include "dispatch.h"

/* 8 bytes a field. Nothing is empty, and the groups divide the channels. */
typedef struct {
    int64_t threads;
    int64_t batch, height, width, channels, groups;
    double eps;
    const float *x;      /* (batch, height, width, channels), contiguous */
    const float *weight; /* (channels), or NULL */
    const float *bias;   /* (channels), or NULL */
} tinyseg_group_norm;

/* y as x, or NULL where it is not wanted; statistics (batch, groups, 2), of each group its mean
   and 1 over its deviation. 0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_group_norm_forward(const tinyseg_group_norm *norm, float *y,
                                              double *statistics);

/* grad_y as x; grad_x as x, or NULL where it is not wanted; grad_weight and grad_bias (channels).
   0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_group_norm_backward(const tinyseg_group_norm *norm,
                                               const double *statistics, const float *grad_y,
                                               float *grad_x, float *grad_weight,
                                               float *grad_bias);

#endif
