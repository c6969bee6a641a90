/* SPDX-License-Identifier: MIT */
/*
 * client: what the rooms of this program share: who one is and whom one talks to, what is joined, where
 * things are told and kept, and how it is to end. It outlives every connection.
 * It refuses to do anything: it is a place.
 */
#ifndef REF_CLIENT_CLIENT_H
#define REF_CLIENT_CLIENT_H

#include "farewell.h"
#include "rooms.h"
#include "spool.h"
#include "ui.h"

#include <limits.h>

enum leaving {
    STAYING,
    LEAVING_NOW,     /* `exit`: what the limit allows is sent, then BYE [END-07] */
    LEAVING_ANSWERED /* end of file: everything is sent and answered, then BYE [END-13] */
};

struct client {
    const struct settings *settings;
    struct ui *ui;
    struct spool *spool;
    char folder[PATH_MAX - 16]; /* of the files below, and of evidence */
    char key[PATH_MAX], pins[PATH_MAX], messages[PATH_MAX];

    struct prosa_client_config config;
    uint8_t server_key[PROSA_KEY_SIZE]; /* pinned; config.pinned_key points here once it is known */

    struct rooms rooms;
    uint32_t features;  /* of the session, 0 without one */
    uint32_t max_rooms; /* of the last session */
    size_t dropped;     /* lines that were not sent, of rooms that are gone */
    bool is_drained;    /* no line is left of what was read */
    enum leaving leaving;
    bool is_stopped; /* by a signal: BYE is said at once */
    enum exit_code exit;
};

#endif
