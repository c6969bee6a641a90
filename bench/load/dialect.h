/* SPDX-License-Identifier: MIT */
/*
 * dialect: how one protocol greets, joins, says and shows. Each is a table of functions; none of them
 * waits, and what they have to send they give to member_say().
 * It refuses to count and to compare: the load and its judge do.
 */
#ifndef BENCH_DIALECT_H
#define BENCH_DIALECT_H

#include <prosa/bytes.h>

struct member;

/* What `take` made of the octets that came. */
#define DIALECT_BROKEN SIZE_MAX

struct dialect {
    const char *name;
    bool writers_apart; /* whoever writes is not shown its own messages: it is no reader */
    bool repeats;       /* the same octets may be said again */

    /* Before anything is measured: whatever a member has of its own, in `talk`. False: no memory. */
    bool (*make)(struct member *member);

    /* The connection stands. False: no memory. */
    bool (*greet)(struct member *member);

    /* Octets came: calls member_is_present, member_has_joined, load_shown, ... Returns how many of them
     * it is done with; the others come again, with more behind them. DIALECT_BROKEN after member_lose. */
    size_t (*take)(struct member *member, const uint8_t *at, size_t size);

    /* It is present, and shall join. */
    bool (*join)(struct member *member);

    /* NULL, or where nobody says when a subscription holds: a writer that has joined says something of no
     * run, again and again until all readers have been shown it. False: the writer is lost. */
    bool (*probe)(struct member *member);

    /* Writes the message `index` of this writer; all of one writer have one size. 0: it cannot. */
    size_t (*write)(struct member *member, uint32_t index, uint8_t *out, size_t cap);
};

extern const struct dialect dialect_prosa, dialect_relay, dialect_redis, dialect_nats, dialect_mqtt,
    dialect_irc, dialect_zmtp;

/* NULL: there is none of this name. */
const struct dialect *dialect_find(const char *name);

#endif
