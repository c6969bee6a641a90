/* SPDX-License-Identifier: MIT */
#include "screen_log.h"

#include "screen_cells.h"

#include <stdlib.h>

struct log_entry {
    struct log_entry *previous, *next;
    size_t size;
    bool is_mark;
    bool is_lasting;
    uint8_t text[];
};

void screen_log_init(struct screen_log *log, size_t cap)
{
    *log = (struct screen_log){.cap = cap, .width = 1, .height = 1, .is_end_shown = true};
}

/* --- the list --- */

static void take_out(struct screen_log *log, struct log_entry *entry)
{
    if (log->first == entry) {
        log->first = entry->next;
    } else {
        entry->previous->next = entry->next;
    }
    if (log->last == entry) {
        log->last = entry->previous;
    } else {
        entry->next->previous = entry->previous;
    }
    log->octets -= sizeof *entry + entry->size;
    if (log->mark == entry) {
        log->mark = NULL;
    }
    if (log->place.entry == entry) {
        log->place = (struct log_place){.entry = entry->next};
    }
    free(entry);
}

static struct log_entry *append(struct screen_log *log, struct prosa_bytes text)
{
    struct log_entry *entry = malloc(sizeof *entry + text.size);
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct log_entry){.previous = log->last, .size = text.size};
    memcpy(entry->text, text.at, text.size);
    *(log->last != NULL ? &log->last->next : &log->first) = entry;
    log->last = entry;
    log->octets += sizeof *entry + entry->size;
    return entry;
}

void screen_log_fini(struct screen_log *log)
{
    while (log->first != NULL) {
        take_out(log, log->first);
    }
}

/* The first entry that is not seen gets the mark before it. */
static void set_mark(struct screen_log *log)
{
    if (log->mark != NULL) {
        take_out(log, log->mark);
    }
    log->mark = append(log, prosa_bytes((const uint8_t *)"", 0));
    if (log->mark != NULL) {
        log->mark->is_mark = true;
    }
}

bool screen_log_add(struct screen_log *log, struct prosa_bytes text, bool is_lasting)
{
    if (log->is_end_shown) {
        log->place.entry = NULL;
    } else if (log->unread == 0) {
        set_mark(log);
    }
    struct log_entry *entry = append(log, text);
    if (entry == NULL) {
        return false;
    }
    entry->is_lasting = is_lasting;
    log->unread += log->is_end_shown ? 0 : 1;
    while (log->octets > log->cap && log->first != log->last) {
        take_out(log, log->first);
    }
    return true;
}

/* --- rows --- */

/* A row that goes on is never at the edge: what a stranger wrote cannot look like the begin of a message. */
static size_t indent_of(const struct screen_log *log)
{
    return log->width >= 40 ? sizeof "HH:MM:SS" : log->width >= 4 ? 1 : 0;
}

/* Where a row of at most `room` columns ends, and where the next one begins; a word is only cut when it is
 * longer than a row. `*style` is what the next one begins with. */
static size_t row_end(struct prosa_bytes text, size_t room, unsigned *style, size_t *next)
{
    struct cells cells = {.rest = text, .style = *style, .is_styled = true};
    struct cell cell;
    size_t columns = 0;
    size_t end = 0; /* of the last word that ended here */
    bool has_word = false;
    *next = 0;
    while (true) {
        const size_t at = (size_t)(cells.rest.at - text.at);
        const unsigned style_here = cells.style;
        const bool is_more = cells.rest.size > 0 && cells.rest.at[0] != '\n' && cells_next(&cells, &cell);
        if (!is_more) {
            *style = cells.style;
            *next = text.size - cells.rest.size + (cells.rest.size > 0 ? 1 : 0);
            return text.size - cells.rest.size;
        }
        const bool is_space = cell.text[0] == L' ' && cell.text[1] == L'\0';
        columns += cell.width;
        if (is_space && has_word) {
            end = at;
            *next = text.size - cells.rest.size;
            *style = cells.style;
        }
        has_word = has_word || !is_space;
        if (columns > room && *next == 0 && at > 0) { /* no word ends here: it is cut */
            *style = style_here;
            *next = at;
            return at;
        }
        if (columns > room && *next > 0) {
            return end;
        }
    }
}

/* Takes the row at *place off its entry; false when the entry has no more. */
static bool next_row(const struct screen_log *log, struct log_place *place, unsigned *style,
                     struct log_row *row)
{
    const struct log_entry *entry = place->entry;
    const size_t begin = place->offset;
    size_t next = 0;
    if (begin > entry->size || (begin == entry->size && begin > 0)) {
        return false;
    }
    const bool goes_on = begin > 0 && entry->text[begin - 1] != '\n';
    *row =
        (struct log_row){.style = *style, .indent = goes_on ? indent_of(log) : 0, .is_mark = entry->is_mark};
    const struct prosa_bytes rest = prosa_bytes(entry->text + begin, entry->size - begin);
    const size_t size = row_end(rest, log->width - row->indent, style, &next);
    row->text = prosa_bytes(rest.at, size);
    /* An empty entry has one row, too. */
    place->offset = entry->size == 0 ? 1 : begin + next;
    return true;
}

