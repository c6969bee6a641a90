/* SPDX-License-Identifier: MIT */
/*
 * screen_edit: the line that a person is typing in the full-screen mode, and the lines typed before. The
 * cursor stands between characters with all their marks, never inside of one.
 * It refuses to hold more than a message can: what does not fit is counted, so that it can be told.
 */
#ifndef REF_CLIENT_SCREEN_EDIT_H
#define REF_CLIENT_SCREEN_EDIT_H

#include "keys.h"
#include "lines.h"

#define EDIT_HISTORY_SIZE 200u

struct screen_edit {
    uint8_t text[LINES_MAX];
    size_t size;
    size_t cursor;  /* octets before it */
    size_t refused; /* octets that did not fit, since the line was last changed otherwise */
    struct edit_line *history[EDIT_HISTORY_SIZE];
    size_t history_count;
    size_t history_at;      /* which of them stands in `text`; history_count: none */
    struct edit_line *kept; /* what was being typed before an older line was called for */
};

void screen_edit_init(struct screen_edit *edit);
void screen_edit_fini(struct screen_edit *edit);

/* Changes the line or moves in it. Keys that are not for a line do nothing. */
void screen_edit_press(struct screen_edit *edit, const struct keys_key *key);

/* Takes the line out, into the history, too. It is valid until the next key. */
struct prosa_bytes screen_edit_take(struct screen_edit *edit);

#endif
