/* SPDX-License-Identifier: MIT */
/*
 * admission: who may come in: places, signatures, nicks and their keys, bans, and what becomes of an older
 * session of the same key.
 * It refuses to know rooms, but for who takes over the places of whom.
 */
#ifndef REF_SERVER_ADMISSION_H
#define REF_SERVER_ADMISSION_H

#include "journal.h"

/* Nobody is known, nobody is here. */
void admission_init(struct hub *hub);
void admission_fini(struct hub *hub);

/* The event HELLO. */
void admission_on_hello(struct hub *hub, struct conn *conn);

/* The event AUTH: its signature is checked [AUTH-17]. */
void admission_on_auth(struct hub *hub, struct conn *conn, const struct prosa_server_event *event);

/* That has been done. */
void admission_verified(struct hub *hub, struct conn *conn, enum prosa_status status);

/* The item JOURNAL_WELCOME is decided. */
void admission_decided(struct hub *hub, const struct journal_item *item, bool good);

/* The connection is about to be freed. */
void admission_forget(struct hub *hub, struct conn *conn);

/* BYE KICKED to the session of this key, if there is one. */
void admission_kick(struct hub *hub, const uint8_t key[static PROSA_KEY_SIZE]);

/* Reads names and bans from the log. False: it cannot be read, or there is no memory. */
PROSA_NODISCARD bool admission_load(struct hub *hub);

#endif
