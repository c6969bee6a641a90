/* SPDX-License-Identifier: MIT */
/*
 * screen_terminal: a terminal in the hands of curses, from taking it to giving it back as it was, on every
 * way out: an end, a stop from the keyboard (SIGTSTP), and signals that kill. There is one terminal, so this
 * room has a state of its own.
 * It refuses to draw.
 */
#ifndef REF_CLIENT_SCREEN_TERMINAL_H
#define REF_CLIENT_SCREEN_TERMINAL_H

#include <prosa/bytes.h>

/* Takes over the terminal of stdin and stdout. NULL, or why it cannot be used, in words. SIGTSTP is held
 * back from now on but for the times when the program waits. */
PROSA_NODISCARD const char *screen_terminal_take(void);

/* May be called when the terminal was not taken. */
void screen_terminal_give(void);

/* After SIGCONT, whoever stopped the program: the terminal is taken again; all of it is to be drawn. */
void screen_terminal_retake(void);

/* Follows the window to another size. True when it has changed, and all is to be drawn. */
bool screen_terminal_fit(void);

/* False when nobody is there any more. */
bool screen_terminal_is_there(void);

#endif
