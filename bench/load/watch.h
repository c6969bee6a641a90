/* SPDX-License-Identifier: MIT */
/*
 * watch: what a process takes: time on the processors, switches between threads, memory, from /proc; and of
 * that the time it spends on signatures, which it counts itself. It refuses to guess: what cannot be read is
 * 0.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <netinet/in.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

struct watched {
    pid_t pid;                   /* 0: nobody */
    struct sockaddr_in counters; /* where GET /metrics tells prosa_verify_seconds_total; family 0: nowhere */
};

struct watch {
    uint64_t at_ns;         /* when it was read */
    uint64_t cpu_ns;        /* of all threads that live */
    uint64_t verifier_ns;   /* of that, on signatures, as the process says */
    uint64_t switches;      /* of all threads that live, voluntary or not */
    uint64_t rss, peak_rss; /* octets */
};

struct watch watch_read(const struct watched *watched);

/* From here on peak_rss begins anew, if the system allows it. */
void watch_forget_peak(pid_t pid);

/* What was taken between two readings; memory as in the later one. */
struct watch watch_since(const struct watch *before, const struct watch *after);

#endif
