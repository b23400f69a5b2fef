/* Reads a scan from standard input and writes y, the last state and the gradients to standard
   output, raw floats; for processors on which Python does not run.

   Input: batch, length, channels, states as int64, then x, delta, B, C, z, A, D, bias, grad_y.
   Fails where denormals are not flushed while items are worked on, or still are afterwards. */
#include "files_of_floats.h"
#include "parallel.h"
#include "scan.h"

static volatile float smallest = 1e-40f, one = 1.0f;

static void note_flushed(void *context, long item, int thread)
{
    (void)thread;
    ((int *)context)[item] = smallest * one == 0.0f;
}

static int flushes_inside_alone(void)
{
    int flushed[7] = {0};
    tinyseg_parallel(2, 7, note_flushed, flushed);
    for (int i = 0; i < 7; i++)
        if (!flushed[i])
            return 0;
    return smallest * one != 0.0f;
}

int main(void)
{
    int64_t size[4];
    if (!flushes_inside_alone())
        return 5;
    read_sizes(size, 4);
    const int64_t b = size[0], l = size[1], d = size[2], n = size[3];
    const int64_t wide = b * l * d, narrow = b * l * n;
    tinyseg_scan scan = {.threads = 2, .batch = b, .length = l, .channels = d, .states = n};
    scan.softplus = 1;
    scan.x = (tinyseg_sequence){read_floats(wide), l * d, d, 1};
    scan.delta = (tinyseg_sequence){read_floats(wide), l * d, d, 1};
    scan.B = (tinyseg_sequence){read_floats(narrow), l * n, n, 1};
    scan.C = (tinyseg_sequence){read_floats(narrow), l * n, n, 1};
    scan.z = (tinyseg_sequence){read_floats(wide), l * d, d, 1};
    scan.A = read_floats(d * n);
    scan.D = read_floats(d);
    scan.bias = read_floats(d);
    tinyseg_sequence grad_y = {read_floats(wide), l * d, d, 1};

    const int64_t blocks = (l + TINYSEG_SCAN_STEPS - 1) / TINYSEG_SCAN_STEPS;
    float *starts = zeros(b * blocks * TINYSEG_PAD_STATES(n) * TINYSEG_PAD_CHANNELS(d));
    float *y = zeros(wide), *last = zeros(b * d * n);
    tinyseg_scan_gradients grad = {zeros(wide),   zeros(wide), zeros(d * n), zeros(narrow),
                                   zeros(narrow), zeros(d),    zeros(wide),  zeros(d)};
    if (tinyseg_scan_forward(&scan, y, last, starts))
        return 6;
    if (tinyseg_scan_backward(&scan, starts, grad_y, &grad))
        return 7;
    write_floats(y, wide);
    write_floats(last, b * d * n);
    write_floats(grad.x, wide);
    write_floats(grad.delta, wide);
    write_floats(grad.A, d * n);
    write_floats(grad.B, narrow);
    write_floats(grad.C, narrow);
    write_floats(grad.D, d);
    write_floats(grad.z, wide);
    write_floats(grad.bias, d);
    return 0;
}
