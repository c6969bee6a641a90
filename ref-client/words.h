/* SPDX-License-Identifier: MIT */
/*
 * words: reports for people, one line each. What came over the wire is made safe before it is written
 * [MSG-19].
 * It refuses to know whether anybody is typing: see prompt.
 */
#ifndef REF_CLIENT_WORDS_H
#define REF_CLIENT_WORDS_H

#include "report.h"

#include <stdio.h>

struct words_style {
    bool is_terminal; /* may dim and embolden */
    bool is_utf8;     /* may write more than ASCII for its own marks */
};

/* Writes and flushes what a person is told; nothing for a report that is of no interest to one. */
void words_write(FILE *out, struct words_style style, const struct report *report);

#endif
