/* SPDX-License-Identifier: MIT */
/*
 * ui: whoever uses the client, a person at a terminal, a person with plain lines, or a program with
 * --json. Reports go out, lines come in.
 * It refuses to know the session: what a line means is decided elsewhere.
 */
#ifndef REF_CLIENT_UI_H
#define REF_CLIENT_UI_H

#include "lines.h"
#include "prompt.h"
#include "report.h"

struct ui {
    bool is_json;
    int input;             /* where lines come from: poll it, and ui_read when it is readable */
    struct prompt *prompt; /* NULL unless a person types at a terminal */
    struct lines lines;    /* otherwise */
};

/* Sets the locale: reports can have any character. */
void ui_init(struct ui *ui, bool is_json);
void ui_fini(struct ui *ui);

/* From now on lines are taken; a terminal gets a prompt. */
void ui_begin_input(struct ui *ui);

void ui_report(struct ui *ui, const struct report *report);

/* A report that is only words, as printf writes them. */
__attribute__((format(printf, 3, 4))) void ui_say(struct ui *ui, enum report_kind kind, const char *format,
                                                  ...);

/* How many messages wait or are on their way. */
void ui_set_waiting(struct ui *ui, size_t count);

/* Reads once from `input`. */
void ui_read(struct ui *ui);
PROSA_NODISCARD enum lines_outcome ui_next(struct ui *ui, struct prosa_bytes *line);

/* True when no octet will come any more; ui_next can still have a line. */
bool ui_has_ended(const struct ui *ui);

/* True when nobody can be told anything any more: stdout is closed. */
bool ui_is_gone(void);

void ui_resize(struct ui *ui);
void ui_resume(struct ui *ui);

#endif
