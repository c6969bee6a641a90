/* SPDX-License-Identifier: MIT */
/*
 * reload: SIGHUP has the settings read again. What can change while the server runs is what limits and timers
 * are announced to new sessions, and how much is logged; of all else it is said that it takes a new start.
 * It refuses half a change: with one fault in the file, everything stays as it was.
 */
#ifndef REF_SERVER_RELOAD_H
#define REF_SERVER_RELOAD_H

#include "settings.h"

struct reload {
    int argc;
    char *const *argv;
    const struct settings *started; /* what runs */
    struct settings latest;         /* what was read last, while `again` */
    bool again;
};

/* `argv` and `started` are borrowed. */
void reload_init(struct reload *reload, int argc, char *const *argv, const struct settings *started);
void reload_fini(struct reload *reload);

/* True: there is a file that could be read again. */
PROSA_NODISCARD bool reload_is_possible(const struct reload *reload);

/* Reads, and logs every change and every fault. NULL: nothing changes. Otherwise the settings whose limits
 * and log level hold from now on; they live until the next call. */
PROSA_NODISCARD const struct settings *reload_read(struct reload *reload);

#endif
