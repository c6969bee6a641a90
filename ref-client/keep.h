/* SPDX-License-Identifier: MIT */
/*
 * keep: what of a session goes to the spool, and what JOINED makes of what was kept.
 * It refuses to show messages or to send them; it only says which will never be sent.
 */
#ifndef REF_CLIENT_KEEP_H
#define REF_CLIENT_KEEP_H

#include "client.h"

/* After JOINED: the messages that the server has are told as acknowledged, those that can never be sent as
 * such, with their text; the others are numbered on from there [RES-08]. False: the spool failed. */
PROSA_NODISCARD bool keep_settle(struct client *client, struct room *room,
                                 const struct prosa_client_session *session);

/* Stores, in one transaction, how far all rooms have come: what was shown before is on the disk then, and
 * what the server has taken for good is not any more. False: likewise. */
PROSA_NODISCARD bool keep_rooms(struct client *client);

#endif
