/* SPDX-License-Identifier: MIT */
/*
 * print: JSON lines: on stdout what became of a command; in the party's file of events what a guest is told,
 * in the words of section 13.4 and with its nick as `member`. It refuses to flush: who waits next does.
 */
#ifndef LOAD_PRINT_H
#define LOAD_PRINT_H

#include "guest.h"

/* An event of a session, as far as section 13.4 has a word for it. */
void print_event(const struct guest *guest, const struct prosa_client_event *event);

/* A text that a guest was given to say. */
void print_said(const struct guest *guest, struct prosa_bytes text);

/* A connection that ended although nobody asked for it. */
void print_lost(const struct guest *guest, const char *how, const char *reason);

/* A command is done: how many, how long it took in all and each. */
void print_done(const char *command, size_t count, uint64_t time_ns, const struct tally_summary *each);

/* A command that cannot be done: in words. */
void print_refused(const char *command, const char *why);

#endif
