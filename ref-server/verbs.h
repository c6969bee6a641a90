/* SPDX-License-Identifier: MIT */
/*
 * verbs: the operator's commands, which begin with `/` at the console: who is here, what is counted, and what
 * is done about somebody. The answer is a line on stdout; what changes something is in the log, too.
 * It refuses to guess: a word that is no command, or lacks its argument, is told and does nothing.
 */
#ifndef REF_SERVER_VERBS_H
#define REF_SERVER_VERBS_H

#include "hub.h"

/* Obeys `line`, which stands behind the `/`. */
void verbs_obey(struct hub *hub, struct prosa_bytes line);

#endif