/* Rows of an entry that begin at `offset` or before it. */
static size_t rows_to(const struct screen_log *log, struct log_entry *entry, size_t offset)
{
    struct log_place place = {.entry = entry};
    struct log_row row;
    unsigned style = 0;
    size_t count = 0;
    while (place.offset <= offset && next_row(log, &place, &style, &row)) {
        count++;
    }
    return count;
}

static size_t rows_of(const struct screen_log *log, struct log_entry *entry)
{
    return rows_to(log, entry, entry->size);
}

/* The row `index` of an entry, and its style; the last one when there are fewer. */
static struct log_rows row_at(const struct screen_log *log, struct log_entry *entry, size_t index)
{
    struct log_rows here = {.at = {.entry = entry}};
    struct log_rows ahead = here;
    struct log_row row;
    while (index-- > 0 && next_row(log, &ahead.at, &ahead.style, &row) && ahead.at.offset < entry->size) {
        here = ahead;
    }
    return here;
}

/* The row that is `count` above the row `index` of an entry, which may be the one behind its last. */
static struct log_rows rows_above(const struct screen_log *log, struct log_entry *entry, size_t index,
                                  size_t count)
{
    while (index < count && entry->previous != NULL) {
        count -= index;
        entry = entry->previous;
        index = rows_of(log, entry);
    }
    return row_at(log, entry, index > count ? index - count : 0);
}

/* The place from which the last rows fill the screen. */
static struct log_rows last_rows(const struct screen_log *log)
{
    return rows_above(log, log->last, rows_of(log, log->last), log->height);
}

/* True when fewer than `count` rows follow on the row at `place`, itself counted. */
static bool ends_within(const struct screen_log *log, struct log_rows rows, size_t count)
{
    struct log_row row;
    rows.left = count;
    while (rows.left > 0) {
        if (!screen_log_next(log, &rows, &row)) {
            return true;
        }
    }
    return false;
}

/* The row that the person reads first: where it was found, it is found in rows of another width, too. */
static struct log_rows place_read(const struct screen_log *log)
{
    const size_t rows = rows_to(log, log->place.entry, log->place.offset);
    return row_at(log, log->place.entry, rows > 0 ? rows - 1 : 0);
}

struct log_rows screen_log_rows(struct screen_log *log)
{
    struct log_rows rows = {.at = {.entry = NULL}};
    log->is_end_shown = true;
    if (log->last != NULL && log->place.entry != NULL) {
        rows = place_read(log);
        log->is_end_shown = ends_within(log, rows, log->height + 1);
    }
    if (log->last != NULL && log->is_end_shown) {
        rows = last_rows(log);
    }
    log->unread = log->is_end_shown ? 0 : log->unread;
    rows.left = log->height;
    return rows;
}

bool screen_log_next(const struct screen_log *log, struct log_rows *rows, struct log_row *row)
{
    while (rows->left > 0 && rows->at.entry != NULL) {
        if (next_row(log, &rows->at, &rows->style, row)) {
            rows->left--;
            return true;
        }
        rows->at = (struct log_place){.entry = rows->at.entry->next};
        rows->style = 0;
    }
    return false;
}

/* --- moving --- */

void screen_log_set_size(struct screen_log *log, size_t width, size_t height)
{
    log->width = width > 0 ? width : 1;
    log->height = height > 0 ? height : 1;
}

void screen_log_up(struct screen_log *log, size_t rows)
{
    const struct log_rows top = screen_log_rows(log);
    struct log_entry *entry = top.at.entry;
    if (entry != NULL) {
        const size_t index = rows_to(log, entry, top.at.offset) - 1;
        log->place = rows_above(log, entry, index, rows).at;
        log->is_end_shown = ends_within(log, place_read(log), log->height + 1);
    }
}

void screen_log_down(struct screen_log *log, size_t rows)
{
    struct log_rows place = screen_log_rows(log);
    struct log_row row;
    place.left = rows;
    while (!log->is_end_shown && screen_log_next(log, &place, &row)) {
        if (place.at.offset >= place.at.entry->size && place.at.entry->next != NULL) {
            place = (struct log_rows){.at = {.entry = place.at.entry->next}, .left = place.left};
        }
    }
    log->place = place.at;
    if (log->is_end_shown || ends_within(log, place, log->height + 1)) {
        screen_log_to_end(log);
    }
}

void screen_log_to_end(struct screen_log *log)
{
    log->place.entry = NULL;
    log->is_end_shown = true;
}

void screen_log_settle(struct screen_log *log)
{
    if (log->mark != NULL && log->unread == 0) {
        take_out(log, log->mark);
    }
}

size_t screen_log_lasting(const struct screen_log *log, struct prosa_bytes *texts, size_t count)
{
    size_t found = 0;
    for (const struct log_entry *entry = log->last; entry != NULL && found < count; entry = entry->previous) {
        if (entry->is_lasting) {
            found++;
            texts[count - found] = prosa_bytes(entry->text, entry->size);
        }
    }
    memmove(texts, texts + count - found, found * sizeof *texts);
    return found;
}
