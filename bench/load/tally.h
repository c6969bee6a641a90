/* SPDX-License-Identifier: MIT */
/*
 * tally: how long each of many things took, and what half, nearly all and all of them took at most.
 * It refuses to estimate: every time is kept, four octets each, so that a percentile is exact.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <prosa/bytes.h>

struct tally {
    uint32_t *times_us;
    size_t count, cap;
};

struct tally_summary {
    size_t count;
    uint32_t p50_us, p90_us, p99_us, max_us; /* 0 when nothing was counted */
};

/* Times above about 71 minutes count as that. False: no memory. */
PROSA_NODISCARD bool tally_add(struct tally *tally, uint64_t time_ns);

/* Sorts what is there. */
struct tally_summary tally_sum(struct tally *tally);

/* Forgets all; keeps the memory for the next times. */
void tally_clear(struct tally *tally);
void tally_fini(struct tally *tally);

#endif
