/* SPDX-License-Identifier: MIT */
/*
 * wishes: what a person wants of the rooms is done when there is a session for it: JOIN, from where the
 * room was shown; LEAVE; and history, which is a LEAVE and a JOIN from further back.
 * It refuses to decide what is wanted.
 */
#ifndef REF_CLIENT_WISHES_H
#define REF_CLIENT_WISHES_H

#include "client.h"

/* Does what can be done now. False: the spool failed. */
PROSA_NODISCARD bool wishes_tend(struct client *client, struct prosa_client_session *session);

/* The same without a session: only rooms that are not joined can be left. */
void wishes_tend_alone(struct client *client);

/* Forgets a room, and says so when lines for it were never sent. */
void wishes_forget(struct client *client, struct room *room);

#endif
