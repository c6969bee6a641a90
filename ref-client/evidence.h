/* SPDX-License-Identifier: MIT */
/*
 * evidence: what shows that a server told two histories of one room, in files that a person can hand on
 * [AUD-05]: the frame that contradicts, the last CHECKPOINT that agreed, and a text that says what they are.
 * It refuses to judge: the session has.
 */
#ifndef REF_CLIENT_EVIDENCE_H
#define REF_CLIENT_EVIDENCE_H

#include "client.h"

/* Keeps the evidence for the event CONFLICT, and tells where it is, or why it could not be kept. */
void evidence_keep(struct client *client, const struct room *room, const struct prosa_client_event *conflict);

#endif
