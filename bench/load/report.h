/* SPDX-License-Identifier: MIT */
/*
 * report: what a course tells on stdout: one JSON object a line, flushed at once.
 * It refuses to judge; whoever reads it knows what was wanted.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "load.h"

/* What this process and the server had taken when something began. */
struct span {
    struct watch self, server;
};

struct span span_begin(const struct load *load);

/* A step is done: "present", "joined". `each`: how long it took each. */
void report_step(const struct load *load, const char *event, const struct span *span,
                 const struct tally_summary *each);

/* The end of a course. `seconds_end_ns`: when that which was measured was over, on clock_now_ns(). */
void report_done(struct load *load, const struct span *span, uint64_t end_ns);

/* A word alone: "flooding". */
void report_word(const char *event);

/* It could not be done. */
void report_failed(const char *why);

#endif
