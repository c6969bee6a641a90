/* SPDX-License-Identifier: MIT */
/* ending: what is counted and logged of a session that has ended, in words for people. */
#ifndef REF_SERVER_ENDING_H
#define REF_SERVER_ENDING_H

#include "hub.h"

void ending_tell(struct hub *hub, const struct conn *conn, const struct prosa_ended *ended);

#endif
