/* What group norm and its pooled form share; group_norm.c fills it, the kernels of every width read
   it. */
#ifndef TINYSEG_GROUP_NORM_WORK_H
#define TINYSEG_GROUP_NORM_WORK_H

#include <stddef.h>

#include "group_norm.h"

typedef struct {
    const tinyseg_group_norm *norm;
    ptrdiff_t pixels;           /* of a sample */
    ptrdiff_t unit;             /* pixels: every part but the last has a whole number of units */
    ptrdiff_t parts, part_pixels;
    ptrdiff_t longest_period;   /* no shorter than that of any width, in floats */
    double *lanes;              /* scratch of all threads */
    double *sums;               /* (batch, parts, 2, channels) */
    const double *statistics;   /* (batch, groups, 2) */
    double *written;            /* the same, by the forward */
    double *slopes;             /* (batch, groups, 2): the gradient of x is scale g + [0] +
                                   [1] (x - mean) */
    ptrdiff_t *group_of;        /* (channels) */
    const float *grad_y;
    float *out;                 /* y, or the gradient of x, or NULL */
    void (*sum)(void *work, long item, int thread);
    void (*finish)(void *work, ptrdiff_t sample);
    void (*write)(void *work, long item, int thread);
} group_norm_work;

/* A part of a sample. */
typedef struct {
    ptrdiff_t start, floats;
    double *sums;
} group_norm_part;

/* What every lane of a period needs, one thread's own. */
typedef struct {
    double *sums;
    float *centre, *scale, *shift, *slope;
} group_norm_lanes;

group_norm_part group_norm_part_of(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t part);

group_norm_lanes group_norm_lanes_of(const group_norm_work *work, int thread);

/* Those from a lane on. */
group_norm_lanes group_norm_lanes_from(group_norm_lanes lanes, ptrdiff_t lane);

/* Fills a period of lanes so that y = (x - centre) scale + shift. */
void group_norm_coefficients(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                             group_norm_lanes lanes);

/* Fills a period of lanes so that the gradient of x is g scale + (x - centre) slope + shift. */
void group_norm_slopes(const group_norm_work *work, ptrdiff_t sample, ptrdiff_t period,
                       group_norm_lanes lanes);

/* Finds the statistics and then, where there is an out, writes: write and unit are the caller's.
   0, or 1 where memory is short. */
int group_norm_forward(group_norm_work *work);

/* The same for gradients: sum, which leaves in a part's sums those of g and of g (x - centre), is
   the caller's too. */
int group_norm_backward(group_norm_work *work, float *grad_weight, float *grad_bias);

/* A function of each width as work on an item. */
#define GROUP_NORM_ITEM(function)                                                                  \
    static void function##_item(void *context, long item, int thread)                              \
    {                                                                                              \
        const group_norm_work *work = context;                                                     \
        TINYSEG_DISPATCH(function, work, item / work->parts, item % work->parts,                   \
                         group_norm_lanes_of(work, thread));                                       \
    }

#endif
