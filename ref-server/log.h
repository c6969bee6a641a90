/* SPDX-License-Identifier: MIT */
/*
 * log: all that this program prints while it serves. One line an event on stderr, `time level event
 * key=value...`, and the operator's conversation on stdout.
 * It refuses to wait: when nobody reads a pipe, or a terminal is held, lines are dropped and their
 * number is told later; a server does not stop because of its own words.
 * Text from the wire goes through log_text first [MSG-19].
 */
#ifndef REF_SERVER_LOG_H
#define REF_SERVER_LOG_H

#include "sizes.h"

#include <prosa/bytes.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* "debug", "info", "warn" or "error". */
PROSA_NODISCARD bool log_level_parse(const char *name, enum log_level *level);

/* Events below `level` are not printed. */
void log_init(enum log_level level);

/* `event` is a short constant, `format` gives the rest of the line: "key=value key=value". */
__attribute__((format(printf, 3, 4))) void log_event(enum log_level level, const char *event,
                                                     const char *format, ...);

/* A line for the operator, on stdout. */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);

/* Octets that the longest text of the wire may need when it is made printable, with its final zero. */
#define LOG_TEXT_SIZE (6 * TEXT_SIZE + 1)

/* Makes wire text printable; returns `out`. */
const char *log_text(struct prosa_bytes text, char out[static LOG_TEXT_SIZE]);

#endif
