/* SPDX-License-Identifier: MIT */
/*
 * course: what is done with all members, and measured. Each reports its steps and its end; false: it could
 * not be done, and load->why says why.
 */
#ifndef BENCH_COURSE_H
#define BENCH_COURSE_H

#include "load.h"

/* Every writer says its messages, as window and rate allow, until all readers have been shown all. */
PROSA_NODISCARD bool course_stream(struct load *load);

/* Writers say as much as their credit allows, or `over` windows more, until a line comes on stdin, the
 * seconds are over, or nothing is left; whoever is sent away for it comes again. */
PROSA_NODISCARD bool course_flood(struct load *load);

/* One reader asks for all that was ever said. */
PROSA_NODISCARD bool course_replay(struct load *load);

/* Members arrive and leave at once, `at_once` at a time. */
PROSA_NODISCARD bool course_arrive(struct load *load);

/* The beginning of most: all arrive and join, with a pause after each. */
PROSA_NODISCARD bool course_gather(struct load *load);

#endif
