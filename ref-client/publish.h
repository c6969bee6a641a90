/* SPDX-License-Identifier: MIT */
/*
 * publish: lines become messages. What the limit allows is composed, stored, and then sent, in the order of
 * its counters; what is stored already goes first, octet by octet as it was [RES-07] [RES-08].
 * It refuses to send what is not stored.
 */
#ifndef REF_CLIENT_PUBLISH_H
#define REF_CLIENT_PUBLISH_H

#include "client.h"

/* What the limit allows is sent [FLOW-20]; the rest waits [CON-08]. False: the spool failed. */
PROSA_NODISCARD bool publish_waiting(struct client *client, struct prosa_client_session *session,
                                     struct room *room);

/* Everything is sent and acknowledged, in sync also answered [END-13]. */
bool publish_is_done(const struct prosa_client_session *session, const struct room *room);

#endif
