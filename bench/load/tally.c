/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include <stdlib.h>

#define FIRST_CAP 1024

static bool grow(struct tally *tally)
{
    const size_t cap = tally->cap == 0 ? FIRST_CAP : 2 * tally->cap;
    uint32_t *times_us = realloc(tally->times_us, cap * sizeof *times_us);
    if (times_us == NULL) {
        return false;
    }
    tally->times_us = times_us;
    tally->cap = cap;
    return true;
}

bool tally_add(struct tally *tally, uint64_t time_ns)
{
    const uint64_t time_us = time_ns / 1000;
    if (tally->count == tally->cap && !grow(tally)) {
        return false;
    }
    tally->times_us[tally->count++] = time_us < UINT32_MAX ? (uint32_t)time_us : UINT32_MAX;
    return true;
}

static int compare(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* The smallest time that `percent` of all do not exceed. */
static uint32_t percentile(const struct tally *tally, size_t percent)
{
    const size_t rank = (tally->count * percent + 99) / 100;
    return tally->times_us[rank > 0 ? rank - 1 : 0];
}

struct tally_summary tally_sum(struct tally *tally)
{
    if (tally->count == 0) {
        return (struct tally_summary){0};
    }
    qsort(tally->times_us, tally->count, sizeof *tally->times_us, compare);
    return (struct tally_summary){.count = tally->count,
                                  .p50_us = percentile(tally, 50),
                                  .p90_us = percentile(tally, 90),
                                  .p99_us = percentile(tally, 99),
                                  .max_us = percentile(tally, 100)};
}

void tally_clear(struct tally *tally)
{
    tally->count = 0;
}

void tally_fini(struct tally *tally)
{
    free(tally->times_us);
    *tally = (struct tally){0};
}
