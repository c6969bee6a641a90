/* SPDX-License-Identifier: MIT */
/*
 * clock: a clock that a test sets, by LD_PRELOAD. PROSA_CLOCK names a file of two numbers of 64 bits, which
 * the program and the test share: milliseconds by which the time of day is ahead, and by which the clock is
 * that never goes back. Other programs, and how long a wait takes, are not touched.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic int64_t wall_ms, monotonic_ms;
};

static struct control *control;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PROSA_CLOCK");
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = at != MAP_FAILED ? at : NULL;
        close(fd);
    }
}

static int64_t ahead_ms(clockid_t id)
{
    if (control == NULL) {
        return 0;
    }
    return id == CLOCK_REALTIME ? control->wall_ms : id == CLOCK_MONOTONIC ? control->monotonic_ms : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    const int result = (int)syscall(SYS_clock_gettime, id, now);
    if (result == 0) {
        const int64_t ns = now->tv_nsec + ahead_ms(id) % 1000 * 1000000;
        const int64_t carry = ns >= 1000000000 ? 1 : ns < 0 ? -1 : 0;
        now->tv_sec += ahead_ms(id) / 1000 + carry;
        now->tv_nsec = ns - carry * 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    const int result = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return result;
}

time_t time(time_t *now)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now != NULL) {
        *now = exact.tv_sec;
    }
    return exact.tv_sec;
}
