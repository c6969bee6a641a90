/* SPDX-License-Identifier: MIT */
/*
 * screen: the full-screen mode. What was said stands above, one line tells how things stand, and below it
 * is the line that is being typed. It is calm: it draws when somebody waits, at most some thirty times a
 * second, and only what has changed.
 * It refuses to read, and to know what a line means.
 */
#ifndef REF_CLIENT_SCREEN_H
#define REF_CLIENT_SCREEN_H

#include "lines.h"

#include <stdio.h>

struct screen;

/* Takes the terminal over. NULL, and why in *why: it cannot be used. */
PROSA_NODISCARD struct screen *screen_new(const char **why);

/* Gives the terminal back and writes the last of the lasting entries there: they may say why it ended.
 * `screen` may be NULL. */
void screen_free(struct screen *screen);

/* What is written there becomes an entry when it is closed with screen_end_entry; a lasting one is of use
 * when the screen is gone. */
FILE *screen_begin_entry(struct screen *screen);
void screen_end_entry(struct screen *screen, bool is_lasting);

/* Borrowed for the call. */
void screen_set_status(struct screen *screen, const char *room, const char *connection, size_t waiting);

/* Where to put what was typed, as it came, and how much of it was put there; 0: the terminal is gone. */
uint8_t *screen_space(struct screen *screen, size_t *size);
void screen_commit(struct screen *screen, size_t size);

/* Works on what was typed until a line is whole; *line is valid until the next call. */
PROSA_NODISCARD enum lines_outcome screen_next(struct screen *screen, struct prosa_bytes *line);

/* True after an end of file was typed, or came. */
bool screen_has_ended(const struct screen *screen);

/* True when nobody is at the terminal any more. */
bool screen_is_gone(const struct screen *screen);

/* The window has another size; the program goes on after it was suspended. */
void screen_resize(struct screen *screen);
void screen_resume(struct screen *screen);

/* Draws what has changed, unless that was a moment ago. Returns when it wants to be called again;
 * UINT64_MAX when all is drawn. */
PROSA_NODISCARD uint64_t screen_flush(struct screen *screen, uint64_t now_ms);

#endif
