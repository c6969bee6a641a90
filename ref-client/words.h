/* SPDX-License-Identifier: MIT */
/*
 * words: reports for people, one line each. What came over the wire is made safe before it is written
 * [MSG-19].
 * It refuses to know whether anybody is typing, and on what: see prompt and screen.
 */
#ifndef REF_CLIENT_WORDS_H
#define REF_CLIENT_WORDS_H

#include "report.h"

#include <stdio.h>

struct words_style {
    bool has_emphasis; /* may dim and embolden */
    bool has_colour;   /* may give a name the colour of its key */
    bool is_utf8;      /* may write more than ASCII for its own marks */
    bool names_room;   /* there is more than one */
};

/* Writes and flushes what a person is told; nothing for a report that is of no interest to one. The only
 * sequences in it are for its emphasis and colours: CSI, one number, `m`. */
void words_write(FILE *out, struct words_style style, const struct report *report);

#endif
