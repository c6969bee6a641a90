/* SPDX-License-Identifier: MIT */
#include "verifier.h"

#include "check.h"

#include <poll.h>
#include <stdlib.h>

enum { LANES = 3, TASKS = 200 };

#define LONG_NS UINT64_C(60000000000)

static struct prosa_keypair ada;
static struct verifier verifier;
static struct lane lanes[LANES];

/* A frame that is signed, or is not: only that matters here. */
static struct verify_task *make_task(uint64_t counter, bool good)
{
    uint8_t frame[PROSA_HEADER_SIZE + 100] = {0};
    uint8_t signature[PROSA_SIGNATURE_SIZE];
    const struct prosa_bytes octets = prosa_bytes(frame, sizeof frame);
    const struct prosa_bytes body = prosa_bytes(frame + PROSA_HEADER_SIZE, 100);
    prosa_store_u64(frame + PROSA_HEADER_SIZE, counter);
    if (prosa_sign(&ada, PROSA_LABEL(MESSAGE), body, signature) != PROSA_OK) {
        return NULL;
    }
    frame[PROSA_HEADER_SIZE + 99] ^= good ? 0 : 1;
    const struct prosa_verify_job job = {.key = prosa_bytes(ada.key, PROSA_KEY_SIZE),
                                         .label = PROSA_LABEL(MESSAGE),
                                         .message = body,
                                         .signature = prosa_bytes(signature, sizeof signature)};
    struct verify_task *task = verify_task_new(octets, body, &job);
    if (task != NULL) {
        task->counter = counter;
    }
    return task;
}

/* The next verdict, waiting for it as the server's loop does. */
static struct verify_task *next(void)
{
    struct verify_task *task;
    while ((task = verifier_next(&verifier, true)) == NULL) {
        struct pollfd wake = {.fd = verifier.wake, .events = POLLIN};
        if (verifier_help(&verifier, LONG_NS) != VERIFIER_SLEEPS) {
            continue;
        }
        if (poll(&wake, 1, 60000) != 1) {
            return NULL;
        }
        verifier_hear(&verifier);
    }
    return task;
}

static bool begin(size_t count)
{
    for (size_t i = 0; i < LANES; i++) {
        lane_init(&lanes[i], &lanes[i]);
    }
    return verifier_init(&verifier, count) == 0;
}

static void end(void)
{
    verifier_fini(&verifier);
    for (size_t i = 0; i < LANES; i++) {
        lane_fini(&lanes[i]);
    }
}

static void test_in_order_for_each_lane(size_t count)
{
    uint64_t last[LANES] = {0};
    unsigned wrong = 0;
    CHECK(begin(count));
    for (uint64_t n = 1; n <= TASKS; n++) {
        for (size_t i = 0; i < LANES; i++) {
            verifier_put(&verifier, &lanes[i], make_task(n, n % 7 != i));
        }
    }
    for (size_t i = 0; i < (size_t)LANES * TASKS; i++) {
        struct verify_task *task = next();
        if (!CHECK(task != NULL)) {
            break;
        }
        const size_t lane = (size_t)(task->lane - lanes);
        wrong += task->counter == ++last[lane] ? 0 : 1;
        wrong += (task->status == PROSA_OK) == (task->counter % 7 != lane) ? 0 : 1;
        free(task);
    }
    CHECK(wrong == 0);
    CHECK(verifier_next(&verifier, true) == NULL && verifier_waiting(&verifier) == 0);
    uint64_t checked, spent_ns;
    verifier_measure(&verifier, &checked, &spent_ns);
    CHECK(checked == (uint64_t)LANES * TASKS && spent_ns > 0);
    end();
}

/* One who has put in very many does not stand in front of one who puts in a few: the verdicts of the few
 * come before the last of the many. */
static void test_fair_between_lanes(void)
{
    CHECK(begin(1));
    for (uint64_t n = 1; n <= TASKS; n++) {
        verifier_put(&verifier, &lanes[0], make_task(n, true));
    }
    verifier_put(&verifier, &lanes[1], make_task(1, true));
    PROSA_CLAUSE("FLOW-42");
    struct verify_task *task = NULL;
    uint64_t before = 0;
    do {
        free(task);
        task = next();
        before++;
    } while (task != NULL && task->lane == &lanes[0]);
    CHECK(task != NULL && before < TASKS);
    free(task);
    end(); /* with tasks that are waiting, and verdicts that nobody took */
}

