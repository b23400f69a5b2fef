/* Threads come from the OpenMP runtime that the process has already loaded, which is torch's: two
   runtimes would each keep a team of threads spinning, and take the processor from each other. Its
   entry points are looked up while running, so neither the compiler nor the linker has to know it.
   Without one, threads are made for each call. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif

#include "parallel.h"

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

#if !defined(_WIN32)
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#endif

typedef struct {
    void (*work)(void *context, long item, int thread);
    void *context;
    long items;
    long next; /* the first item that nobody has taken */
} job;

#if defined(__SSE__) || defined(_M_X64)
typedef unsigned int settings;
#define FLUSH 0x8040u /* flush to zero, denormals are zero */

static settings flush_denormals(void)
{
    settings before = _mm_getcsr();
    _mm_setcsr(before | FLUSH);
    return before;
}

static void restore(settings before)
{
    _mm_setcsr(before);
}
#elif defined(__aarch64__) && defined(__GNUC__)
typedef unsigned long long settings;
#define FLUSH (1ull << 24) /* FZ: both inputs and results */

static settings flush_denormals(void)
{
    settings before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH));
    return before;
}

static void restore(settings before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
typedef int settings;

static settings flush_denormals(void)
{
    return 0;
}

static void restore(settings before)
{
    (void)before;
}
#endif

static void do_all(const job *all)
{
    settings before = flush_denormals();
    for (long item = 0; item < all->items; item++)
        all->work(all->context, item, 0);
    restore(before);
}

#if defined(_WIN32)

int tinyseg_thread_source(void)
{
    return TINYSEG_SERIAL;
}

void tinyseg_parallel(int threads, long items, void (*work)(void *context, long item, int thread),
                      void *context)
{
    job all = {work, context, items, 0};
    (void)threads;
    do_all(&all);
}

#else

static __thread int inside; /* one of our own threads, or its caller */

static void take_items(job *shared, int thread)
{
    settings before = flush_denormals();
    long item;
    while ((item = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED)) < shared->items)
        shared->work(shared->context, item, thread);
    restore(before);
}

/* --- OpenMP --- */

typedef struct {
    void (*parallel)(void (*body)(void *), void *data, unsigned threads, unsigned flags);
    int (*thread_num)(void);
    int (*num_threads)(void);
} openmp;

/* Looked up anew each time: torch may be imported after this library. */
static int find_openmp(openmp *found)
{
    /* Through a void pointer each, as POSIX has it: ISO C knows no cast to a function. */
    *(void **)&found->parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    *(void **)&found->thread_num = dlsym(RTLD_DEFAULT, "omp_get_thread_num");
    *(void **)&found->num_threads = dlsym(RTLD_DEFAULT, "omp_get_num_threads");
    return found->parallel && found->thread_num && found->num_threads;
}

typedef struct {
    job *shared;
    const openmp *runtime;
} openmp_job;

static void openmp_body(void *data)
{
    openmp_job *ours = data;
    take_items(ours->shared, ours->runtime->thread_num());
}

/* --- threads of our own --- */

typedef struct {
    job *shared;
    pthread_t handle;
    int thread;
} worker;

static void *worker_body(void *data)
{
    worker *ours = data;
    inside = 1;
    take_items(ours->shared, ours->thread);
    return NULL;
}

/* Those that cannot be made are done without: the others take their items. */
static void with_pthreads(int threads, job *shared)
{
    worker *workers = calloc((size_t)threads, sizeof *workers);
    int made = 0;
    while (workers && made < threads - 1) {
        workers[made].shared = shared;
        workers[made].thread = made + 1;
        if (pthread_create(&workers[made].handle, NULL, worker_body, &workers[made]))
            break;
        made++;
    }
    inside = 1;
    take_items(shared, 0);
    inside = 0;
    while (made > 0)
        pthread_join(workers[--made].handle, NULL);
    free(workers);
}

int tinyseg_thread_source(void)
{
    openmp runtime;
    return find_openmp(&runtime) ? TINYSEG_OPENMP : TINYSEG_PTHREADS;
}

/* The whole team is asked for even where items are fewer: libgomp ends the threads that a smaller
   team leaves over, and has to make them again for the next. */
void tinyseg_parallel(int threads, long items, void (*work)(void *context, long item, int thread),
                      void *context)
{
    job shared = {work, context, items, 0};
    openmp runtime;
    int found;
    if (threads <= 1 || items <= 1 || inside) {
        do_all(&shared);
        return;
    }
    found = find_openmp(&runtime);
    if (found && runtime.num_threads() > 1) {
        do_all(&shared);
    } else if (found) {
        openmp_job ours = {&shared, &runtime};
        runtime.parallel(openmp_body, &ours, (unsigned)threads, 0);
    } else {
        with_pthreads(threads, &shared);
    }
}

#endif
