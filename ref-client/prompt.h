/* SPDX-License-Identifier: MIT */
/*
 * prompt: the line that a person is typing at a terminal, edited by libedit, with a history. It never
 * waits: octets are put in, whole lines come out. What else is to be written goes above the line,
 * between prompt_hide and prompt_show.
 * It refuses to read or to know what a line means.
 */
#ifndef REF_CLIENT_PROMPT_H
#define REF_CLIENT_PROMPT_H

#include "lines.h"

struct prompt;

/* True when stdin and stdout are a terminal that can move its cursor. */
bool prompt_is_possible(void);

/* Takes the terminal over. NULL: libedit cannot. */
PROSA_NODISCARD struct prompt *prompt_new(void);

/* Wipes the line off the screen and gives the terminal back. `prompt` may be NULL. */
void prompt_free(struct prompt *prompt);

/* What stands before the line: the room that it goes to, which is ASCII, and the number of messages on
 * their way when there are any. */
void prompt_set_status(struct prompt *prompt, const char *room, size_t waiting);

/* Where to put what was typed, as it came, and how much of it was put there; 0: there is no more. */
uint8_t *prompt_space(struct prompt *prompt, size_t *size);
void prompt_commit(struct prompt *prompt, size_t size);

/* Works on what was typed until a line is whole; *line is valid until the next call. The finished line is
 * wiped off the screen: it comes back as a message. */
PROSA_NODISCARD enum lines_outcome prompt_next(struct prompt *prompt, struct prosa_bytes *line);

/* True after an end of file was typed, or came. */
bool prompt_has_ended(const struct prompt *prompt);

void prompt_hide(struct prompt *prompt);
void prompt_show(struct prompt *prompt);

/* The window has another size; the program goes on after it was suspended. */
void prompt_resize(struct prompt *prompt);
void prompt_resume(struct prompt *prompt);

#endif
