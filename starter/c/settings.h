/* SPDX-License-Identifier: MIT
 *
 * settings: what a server is told by its environment (13.2).
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "wire.h"

#define FIRST_TAG PROSA_TAG_MAX_FRAME /* of the limits and timers, which stand in a row: every second tag */
#define ANNOUNCED ((PROSA_TAG_LINGER_MS - FIRST_TAG) / 2 + 1)

/* What PROSA_TIMERS asks for, or the numbers of chapter 9 (CON-02). */
void read_timers(uint32_t announced[ANNOUNCED]);
/* A socket that listens at PROSA_HOST and PROSA_PORT (CON-07, END-18). */
int listen_there(void);
/* READY, and the fingerprint of the server's key (CON-05). */
void tell_ready(int listener, const uint8_t key[PROSA_KEY_SIZE]);

#endif
