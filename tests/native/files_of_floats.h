/* Raw floats from standard input and to standard output, for programs that tests compile. */
#ifndef TINYSEG_FILES_OF_FLOATS_H
#define TINYSEG_FILES_OF_FLOATS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static float *zeros(int64_t count)
{
    float *values = calloc((size_t)count, sizeof(float));
    if (!values)
        exit(2);
    return values;
}

static void read_sizes(int64_t *sizes, int64_t count)
{
    if (fread(sizes, sizeof(int64_t), (size_t)count, stdin) != (size_t)count)
        exit(3);
}

static float *read_floats(int64_t count)
{
    float *values = zeros(count);
    if (fread(values, sizeof(float), (size_t)count, stdin) != (size_t)count)
        exit(3);
    return values;
}

static void write_floats(const float *values, int64_t count)
{
    if (fwrite(values, sizeof(float), (size_t)count, stdout) != (size_t)count)
        exit(4);
}

#endif
