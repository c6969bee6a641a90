/* SPDX-License-Identifier: MIT */
/*
 * log: all that this program prints while it serves. One line an event on stderr, `time level event
 * key=value...`, and the operator's conversation on stdout.
 * It refuses to wait: when nobody reads a pipe, or a terminal is held, lines are dropped and their
 * number is told later; a server does not stop because of its own words.
 * Text from the wire goes through log_value on its way to stderr, and through log_text on its way to
 * stdout [MSG-19], so that it forges neither a field nor a line.
 */
#ifndef REF_SERVER_LOG_H
#define REF_SERVER_LOG_H

#include "sizes.h"

#include <prosa/bytes.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* "debug", "info", "warn" or "error". */
PROSA_NODISCARD bool log_level_parse(const char *name, enum log_level *level);

/* Events below `level` are not printed, from now on. */
void log_init(enum log_level level);
/* Whether events of this level are printed: what is said of them need not be put together otherwise. */
bool log_shows(enum log_level level);
/* Tells what log_flood still holds back. */
void log_fini(void);

/* `event` is a short constant, `format` gives the rest of the line: "key=value key=value". A value that
 * may have a blank, a quotation mark or an equals sign in it is log_value's. */
__attribute__((format(printf, 3, 4))) void log_event(enum log_level level, const char *event,
                                                     const char *format, ...);

/* The same for what a stranger can cause as often as he likes: one line of this event a second. How many
 * were not printed is told by a line `suppressed` of its own, before a later event. */
__attribute__((format(printf, 3, 4))) void log_flood(enum log_level level, const char *event,
                                                     const char *format, ...);

/* A line for the operator, on stdout. */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);

/* Octets that the longest text of the wire may need when it is made printable, with its final zero. */
#define LOG_TEXT_SIZE (6 * TEXT_SIZE + 1)

/* Makes wire text printable; returns `out`. */
const char *log_text(struct prosa_bytes text, char out[static LOG_TEXT_SIZE]);

/* The same in quotation marks, as one value: those within it, and backslashes, have a backslash before. */
#define LOG_VALUE_SIZE (LOG_TEXT_SIZE + 2)
const char *log_value(struct prosa_bytes text, char out[static LOG_VALUE_SIZE]);

#endif
