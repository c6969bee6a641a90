/* SPDX-License-Identifier: MIT */
/*
 * strip: octets of things that come at the end and go at the beginning, or are taken back at the end.
 * Neighbours stand side by side, so that many go out as one; what is there stays where it is.
 * It refuses to know where one thing ends and the next begins: its user has the sizes.
 */
#ifndef REF_SERVER_STRIP_H
#define REF_SERVER_STRIP_H

#include "list.h"

#include <prosa/bytes.h>

struct strip {
    struct list pieces;
};

/* Empty; it takes no memory. */
void strip_init(struct strip *strip);
void strip_fini(struct strip *strip);

/* `size` octets, at least 1, at the end, valid until they are dropped. NULL: no memory, nothing is changed.
 */
PROSA_NODISCARD uint8_t *strip_add(struct strip *strip, size_t size);

/* The first thing, or the last one, of `size` octets; also a part of the last one. */
void strip_drop_first(struct strip *strip, size_t size);
void strip_drop_last(struct strip *strip, size_t size);

#endif
