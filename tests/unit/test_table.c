/* SPDX-License-Identifier: MIT */
#include "table.h"

#include "check.h"

#include <stdlib.h>

enum { THINGS = 1000 };

/* Keys of all lengths, no two of them equal. */
struct thing {
    uint8_t key[2 + 40];
    size_t size;
};

static struct thing things[THINGS];
static bool is_in[THINGS];
static struct table table;
static const uint8_t seed[TABLE_SEED_SIZE] = {7};

static struct prosa_bytes key_of(const void *thing)
{
    return prosa_bytes(((const struct thing *)thing)->key, ((const struct thing *)thing)->size);
}

static bool agrees(void)
{
    size_t count = 0;
    for (size_t i = 0; i < THINGS; i++) {
        count += is_in[i] ? 1 : 0;
        if (table_find(&table, key_of(&things[i])) != (is_in[i] ? &things[i] : NULL)) {
            return false;
        }
    }
    return table.count == count;
}

static void begin(void)
{
    for (size_t i = 0; i < THINGS; i++) {
        prosa_store_u16(things[i].key, (uint16_t)i);
        things[i].size = 2 + i % 40;
        is_in[i] = false;
    }
    table_init(&table, key_of, seed);
}

static void test_what_is_put_in_is_found_and_nothing_else(void)
{
    begin();
    CHECK(agrees());
    table_remove(&table, key_of(&things[0])); /* of nothing */
    for (size_t i = 0; i < THINGS; i++) {
        CHECK(table_put(&table, &things[i]));
        is_in[i] = true;
    }
    CHECK(agrees());
    CHECK(4 * table.count <= 3 * table.cap && 8 * table.count >= 3 * table.cap);
    for (size_t i = 0; i < THINGS; i++) {
        table_remove(&table, key_of(&things[i]));
        is_in[i] = false;
        CHECK(i % 50 != 0 || agrees());
    }
    CHECK(agrees());
    table_fini(&table);
}

static void test_comings_and_goings_leave_no_hole(void)
{
    uint32_t lot = 1; /* the same course each time */
    begin();
    for (size_t step = 0; step < 20000; step++) {
        lot = lot * 1664525 + 1013904223;
        const size_t i = (lot >> 16) % THINGS;
        if (is_in[i]) {
            table_remove(&table, key_of(&things[i]));
        } else {
            CHECK(table_put(&table, &things[i]));
        }
        is_in[i] = !is_in[i];
        CHECK(step % 500 != 0 || agrees());
    }
    CHECK(agrees());
    table_fini(&table);
}

static void test_the_later_one_of_a_key_takes_the_place(void)
{
    struct thing other;
    begin();
    other = things[5];
    CHECK(table_put(&table, &things[5]) && table_put(&table, &other));
    CHECK(table.count == 1 && table_find(&table, key_of(&things[5])) == &other);
    table_remove(&table, key_of(&things[5]));
    CHECK(table.count == 0 && table_find(&table, key_of(&other)) == NULL);
    table_fini(&table);
}

int main(void)
{
    test_what_is_put_in_is_found_and_nothing_else();
    test_comings_and_goings_leave_no_hole();
    test_the_later_one_of_a_key_takes_the_place();
    return check_result();
}
