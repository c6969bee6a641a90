/* SPDX-License-Identifier: MIT */
/*
 * chat: one conversation from the connection to its end. One loop waits for the socket, the person's
 * input, the session's deadline and signals, and carries what comes from one to the other.
 * It refuses to know octets (that is the session's affair) or screens (the ui's).
 */
#ifndef REF_CLIENT_CHAT_H
#define REF_CLIENT_CHAT_H

#include "settings.h"
#include "ui.h"

/* Exit codes of chapter 13.4. */
enum chat_exit {
    CHAT_GOOD = 0,
    CHAT_PROTOCOL = 1,
    CHAT_SETTINGS = 2,
    CHAT_NO_CONNECTION = 3,
    CHAT_AUTHENTICATION = 4,
    CHAT_VANISHED = 5,
    CHAT_WENT_AWAY = 6,
    CHAT_NO_LEVEL = 89,
};

/* Connects, talks, and tells `ui` how it ended [CON-12]. `pinned_key` is NULL at the first contact; the
 * key is pinned in the file `pins` then. */
PROSA_NODISCARD enum chat_exit chat_run(const struct settings *settings, const struct prosa_keypair *keypair,
                                        const uint8_t *pinned_key, const char *pins, struct ui *ui);

#endif
