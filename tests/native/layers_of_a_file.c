/* Reads pictures and what layers hold from standard input, and writes what group norm, group norm
   with pool and the causal convolution make of them, each followed by its gradients (of x, weight
   and bias) to standard output; for processors on which Python does not run.

   Input: batch, height, width, channels, groups, taps as int64, then x, weight and bias of the norm,
   grad_y, grad_y of what is pooled, and weight of the convolution, which takes the pixels of a
   picture as steps and has the norm's bias. */
#include "causal_conv.h"
#include "files_of_floats.h"
#include "group_norm.h"
#include "norm_pool.h"

int main(void)
{
    int64_t size[6];
    read_sizes(size, 6);
    const int64_t b = size[0], h = size[1], w = size[2], c = size[3], taps = size[5];
    const int64_t all = b * h * w * c, pooled = b * (h / 2) * (w / 2) * c;
    tinyseg_group_norm norm = {2, b, h, w, c, size[4], 1e-5, read_floats(all), read_floats(c),
                               read_floats(c)};
    const float *grad_y = read_floats(all), *grad_pooled = read_floats(pooled);
    const tinyseg_rows x_rows = {norm.x, h * w * c, c}, grad_rows = {grad_y, h * w * c, c};
    tinyseg_causal_conv conv = {2, b, h * w, c, taps, x_rows, read_floats(c * taps), norm.bias};
    double *statistics = calloc((size_t)(b * size[4] * 2), sizeof(double));
    float *y = zeros(all), *grad_x = zeros(all), *grad_weight = zeros(c * taps);
    float *grad_bias = zeros(c);
    if (!statistics || tinyseg_group_norm_forward(&norm, y, statistics) ||
        tinyseg_group_norm_backward(&norm, statistics, grad_y, grad_x, grad_weight, grad_bias))
        return 6;
    write_floats(y, all);
    write_floats(grad_x, all);
    write_floats(grad_weight, c);
    write_floats(grad_bias, c);
    if (tinyseg_norm_pool_forward(&norm, y, statistics) ||
        tinyseg_norm_pool_backward(&norm, statistics, grad_pooled, grad_x, grad_weight, grad_bias))
        return 7;
    write_floats(y, pooled);
    write_floats(grad_x, all);
    write_floats(grad_weight, c);
    write_floats(grad_bias, c);
    if (tinyseg_causal_conv_forward(&conv, y) ||
        tinyseg_causal_conv_backward(&conv, &grad_rows, grad_x, grad_weight, grad_bias))
        return 8;
    write_floats(y, all);
    write_floats(grad_x, all);
    write_floats(grad_weight, c * taps);
    write_floats(grad_bias, c);
    return 0;
}
