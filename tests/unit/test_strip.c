/* SPDX-License-Identifier: MIT */
#include "strip.h"

#include "check.h"

#include <string.h>

enum { THINGS = 4000 };

struct thing {
    uint8_t *at;
    size_t size;
};

static struct strip strip;
static struct thing things[THINGS];
static size_t begin, end; /* those that are there */

static uint8_t octet_of(size_t i)
{
    return (uint8_t)(i * 37 + 1);
}

static void add(size_t i)
{
    things[i].size = 1 + i * 7919 % 900;
    things[i].at = strip_add(&strip, things[i].size);
    CHECK(things[i].at != NULL);
    memset(things[i].at, octet_of(i), things[i].size);
    end = i + 1;
}

static bool is_whole(const struct thing *thing, uint8_t octet)
{
    for (size_t k = 0; k < thing->size; k++) {
        if (thing->at[k] != octet) {
            return false;
        }
    }
    return true;
}

static bool are_whole(void)
{
    for (size_t i = begin; i < end; i++) {
        if (!is_whole(&things[i], octet_of(i))) {
            return false;
        }
    }
    return true;
}

static void drop_first(void)
{
    strip_drop_first(&strip, things[begin++].size);
}

static void drop_last(void)
{
    strip_drop_last(&strip, things[--end].size);
}

static size_t neighbours(void)
{
    size_t count = 0;
    for (size_t i = begin; i + 1 < end; i++) {
        count += things[i].at + things[i].size == things[i + 1].at ? 1 : 0;
    }
    return count;
}

static void test_things_stay_where_they_are_while_others_come_and_go(void)
{
    strip_init(&strip);
    begin = end = 0;
    for (size_t i = 0; i < THINGS; i++) {
        add(i);
        if (i % 3 == 2) {
            drop_first();
        }
        if (i % 500 == 499) {
            CHECK(are_whole());
        }
    }
    CHECK(neighbours() > (end - begin) * 9 / 10); /* one of them is rarely in another piece */
    while (begin < end) {
        drop_first();
    }
    CHECK(list_is_empty(&strip.pieces)); /* idle, it has no memory */
}

static void test_what_is_taken_back_makes_place_for_others(void)
{
    strip_init(&strip);
    begin = end = 0;
    for (size_t i = 0; i < 300; i++) {
        add(i);
    }
    while (end > 100) {
        drop_last();
    }
    for (size_t i = 100; i < 200; i++) {
        add(i);
    }
    CHECK(are_whole());
    while (end > begin) {
        drop_last();
    }
    CHECK(list_is_empty(&strip.pieces));
}

static void test_a_part_of_the_last_is_given_back(void)
{
    strip_init(&strip);
    uint8_t *first = strip_add(&strip, 100);
    CHECK(first != NULL);
    strip_drop_last(&strip, 40);
    uint8_t *second = strip_add(&strip, 40);
    CHECK(second == first + 60);
    strip_fini(&strip);
    CHECK(list_is_empty(&strip.pieces));
}

static void test_a_thing_may_be_larger_than_any_piece(void)
{
    strip_init(&strip);
    begin = end = 0;
    add(0);
    uint8_t *large = strip_add(&strip, 300000);
    CHECK(large != NULL);
    memset(large, 5, 300000);
    CHECK(are_whole());
    drop_first();
    CHECK(large[0] == 5 && large[299999] == 5);
    strip_fini(&strip);
}

int main(void)
{
    test_things_stay_where_they_are_while_others_come_and_go();
    test_what_is_taken_back_makes_place_for_others();
    test_a_part_of_the_last_is_given_back();
    test_a_thing_may_be_larger_than_any_piece();
    return check_result();
}
