/* SPDX-License-Identifier: MIT */
/* simulation [FIRST [COUNT]]: runs COUNT schedules from seed FIRST on, then the deliberately wrong
 * worlds. Fails when a good schedule violates an invariant, when a wrong world is not noticed, or when
 * something that ought to go wrong in so many schedules never did. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WRONG_SCHEDULES = 300,
    ENOUGH = 200 /* schedules in which everything happens at least once */
};

static const char *const happenings[HAPPENINGS] = {
    [SERVER_KILLED] = "kills of the server",
    [SERVER_STOPPED] = "orderly restarts",
    [CLIENT_KILLED] = "kills of clients",
    [CABLE_CUT] = "cut cables",
    [REPLACED] = "sessions replaced",
    [SLOW_EVICTED] = "slow consumers",
    [FELL_SILENT] = "silences noticed",
    [COMMIT_FAILED] = "refusals of the disk",
    [PRUNED] = "prunings",
    [HISTORY_LOST] = "histories lost and told",
    [ROOM_LEFT] = "rooms left",
    [COVERED] = "checkpoints",
    [COUNTED] = "members counted",
    [READ_FROM_DISK] = "pages read",
};

static struct world world;
static uint64_t happened[HAPPENINGS];

static int run_good(uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *violated = world_run(&world, VARIANT_GOOD, seed, happened);
        if (violated == NULL) {
            continue;
        }
        printf("seed %" PRIu64 ": %s (run: simulation %" PRIu64 " 1)\n", seed, violated, seed);
        return 1;
    }
    printf("%" PRIu64 " schedules from seed %" PRIu64 " keep every invariant\n", count, first);
    return 0;
}

static int tell_happenings(uint64_t count)
{
    int failed = 0;
    for (size_t i = 0; i < HAPPENINGS; i++) {
        printf("%s%" PRIu64 " %s", i == 0 ? "with " : ", ", happened[i], happenings[i]);
        failed |= count >= ENOUGH && happened[i] == 0;
    }
    printf("%s\n", failed ? "\nsomething never happened: these schedules prove little" : "");
    return failed;
}

static int run_wrong(enum variant variant)
{
    static uint64_t unused[HAPPENINGS];
    for (uint64_t seed = 1; seed <= WRONG_SCHEDULES; seed++) {
        const char *violated = world_run(&world, variant, seed, unused);
        if (violated == NULL) {
            continue;
        }
        printf("wrong world %d is noticed at seed %" PRIu64 ": %s\n", (int)variant, seed, violated);
        return 0;
    }
    printf("wrong world %d is not noticed in %d schedules\n", (int)variant, WRONG_SCHEDULES);
    return 1;
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    int failed = prosa_sign_init() != PROSA_OK;

    failed |= run_good(first, count);
    failed |= failed == 0 && tell_happenings(count);
    for (int variant = VARIANT_GOOD + 1; failed == 0 && variant < VARIANT_COUNT; variant++) {
        failed |= run_wrong((enum variant)variant);
    }
    return failed;
}