static void put(size_t lane, uint64_t counter)
{
    verifier_put(&verifier, &lanes[lane], make_task(counter, true));
}

/* Takes all verdicts that there are; how many are of each lane. */
static void count_verdicts(size_t of_lane[static LANES], bool all)
{
    struct verify_task *task;
    memset(of_lane, 0, LANES * sizeof *of_lane);
    while ((task = verifier_next(&verifier, all)) != NULL) {
        of_lane[task->lane - lanes]++;
        free(task);
    }
}

/* One who says something now and then does not wait for anybody who has much to be checked, and its verdict
 * does not wait for theirs; who comes back before its turn would have come takes that turn. */
static void test_newcomers_go_first(void)
{
    size_t of_lane[LANES];
    CHECK(begin(1));
    for (uint64_t n = 1; n <= TASKS; n++) {
        put(0, n);
        put(1, n);
    }
    PROSA_CLAUSE("FLOW-42");
    CHECK(verifier_help(&verifier, LONG_NS) == VERIFIER_WORKS); /* verdicts of many wait for more */
    put(2, 1);
    CHECK(verifier_help(&verifier, LONG_NS) == VERIFIER_HURRIES); /* the others go on waiting for more */
    count_verdicts(of_lane, false);
    CHECK(of_lane[0] == 0 && of_lane[1] == 0 && of_lane[2] == 1);
    put(2, 2);
    CHECK(verifier_help(&verifier, 0) == VERIFIER_TELLS); /* no patience; it is not lane 2's turn */
    count_verdicts(of_lane, true);
    CHECK(of_lane[0] == 2 && of_lane[1] == 2 && of_lane[2] == 0);
    while (verifier_help(&verifier, LONG_NS) == VERIFIER_WORKS) {
    }
    count_verdicts(of_lane, true);
    CHECK(of_lane[0] == TASKS - 2 && of_lane[1] == TASKS - 2 && of_lane[2] == 1);
    CHECK(verifier_help(&verifier, LONG_NS) == VERIFIER_SLEEPS);
    end();
}

/* Verdicts can be taken at any time: that a newcomer had one before is no reason not to check what waits now.
 */
static void test_nobody_waits_for_a_newcomer_that_is_gone(void)
{
    size_t of_lane[LANES];
    CHECK(begin(1));
    for (size_t i = 0; i < LANES; i++) {
        put(i, 1);
    }
    CHECK(verifier_help(&verifier, LONG_NS) == VERIFIER_WORKS); /* two of three */
    count_verdicts(of_lane, true);
    verifier_drop(&verifier, &lanes[2]);
    count_verdicts(of_lane, true);
    put(0, 2); /* its turn is not over: it is no newcomer */
    PROSA_CLAUSE("FLOW-42");
    CHECK(verifier_help(&verifier, LONG_NS) == VERIFIER_TELLS);
    count_verdicts(of_lane, true);
    CHECK(of_lane[0] == 1);
    end();
}

static void test_dropped_ones_come_back(void)
{
    unsigned dropped = 0;
    CHECK(begin(2));
    for (uint64_t n = 1; n <= TASKS; n++) {
        verifier_put(&verifier, &lanes[0], make_task(n, true));
    }
    PROSA_CLAUSE("END-14");
    verifier_drop(&verifier, &lanes[0]);
    verifier_put(&verifier, &lanes[0], make_task(TASKS + 1, true));
    for (uint64_t n = 1; n <= TASKS + 1; n++) {
        struct verify_task *task = next();
        CHECK(task != NULL && task->counter == n);
        dropped += task != NULL && task->dropped ? 1 : 0;
        free(task);
    }
    CHECK(dropped == TASKS && verifier_waiting(&verifier) == 0);
    end();
}

int main(void)
{
    static const uint8_t seed[PROSA_KEY_SIZE] = {7};
    CHECK(prosa_sign_init() == PROSA_OK);
    prosa_keypair_from_seed(&ada, seed);
    test_in_order_for_each_lane(1);
    test_in_order_for_each_lane(4);
    test_fair_between_lanes();
    test_newcomers_go_first();
    test_nobody_waits_for_a_newcomer_that_is_gone();
    test_dropped_ones_come_back();
    return check_result();
}
