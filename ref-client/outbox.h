/* SPDX-License-Identifier: MIT */
/*
 * outbox: lines that wait until the limit allows them to be sent [CON-08], first in, first out.
 * It refuses to take more when OUTBOX_LIMIT octets are full; whoever fills it stops reading then.
 */
#ifndef REF_CLIENT_OUTBOX_H
#define REF_CLIENT_OUTBOX_H

#include <prosa/bytes.h>

/* Octets; room for 2,000 lines of the greatest length. */
#define OUTBOX_LIMIT ((size_t)8 << 20)

struct outbox {
    uint8_t *at; /* each line after its length in two octets */
    size_t begin, end, cap;
    size_t count;
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);

/* True when a line of any length up to 4,096 octets has room. */
bool outbox_has_room(const struct outbox *outbox);

/* Copies a line of at most 65,535 octets. False: the limit is reached, or there is no memory. */
PROSA_NODISCARD bool outbox_put(struct outbox *outbox, struct prosa_bytes line);

/* The oldest line; false when there is none. *line is valid until the next call but this one. */
PROSA_NODISCARD bool outbox_peek(const struct outbox *outbox, struct prosa_bytes *line);

/* Moves *line, which outbox_peek or this gave, to the one behind it; false when there is none. */
PROSA_NODISCARD bool outbox_after(const struct outbox *outbox, struct prosa_bytes *line);

/* Forgets the oldest line, of which there is one. */
void outbox_drop(struct outbox *outbox);

#endif
