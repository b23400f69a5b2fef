/* Work shared out over threads. */
#ifndef TINYSEG_PARALLEL_H
#define TINYSEG_PARALLEL_H

#include "dispatch.h"

/* Calls work(context, item, thread) once for every item in 0 .. items - 1, on at most `threads`
   threads that are numbered from 0; returns when all are done.

   Which thread takes an item is left open, so what an item computes must not depend on it; `thread`
   is there to pick scratch memory. One thread, or a call from inside a parallel region, does all
   items in order as thread 0. Denormals are read and written as zero meanwhile; every thread has
   its own floating-point settings back afterwards. */
TINYSEG_EXPORT void tinyseg_parallel(int threads, long items,
                                     void (*work)(void *context, long item, int thread),
                                     void *context);

/* Bytes to leave free around what one thread writes all the time: processors fetch ahead up to the
   end of a page, and so take lines that are about to be written from each other's caches. */
enum { TINYSEG_APART = 4096 };

/* Where threads come from in this process, as it stands now. */
enum { TINYSEG_SERIAL = 0, TINYSEG_PTHREADS = 1, TINYSEG_OPENMP = 2 };
TINYSEG_EXPORT int tinyseg_thread_source(void);

#endif
