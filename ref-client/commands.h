/* SPDX-License-Identifier: MIT */
/*
 * commands: what a line that begins with `/` does, from level L2 on. One table holds them all: /help
 * prints it. They act on the rooms alone, so that they work without a connection, too.
 * It refuses to guess: an unknown command, or one with wrong words, is told and never sent.
 */
#ifndef REF_CLIENT_COMMANDS_H
#define REF_CLIENT_COMMANDS_H

#include "client.h"

/* `line` is without its `/`. */
void commands_do(struct client *client, struct prosa_bytes line);

#endif
