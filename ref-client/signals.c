/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stops, resumes, resizes;

static void count(int number)
{
    switch (number) {
    case SIGCONT:
        resumes++;
        break;
    case SIGWINCH:
        resizes++;
        break;
    default:
        stops++;
        break;
    }
}

void signals_init(void)
{
    static const int counted[] = {SIGINT, SIGTERM, SIGHUP, SIGCONT, SIGWINCH};
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigset_t held;

    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = count;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        sigaction(counted[i], &action, NULL);
        sigaddset(&held, counted[i]);
    }
    sigprocmask(SIG_BLOCK, &held, NULL);
}

int signals_poll(struct pollfd *fds, nfds_t count_of_fds, uint64_t timeout_ms)
{
    sigset_t none;
    sigemptyset(&none);
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                                     .tv_nsec = (long)(timeout_ms % 1000 * 1000000)};
    const int ready = ppoll(fds, count_of_fds, timeout_ms == UINT64_MAX ? NULL : &timeout, &none);
    if (ready >= 0) {
        return ready;
    }
    if (errno != EINTR) {
        return -errno;
    }
    for (nfds_t i = 0; i < count_of_fds; i++) {
        fds[i].revents = 0;
    }
    return 0;
}

struct signals_seen signals_seen(void)
{
    return (struct signals_seen){
        .stops = (unsigned)stops, .resumes = (unsigned)resumes, .resizes = (unsigned)resizes};
}
