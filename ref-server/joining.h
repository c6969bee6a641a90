/* SPDX-License-Identifier: MIT */
/*
 * joining: who is in which room. Rooms are made at the first JOIN [MSG-29], come back from the log, and leave
 * the memory with their last member.
 * It refuses to know what is said in them.
 */
#ifndef REF_SERVER_JOINING_H
#define REF_SERVER_JOINING_H

#include "journal.h"

/* The event JOIN: it is answered now, or when the log has the new room. */
void joining_on_join(struct hub *hub, struct conn *conn, const struct prosa_join *join);

/* The item JOURNAL_JOIN is decided. */
void joining_decided(struct hub *hub, const struct journal_item *item, bool good);

/* The event LEAVE. */
void joining_on_leave(struct hub *hub, struct conn *conn, struct room *room);

/* The session is over: all its rooms are left. */
void joining_on_ended(struct hub *hub, struct conn *conn);

/* The places of a session that is replaced wait for the newer one [MEM-09]. */
void joining_hand_over(struct hub *hub, struct conn *older, struct conn *newer);

/* Says what the connection has not been told of members. */
void joining_tell(struct hub *hub, struct conn *conn);

/* The "@host" that the connection has joined, or NULL. */
struct room *joining_host_room(const struct conn *conn);

/* The room of this name, from the memory or the log. NULL: there is none, or it cannot be read. It is held:
 * hub_release_room(). */
struct room *joining_find(struct hub *hub, struct prosa_bytes name, const uint8_t *client_key);

/* What the log knows of an author is in memory afterwards. NULL: no memory, or the log cannot be read. */
struct room_author *joining_author(struct hub *hub, struct room *room,
                                   const uint8_t key[static PROSA_KEY_SIZE]);

/* The room as the log is to have it; the log gives the number. */
struct store_room joining_record(const struct room *room);

/* Numbers of members that have changed are announced. */
void joining_announce(struct hub *hub);

#endif
