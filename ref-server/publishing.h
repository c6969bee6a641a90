/* SPDX-License-Identifier: MIT */
/*
 * publishing: the life of a message: its signature is checked, it gets its place in the room, the log commits
 * it, and then its author, the members and whoever answers hear of it. Retention and CHECKPOINTs, too.
 * It refuses to know who is in a room.
 */
#ifndef REF_SERVER_PUBLISHING_H
#define REF_SERVER_PUBLISHING_H

#include "journal.h"

/* The event PUBLISH. */
void publishing_on_publish(struct hub *hub, struct conn *conn, const struct prosa_server_event *event);

/* Its signature has been checked, or it was dropped. */
void publishing_verified(struct hub *hub, struct conn *conn, const struct verify_task *task);

/* An item JOURNAL_MESSAGE or JOURNAL_OWN is decided. */
void publishing_decided(struct hub *hub, const struct journal_item *item, bool good);

/* Somebody answers a question, or nobody does. */
void publishing_answer(struct hub *hub, const struct verdict *verdict);

/* Something that the server says in `room`, to whoever is in it: false when there is no memory. */
PROSA_NODISCARD bool publishing_say(struct hub *hub, struct room *room, struct prosa_bytes text);

/* The event CHECKPOINT. */
void publishing_on_checkpoint(struct hub *hub, struct conn *conn, struct room *room, uint64_t room_seq);

/* Entries beyond retention are dropped; members that are overtaken by that have a turn [FLOW-40]. */
void publishing_retain(struct hub *hub);

/* Entries that are older than they are kept are dropped, in all rooms of the log. */
void publishing_forget_old(struct hub *hub);

#endif
