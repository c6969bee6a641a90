/* SPDX-License-Identifier: MIT */
/* simulation [FIRST [COUNT]]: runs COUNT schedules from seed FIRST on, then the deliberately wrong
 * worlds. Fails when a good schedule violates an invariant, or when a wrong world is not noticed. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WRONG_SCHEDULES = 200 };

static struct world world;

static int run_good(uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *violated = world_run(&world, VARIANT_GOOD, seed);
        if (violated == NULL)
            continue;
        printf("seed %" PRIu64 ": %s (run: simulation %" PRIu64 " 1)\n", seed, violated, seed);
        return 1;
    }
    printf("%" PRIu64 " schedules from seed %" PRIu64 " keep every invariant\n", count, first);
    return 0;
}

static int run_wrong(enum variant variant)
{
    for (uint64_t seed = 1; seed <= WRONG_SCHEDULES; seed++) {
        const char *violated = world_run(&world, variant, seed);
        if (violated == NULL)
            continue;
        printf("wrong world %d is noticed at seed %" PRIu64 ": %s\n", (int)variant, seed, violated);
        return 0;
    }
    printf("wrong world %d is not noticed in %d schedules\n", (int)variant, WRONG_SCHEDULES);
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    int failed = prosa_sign_init() != PROSA_OK;

    failed |= run_good(first, count);
    for (int variant = VARIANT_GOOD + 1; variant < VARIANT_COUNT; variant++)
        failed |= run_wrong((enum variant)variant);
    return failed;
}
