/* SPDX-License-Identifier: MIT
 *
 * reach: how a client gets to a server, and knows it again: the target, its pin, the connection.
 */
#ifndef REACH_H
#define REACH_H

#include "wire.h"

#define TARGET_SIZE 262

/* ID-03: what the person typed, in the form of the wire. */
void name_target(char target[TARGET_SIZE], const char *host, const char *port);
/* A socket, or -1 with how the attempt ended and why, in words. */
int connect_there(const char *host, const char *port, const char **how, const char **why_not);
/* The key that is pinned under the target: a line of the file has the target and the key (ID-02, ID-04). */
bool read_pin(const char *target, uint8_t key[PROSA_KEY_SIZE]);
void keep_pin(const char *target, const uint8_t key[PROSA_KEY_SIZE]);

#endif
