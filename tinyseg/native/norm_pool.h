/* Group norm and, of every 2x2 pixels of it, the largest: what its callers pass. The last row of an
   odd height and the last column of an odd width are normed, and pooled no more. */
#ifndef TINYSEG_NORM_POOL_H
#define TINYSEG_NORM_POOL_H

#include "group_norm.h"

/* y (batch, height / 2, width / 2, channels), none of it empty; statistics as of a group norm. 0, or
   1 where memory is short. */
TINYSEG_EXPORT int tinyseg_norm_pool_forward(const tinyseg_group_norm *norm, float *y,
                                             double *statistics);

/* grad_y as y; where pixels are equal, the first has it all. grad_x as x, or NULL where it is not
   wanted; grad_weight and grad_bias (channels). 0, or 1 where memory is short. */
TINYSEG_EXPORT int tinyseg_norm_pool_backward(const tinyseg_group_norm *norm,
                                              const double *statistics, const float *grad_y,
                                              float *grad_x, float *grad_weight,
                                              float *grad_bias);

#endif
