/* SPDX-License-Identifier: MIT */
/*
 * journey: from the start of the program to its end: reach the server, talk, and, after a session with
 * `resume`, come back when it was lost. One loop waits for the network, the person, the clock and signals;
 * lines are taken at any time.
 * It refuses to come back after a goodbye that means it [RES-13], to wait less than it was asked to
 * [RES-11], and to know what is said.
 */
#ifndef REF_CLIENT_JOURNEY_H
#define REF_CLIENT_JOURNEY_H

#include "client.h"

/* Tells the ui how it ended, as the last report [CON-12]. */
PROSA_NODISCARD enum exit_code journey_run(struct client *client);

#endif
