/* SPDX-License-Identifier: MIT */
#include "age.h"

uint64_t age_now(struct age *age, uint64_t wall_ms, uint64_t now_ms, uint64_t *ahead_ms)
{
    const int64_t offset_ms = (int64_t)(wall_ms - now_ms);
    const int64_t step_ms = age->begun ? offset_ms - age->offset_ms : 0;
    const bool jumps = step_ms > AGE_STEP_MS;
    const bool holds = jumps && age->doubts && now_ms - age->since_ms >= AGE_DOUBT_MS;
    *ahead_ms = jumps && !age->doubts ? (uint64_t)step_ms : 0;
    if (*ahead_ms > 0) {
        age->since_ms = now_ms;
    }
    if (!jumps || holds) {
        age->offset_ms = offset_ms;
    }
    age->doubts = jumps && !holds;
    age->begun = true;
    const int64_t believed_ms = (int64_t)now_ms + age->offset_ms;
    return believed_ms > 0 ? (uint64_t)believed_ms : 0;
}
