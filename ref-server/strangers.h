/* SPDX-License-Identifier: MIT */
/*
 * strangers: which newcomers get a place among the connections that are not READY, of which there are few
 * [LIM-04] [LIM-05].
 * It refuses to close anything: it names who has to go.
 */
#ifndef REF_SERVER_STRANGERS_H
#define REF_SERVER_STRANGERS_H

#include "hub.h"

/* Places at most [LIM-04]. */
#define STRANGERS_MAX 64u

/* NULL: the newcomer may stay, after *evicted has gone if that is set. Or else a word for the log that tells
 * why it may not. */
PROSA_NODISCARD const char *strangers_judge(const struct hub *hub, const struct newcomer *newcomer,
                                            struct conn **evicted);

#endif
