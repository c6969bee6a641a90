/* SPDX-License-Identifier: MIT */
/*
 * table: things that are found by a key that is in them: pointers in one piece of memory. Keys come from
 * strangers, so where one stands depends on a secret (SipHash of libsodium).
 * It refuses to own the things, and to give an order to them.
 */
#ifndef REF_SERVER_TABLE_H
#define REF_SERVER_TABLE_H

#include <prosa/bytes.h>

#define TABLE_SEED_SIZE 16

struct table {
    struct prosa_bytes (*key_of)(const void *thing);
    void **places; /* a power of two of them, a fourth at least is NULL; or NULL */
    size_t count, cap;
    uint8_t seed[TABLE_SEED_SIZE];
};

/* `seed`: of a secure generator; more than one table may have it. The key of a thing that is in the table
 * does not change. */
void table_init(struct table *table, struct prosa_bytes (*key_of)(const void *thing),
                const uint8_t seed[static TABLE_SEED_SIZE]);
void table_fini(struct table *table);

/* NULL: there is none. */
void *table_find(const struct table *table, struct prosa_bytes key);

/* Puts the thing in; it takes the place of the one that has its key. False: no memory, nothing has changed.
 */
PROSA_NODISCARD bool table_put(struct table *table, void *thing);

/* Takes the one of this key out, if there is one. */
void table_remove(struct table *table, struct prosa_bytes key);

#endif
