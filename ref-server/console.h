/* SPDX-License-Identifier: MIT */
/*
 * console: the operator's stdin, in whole lines. Reads what is there and never waits.
 * It refuses to understand: what a line means is decided where the clients are known.
 */
#ifndef REF_SERVER_CONSOLE_H
#define REF_SERVER_CONSOLE_H

#include "sizes.h"

#include <prosa/bytes.h>

/* The longest text of a message, a nick before it, and the line's end. */
#define CONSOLE_SIZE (TEXT_SIZE + NICK_SIZE + 8)

struct console {
    char octets[CONSOLE_SIZE];
    size_t at, size;
    bool skipping; /* the line in hand is too long: all of it is dropped */
    bool ended;    /* end of file was read */
};

void console_init(struct console *console);

/* Reads once from stdin, which poll found readable, when all lines have been taken. */
void console_read(struct console *console);

enum console_result { CONSOLE_LINE, CONSOLE_TOO_LONG, CONSOLE_NOTHING };

/* The next line without its end, a line feed and a carriage return before it; valid until console_read. */
PROSA_NODISCARD enum console_result console_next(struct console *console, struct prosa_bytes *line);

#endif
