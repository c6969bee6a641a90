/* SPDX-License-Identifier: MIT */
#include "age.h"
#include "check.h"

#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)

static const uint64_t day_one = UINT64_C(1700000000000);

static uint64_t ask(struct age *age, uint64_t wall_ms, uint64_t now_ms)
{
    uint64_t ahead_ms;
    return age_now(age, wall_ms, now_ms, &ahead_ms);
}

static void test_it_follows_a_clock_that_is_not_set(void)
{
    struct age age = {0};
    CHECK(ask(&age, day_one, 5) == day_one);
    for (uint64_t minute = 1; minute < 1000; minute++) { /* half a second a minute fast */
        const uint64_t wall = day_one + minute * 60500;
        CHECK(ask(&age, wall, 5 + minute * 60000) == wall);
    }
}

static void test_a_step_forward_has_to_hold_for_a_day(void)
{
    struct age age = {0};
    uint64_t ahead_ms;
    CHECK(age_now(&age, day_one, 0, &ahead_ms) == day_one && ahead_ms == 0);
    CHECK(age_now(&age, day_one + YEAR + 60000, 60000, &ahead_ms) == day_one + 60000 && ahead_ms == YEAR);
    CHECK(age_now(&age, day_one + YEAR + DAY, DAY, &ahead_ms) == day_one + DAY && ahead_ms == 0);
    CHECK(ask(&age, day_one + YEAR + DAY + 60000, DAY + 60000) == day_one + YEAR + DAY + 60000);
    CHECK(ask(&age, day_one + YEAR + DAY + HOUR, DAY + HOUR) == day_one + YEAR + DAY + HOUR);
}

static void test_a_step_that_is_taken_back_was_never_believed(void)
{
    struct age age = {0};
    uint64_t ahead_ms;
    CHECK(ask(&age, day_one, 0) == day_one);
    CHECK(ask(&age, day_one + YEAR, HOUR) == day_one + HOUR);
    CHECK(ask(&age, day_one + 2 * HOUR, 2 * HOUR) == day_one + 2 * HOUR);
    /* The day of the next one begins anew. */
    CHECK(age_now(&age, day_one + YEAR, DAY, &ahead_ms) == day_one + DAY && ahead_ms == YEAR - DAY);
    CHECK(ask(&age, day_one + YEAR + HOUR, DAY + HOUR) == day_one + DAY + HOUR);
}

static void test_a_step_back_is_believed(void)
{
    struct age age = {0};
    CHECK(ask(&age, day_one, HOUR) == day_one);
    CHECK(ask(&age, day_one - YEAR, 2 * HOUR) == day_one - YEAR);
    CHECK(ask(&age, 0, 3 * HOUR) == 0);
    CHECK(ask(&age, 1000, 3 * HOUR + 1000) == 1000);
    CHECK(ask(&age, day_one, 3 * HOUR + 2000) == 2000); /* and the way forth is a step */
}

int main(void)
{
    test_it_follows_a_clock_that_is_not_set();
    test_a_step_forward_has_to_hold_for_a_day();
    test_a_step_that_is_taken_back_was_never_believed();
    test_a_step_back_is_believed();
    return check_result();
}
