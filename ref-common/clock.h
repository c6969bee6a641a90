/* SPDX-License-Identifier: MIT */
/* clock: the clocks of a program, and random octets. The only room that asks the
 * system for them. */
#ifndef REF_COMMON_CLOCK_H
#define REF_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Never goes back, begins anywhere: for deadlines. */
uint64_t clock_now_ms(void);
uint64_t clock_now_ns(void); /* the same clock, in nanoseconds */

/* What the calling thread has had of a processor. */
uint64_t clock_thread_ns(void);

/* Since 1970-01-01T00:00:00Z, as the system believes. */
uint64_t clock_unix_ms(void);

/* Fills at most 256 octets from the system's secure generator; ends the program when there is none. */
void entropy_fill(void *at, size_t size);

#endif
