/* SPDX-License-Identifier: MIT */
/*
 * watch: what a process takes: time on the processors, switches between threads, memory. Read from /proc.
 * It refuses to guess: what cannot be read is 0.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

struct watch {
    uint64_t at_ns;         /* when it was read */
    uint64_t cpu_ns;        /* of all threads that live */
    uint64_t verifier_ns;   /* of those whose name is "verifier" */
    uint64_t switches;      /* of all threads that live, voluntary or not */
    uint64_t rss, peak_rss; /* octets */
};

struct watch watch_read(pid_t pid);

/* From here on peak_rss begins anew, if the system allows it. */
void watch_forget_peak(pid_t pid);

/* What was taken between two readings; memory as in the later one. */
struct watch watch_since(const struct watch *before, const struct watch *after);

#endif
