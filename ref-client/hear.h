/* SPDX-License-Identifier: MIT */
/*
 * hear: what the server says. Each event of the session is told to whoever uses the client, and noted in
 * the room that it is about.
 * It refuses to touch the socket, and to send anything but what an event asks for at once.
 */
#ifndef REF_CLIENT_HEAR_H
#define REF_CLIENT_HEAR_H

#include "client.h"

/* Any event but SHUT and ENDED. False: the spool failed. */
PROSA_NODISCARD bool hear(struct client *client, struct prosa_client_session *session,
                          const struct prosa_client_event *event, uint64_t now_ms);

#endif
