/* SPDX-License-Identifier: MIT */
/*
 * screen_log: what was said, as rows of the width that the screen happens to have, and the place where the
 * person reads: at the end, where new things appear, or further up, where they do not move what is read.
 * It is bounded in octets: the oldest goes first.
 * It refuses to draw, and to know what an entry means.
 */
#ifndef REF_CLIENT_SCREEN_LOG_H
#define REF_CLIENT_SCREEN_LOG_H

#include <prosa/bytes.h>

struct log_entry;

/* A row of an entry, by its place in the entry's text: it stays the same row when more is said. */
struct log_place {
    struct log_entry *entry;
    size_t offset;
};

struct screen_log {
    struct log_entry *first, *last;
    struct log_entry *mark; /* stands before what came while the person read further up; NULL: none */
    size_t octets, cap;
    size_t width, height;   /* columns and rows that it is shown in; at least 1 */
    struct log_place place; /* what is read, when it is not the end; else its entry is NULL */
    bool is_end_shown;      /* by the last screen_log_rows */
    size_t unread;          /* entries that have not been shown yet */
};

struct log_row {
    struct prosa_bytes text; /* what words wrote, with styles */
    unsigned style;          /* that it begins with */
    size_t indent;           /* columns left free before it */
    bool is_mark;            /* there is no text: unread begins below */
};

/* Rows from the place that is read to the end; see screen_log_next. */
struct log_rows {
    struct log_place at;
    unsigned style;
    size_t left;
};

void screen_log_init(struct screen_log *log, size_t cap);
void screen_log_fini(struct screen_log *log);

/* A copy is kept; `is_lasting` is for whoever asks screen_log_lasting. False: no memory. */
PROSA_NODISCARD bool screen_log_add(struct screen_log *log, struct prosa_bytes text, bool is_lasting);

void screen_log_set_size(struct screen_log *log, size_t width, size_t height);

/* Reads on `rows` further up or down; at the end of it all new things appear again. */
void screen_log_up(struct screen_log *log, size_t rows);
void screen_log_down(struct screen_log *log, size_t rows);
void screen_log_to_end(struct screen_log *log);

/* The mark goes once what is below it was shown. */
void screen_log_settle(struct screen_log *log);

/* What is to be shown: at most `height` rows. They are valid until the log changes. */
struct log_rows screen_log_rows(struct screen_log *log);
PROSA_NODISCARD bool screen_log_next(const struct screen_log *log, struct log_rows *rows,
                                     struct log_row *row);

/* The lasting entries, the oldest first, of which there are at most `count`. */
size_t screen_log_lasting(const struct screen_log *log, struct prosa_bytes *texts, size_t count);

#endif
