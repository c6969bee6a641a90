/* SPDX-License-Identifier: MIT */
/*
 * age: what time it is for what is deleted for its age. The wall clock may be set to any time at any moment,
 * and what was deleted does not come back: so a step forward is believed only when it has held for a day.
 * It refuses to ask a clock, and to know what is old.
 */
#ifndef REF_SERVER_AGE_H
#define REF_SERVER_AGE_H

#include <stdbool.h>
#include <stdint.h>

/* A wall clock that is ahead by more than this has been set; up to it, it is followed. */
#define AGE_STEP_MS 60000

/* How long a step forward has to hold. */
#define AGE_DOUBT_MS 86400000

/* All zero at the beginning. */
struct age {
    bool begun, doubts;
    int64_t offset_ms; /* of the wall clock, as it is believed, from the one that never goes back */
    uint64_t since_ms; /* doubts: by the latter, since when */
};

/* The time of day that is believed, in ms since 1970. `wall_ms` is what the system says, `now_ms` a clock
 * that never goes back. *ahead_ms: 0, or by how much a step that has just been seen goes forward. */
uint64_t age_now(struct age *age, uint64_t wall_ms, uint64_t now_ms, uint64_t *ahead_ms);

#endif
