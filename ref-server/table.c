/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <sodium.h>
#include <stdlib.h>

#define SMALLEST 16u

_Static_assert(crypto_shorthash_KEYBYTES == TABLE_SEED_SIZE, "SipHash-2-4");
_Static_assert(crypto_shorthash_BYTES == 8, "SipHash-2-4");

void table_init(struct table *table, struct prosa_bytes (*key_of)(const void *thing),
                const uint8_t seed[static TABLE_SEED_SIZE])
{
    *table = (struct table){.key_of = key_of};
    memcpy(table->seed, seed, TABLE_SEED_SIZE);
}

void table_fini(struct table *table)
{
    free(table->places);
    table->places = NULL;
    table->count = table->cap = 0;
}

/* Where a key stands, unless others stand there: then behind them. */
static size_t home_of(const struct table *table, struct prosa_bytes key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, key.at, key.size, table->seed);
    return (size_t)prosa_load_u64(hash) & (table->cap - 1);
}

/* The place of the key, or the free one where it would stand. There are places. */
static size_t place_of(const struct table *table, struct prosa_bytes key)
{
    size_t place = home_of(table, key);
    while (table->places[place] != NULL && !prosa_bytes_equal(table->key_of(table->places[place]), key)) {
        place = (place + 1) & (table->cap - 1);
    }
    return place;
}

void *table_find(const struct table *table, struct prosa_bytes key)
{
    return table->count > 0 ? table->places[place_of(table, key)] : NULL;
}

/* Room for one more. */
static bool make_place(struct table *table)
{
    if (4 * (table->count + 1) <= 3 * table->cap) {
        return true;
    }
    struct table grown = *table;
    grown.cap = table->cap == 0 ? SMALLEST : 2 * table->cap;
    grown.places = calloc(grown.cap, sizeof *grown.places);
    if (grown.places == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->cap; i++) {
        if (table->places[i] != NULL) {
            grown.places[place_of(&grown, table->key_of(table->places[i]))] = table->places[i];
        }
    }
    void **old = table->places;
    table->places = grown.places;
    table->cap = grown.cap;
    free(old);
    return true;
}

bool table_put(struct table *table, void *thing)
{
    if (!make_place(table)) {
        return false;
    }
    void **place = &table->places[place_of(table, table->key_of(thing))];
    table->count += *place == NULL ? 1 : 0;
    *place = thing;
    return true;
}

void table_remove(struct table *table, struct prosa_bytes key)
{
    const size_t mask = table->cap - 1;
    if (table_find(table, key) == NULL) {
        return;
    }
    size_t gap = place_of(table, key);
    /* Those behind the gap that were pushed there move up, so that the way to them has no hole. */
    for (size_t at = (gap + 1) & mask; table->places[at] != NULL; at = (at + 1) & mask) {
        const size_t home = home_of(table, table->key_of(table->places[at]));
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            table->places[gap] = table->places[at];
            gap = at;
        }
    }
    table->places[gap] = NULL;
    table->count--;
}
