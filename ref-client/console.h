/* SPDX-License-Identifier: MIT */
/*
 * console: each line that a person types is `exit`, a command, or a message for the current room [CON-08].
 * It works whether there is a connection or not.
 * It refuses to read more than it has room for: the rest waits outside.
 */
#ifndef REF_CLIENT_CONSOLE_H
#define REF_CLIENT_CONSOLE_H

#include "client.h"

/* Takes the lines that were read, as far as their rooms have room. */
void console_take(struct client *client);

/* True when lines were read that can be taken now. */
bool console_can_take(const struct client *client);

/* True when more lines are to be read. */
bool console_wants_more(const struct client *client);

#endif
