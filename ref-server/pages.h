/* SPDX-License-Identifier: MIT */
/*
 * pages: entries that are no longer in a room's memory, read from the store a page at a time, and kept for
 * the next reader, for a replay goes through a log in order and many come at once after a restart.
 * It refuses to grow: the page that was not looked at for longest makes way.
 */
#ifndef REF_SERVER_PAGES_H
#define REF_SERVER_PAGES_H

#include "store.h"

struct pages;

/* NULL: no memory. The store is borrowed. */
PROSA_NODISCARD struct pages *pages_new(struct store *store);
void pages_free(struct pages *pages);

/* The DELIVER of an entry that is committed. Valid until PROSA_BATCH_SLICES other entries were asked for.
 * Empty: it cannot be read (the store has failed, or it was pruned). */
PROSA_NODISCARD struct prosa_bytes pages_entry(struct pages *pages, int64_t room, uint64_t room_seq);

/* Nobody asks for what is below `oldest_seq` any more: pages that have nothing else go. Nothing is lent now.
 */
void pages_forget(struct pages *pages, int64_t room, uint64_t oldest_seq);

/* Octets that all pages take. */
size_t pages_octets(const struct pages *pages);

#endif
