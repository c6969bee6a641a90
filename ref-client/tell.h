/* SPDX-License-Identifier: MIT */
/* tell: what the events of a session are to whoever uses the client: each becomes one or more reports.
 * It refuses to decide anything. */
#ifndef REF_CLIENT_TELL_H
#define REF_CLIENT_TELL_H

#include "ui.h"

/* JOINED, MESSAGE or MEMBER as it came. */
void tell_event(struct ui *ui, enum report_kind kind, const struct prosa_client_event *event,
                const uint8_t *server_key);

/* Messages above `reported` up to `acked`, which has the room_seq `acked_seq` (0: not known), are
 * acknowledged: one report for each. */
void tell_acked(struct ui *ui, struct prosa_bytes room, uint64_t reported, uint64_t acked,
                uint64_t acked_seq);

/* A DELIVER that is not shown [CON-11]. */
void tell_unshown(struct ui *ui, const struct prosa_client_event *unshown);

/* An ERROR that does not end the connection; `room` may be empty. */
void tell_received(struct ui *ui, const struct prosa_error *error, struct prosa_bytes room);

/* The ERROR that ended the session, sent or received. */
void tell_fatal(struct ui *ui, const struct prosa_ended *ended);

/* A fault that this client found, in its input or its settings. */
void tell_own_error(struct ui *ui, uint16_t code, const char *reason);

/* A message of a room, its number and what is the matter with it. */
void tell_about(struct ui *ui, uint16_t code, struct prosa_bytes room, uint64_t counter, const char *reason);

/* A message of this client that will never be sent, with its text: nothing is lost in silence [RES-08]. */
void tell_unsent(struct ui *ui, struct prosa_bytes room, uint64_t counter, struct prosa_bytes text,
                 const char *reason);

/* Both fingerprints, for a person to compare [ID-05]. */
void tell_mismatch(struct ui *ui, const char *target, const char *pins,
                   const uint8_t pinned_key[static PROSA_KEY_SIZE],
                   const uint8_t shown_key[static PROSA_KEY_SIZE]);

#endif
