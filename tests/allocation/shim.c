/* SPDX-License-Identifier: MIT */
/*
 * shim: memory that runs out for a whole program, by LD_PRELOAD. PROSA_SCARCE names a file of three numbers
 * of 64 bits, which the program and the test share: how many allocations there were, and from which to which
 * of them they fail. Who sets them counts from there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For what the dynamic linker allocates while it looks the others up. */
#define EARLY_SIZE 65536

struct control {
    _Atomic uint64_t count, from, to;
};

static struct control *control;
static alignas(max_align_t) unsigned char early[EARLY_SIZE];
static size_t early_used;

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
} real;

static void find(void *function, const char *name)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
}

static bool is_ready(void)
{
    static bool begun;
    if (!begun) {
        begun = true;
        find(&real.calloc, "calloc");
        find(&real.realloc, "realloc");
        find(&real.free, "free");
        find(&real.posix_memalign, "posix_memalign");
        find(&real.aligned_alloc, "aligned_alloc");
        find(&real.malloc, "malloc");
    }
    return real.malloc != NULL;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PROSA_SCARCE");
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = at != MAP_FAILED ? at : NULL;
        close(fd);
    }
}

static bool fails(void)
{
    if (control == NULL) {
        return false;
    }
    const uint64_t number = atomic_fetch_add(&control->count, 1) + 1;
    if (number < control->from || number > control->to) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void *take_early(size_t size)
{
    const size_t at = early_used;
    early_used += (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (early_used > EARLY_SIZE) {
        abort();
    }
    return early + at;
}

static bool is_early(const void *at)
{
    return (uintptr_t)at - (uintptr_t)early < EARLY_SIZE;
}

void *malloc(size_t size)
{
    if (!is_ready()) {
        return take_early(size);
    }
    return fails() ? NULL : real.malloc(size);
}

void *calloc(size_t number, size_t size)
{
    if (!is_ready()) {
        return take_early(number * size); /* as the program found it: zero */
    }
    return fails() ? NULL : real.calloc(number, size);
}

void *realloc(void *at, size_t size)
{
    if (is_early(at)) {
        void *moved = malloc(size);
        if (moved != NULL) {
            const size_t left = EARLY_SIZE - ((uintptr_t)at - (uintptr_t)early);
            memcpy(moved, at, size < left ? size : left);
        }
        return moved;
    }
    return !is_ready() || fails() ? NULL : real.realloc(at, size);
}

void free(void *at)
{
    if (at != NULL && !is_early(at) && is_ready()) {
        real.free(at);
    }
}

int posix_memalign(void **at, size_t alignment, size_t size)
{
    return !is_ready() || fails() ? ENOMEM : real.posix_memalign(at, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return !is_ready() || fails() ? NULL : real.aligned_alloc(alignment, size);
}
