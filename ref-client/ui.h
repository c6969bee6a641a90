/* SPDX-License-Identifier: MIT */
/*
 * ui: whoever uses the client, a person at a terminal, with a prompt or the whole screen, a person with
 * plain lines, or a program with --json. Reports go out, lines come in.
 * It refuses to know the session: what a line means is decided elsewhere.
 */
#ifndef REF_CLIENT_UI_H
#define REF_CLIENT_UI_H

#include "lines.h"
#include "prompt.h"
#include "report.h"
#include "screen.h"

#define UI_ROOM_SIZE 34u /* octets of the longest name of a room with its final zero */

/* What was asked for. Where there is no terminal, or not one for that, PROMPT and SCREEN are plain lines. */
enum ui_form { UI_PROMPT, UI_SCREEN, UI_JSON };

struct ui {
    enum ui_form form;
    int input;             /* where lines come from: poll it, and ui_read when it is readable */
    struct prompt *prompt; /* NULL unless a person types at a terminal */
    struct screen *screen; /* NULL unless a person has the whole of it */
    struct lines lines;    /* otherwise */
    char first_room[UI_ROOM_SIZE];
    bool has_rooms;  /* another one was joined, too: from then on each report names its own */
    bool is_parting; /* what is said now is about the end */
};

/* Sets the locale: reports can have any character. */
void ui_init(struct ui *ui, enum ui_form form);
void ui_fini(struct ui *ui);

/* From now on lines are taken; a terminal gets a prompt, or becomes the screen. */
void ui_begin_input(struct ui *ui);

void ui_report(struct ui *ui, const struct report *report);

/* A report that is only words, as printf writes them. */
__attribute__((format(printf, 3, 4))) void ui_say(struct ui *ui, enum report_kind kind, const char *format,
                                                  ...);

/* How things stand. Borrowed for the call. */
struct ui_status {
    const char *room;       /* the one that a line goes to */
    const char *connection; /* in a word or two */
    size_t waiting;         /* messages that wait or are on their way */
};

void ui_set_status(struct ui *ui, const struct ui_status *status);

/* Reads once from `input`. */
void ui_read(struct ui *ui);
PROSA_NODISCARD enum lines_outcome ui_next(struct ui *ui, struct prosa_bytes *line);

/* True when no octet will come any more; ui_next can still have a line. */
bool ui_has_ended(const struct ui *ui);

/* True when nobody can be told anything any more: stdout is closed, or the terminal is gone. */
bool ui_is_gone(const struct ui *ui);

/* To be called before waiting: shows at once all that is new. Returns when it wants to be called again,
 * PROSA_NEVER when nothing is left to be shown. */
PROSA_NODISCARD uint64_t ui_flush(struct ui *ui, uint64_t now_ms);

void ui_resize(struct ui *ui);
void ui_resume(struct ui *ui);

#endif
