/* SPDX-License-Identifier: MIT */
#include "screen_edit.h"

#include "screen_cells.h"

#include <prosa/text.h>

#include <stdlib.h>

#define UTF8_MAX 4u

struct edit_line {
    size_t size;
    uint8_t text[];
};

void screen_edit_init(struct screen_edit *edit)
{
    memset(edit, 0, sizeof *edit);
}

void screen_edit_fini(struct screen_edit *edit)
{
    for (size_t i = 0; i < edit->history_count; i++) {
        free(edit->history[i]);
    }
    free(edit->kept);
}

/* --- places in the line --- */

static uint32_t code_point_at(const struct screen_edit *edit, size_t at, size_t *next)
{
    struct prosa_bytes rest = prosa_bytes(edit->text + at, edit->size - at);
    uint32_t code_point = 0;
    prosa_text_next(&rest, &code_point);
    *next = edit->size - rest.size;
    return code_point;
}

/* Behind the character at `at` and its marks. */
static size_t right_of(const struct screen_edit *edit, size_t at)
{
    size_t next = at;
    if (at < edit->size) {
        code_point_at(edit, at, &at);
        next = at;
    }
    while (at < edit->size && cells_is_mark(code_point_at(edit, at, &next))) {
        at = next;
    }
    return at;
}

static size_t left_of(const struct screen_edit *edit, size_t at)
{
    size_t left = 0;
    for (size_t next = right_of(edit, 0); next < at; next = right_of(edit, next)) {
        left = next;
    }
    return left;
}

static bool is_blank(const struct screen_edit *edit, size_t at)
{
    return edit->text[at] == ' ' || edit->text[at] == '\n' || edit->text[at] == '\t';
}

static size_t word_right_of(const struct screen_edit *edit, size_t at)
{
    while (at < edit->size && is_blank(edit, at)) {
        at = right_of(edit, at);
    }
    while (at < edit->size && !is_blank(edit, at)) {
        at = right_of(edit, at);
    }
    return at;
}

static size_t word_left_of(const struct screen_edit *edit, size_t at)
{
    size_t left = 0;
    for (size_t word = 0; word < at; word = word_right_of(edit, word)) {
        size_t begin = word;
        while (begin < at && is_blank(edit, begin)) {
            begin = right_of(edit, begin);
        }
        left = begin < at ? begin : left;
    }
    return left;
}

/* --- changes --- */

static void delete_between(struct screen_edit *edit, size_t begin, size_t end)
{
    memmove(edit->text + begin, edit->text + end, edit->size - end);
    edit->size -= end - begin;
    edit->cursor = begin;
    edit->refused = end > begin ? 0 : edit->refused;
}

static size_t encode(uint32_t code_point, uint8_t out[static UTF8_MAX])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    const size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (uint8_t)((0xf00u >> size) | code_point);
    return size;
}

static void insert(struct screen_edit *edit, uint32_t code_point)
{
    uint8_t octets[UTF8_MAX];
    const size_t size = encode(code_point, octets);
    if (edit->refused > 0 || size > sizeof edit->text - edit->size) {
        edit->refused += size; /* what follows would stand in the wrong place */
        return;
    }
    memmove(edit->text + edit->cursor + size, edit->text + edit->cursor, edit->size - edit->cursor);
    memcpy(edit->text + edit->cursor, octets, size);
    edit->size += size;
    edit->cursor += size;
}

/* --- older lines --- */

static struct edit_line *copy_of(const struct screen_edit *edit)
{
    struct edit_line *line = malloc(sizeof *line + edit->size);
    if (line != NULL) {
        line->size = edit->size;
        memcpy(line->text, edit->text, edit->size);
    }
    return line;
}

static void call_for(struct screen_edit *edit, const struct edit_line *line)
{
    edit->size = line != NULL ? line->size : 0;
    if (line != NULL) {
        memcpy(edit->text, line->text, line->size);
    }
    edit->cursor = edit->size;
    edit->refused = 0;
}

static void call_older(struct screen_edit *edit)
{
    if (edit->history_at == 0) {
        return;
    }
    if (edit->history_at == edit->history_count) {
        free(edit->kept);
        edit->kept = copy_of(edit);
    }
    call_for(edit, edit->history[--edit->history_at]);
}

static void call_newer(struct screen_edit *edit)
{
    if (edit->history_at < edit->history_count) {
        edit->history_at++;
        call_for(edit, edit->history_at < edit->history_count ? edit->history[edit->history_at] : edit->kept);
    }
}

static void remember(struct screen_edit *edit)
{
    const struct edit_line *last = edit->history_count > 0 ? edit->history[edit->history_count - 1] : NULL;
    const bool is_known =
        last != NULL && last->size == edit->size && memcmp(last->text, edit->text, edit->size) == 0;
    struct edit_line *line = edit->size == 0 || is_known ? NULL : copy_of(edit);
    if (line != NULL && edit->history_count == EDIT_HISTORY_SIZE) {
        free(edit->history[0]);
        edit->history_count--;
        memmove(edit->history, edit->history + 1, edit->history_count * sizeof(struct edit_line *));
    }
    if (line != NULL) {
        edit->history[edit->history_count++] = line;
    }
}

struct prosa_bytes screen_edit_take(struct screen_edit *edit)
{
    const struct prosa_bytes line = prosa_bytes(edit->text, edit->size);
    remember(edit);
    edit->size = 0;
    edit->cursor = 0;
    edit->refused = 0;
    edit->history_at = edit->history_count;
    free(edit->kept);
    edit->kept = NULL;
    return line;
}

void screen_edit_press(struct screen_edit *edit, const struct keys_key *key)
{
    const size_t cursor = edit->cursor;
    switch (key->kind) {
    case KEYS_CHARACTER:
        insert(edit, key->code_point);
        break;
    case KEYS_LEFT:
        edit->cursor = left_of(edit, cursor);
        break;
    case KEYS_RIGHT:
        edit->cursor = right_of(edit, cursor);
        break;
    case KEYS_WORD_LEFT:
        edit->cursor = word_left_of(edit, cursor);
        break;
    case KEYS_WORD_RIGHT:
        edit->cursor = word_right_of(edit, cursor);
        break;
    case KEYS_LINE_BEGIN:
        edit->cursor = 0;
        break;
    case KEYS_LINE_END:
        edit->cursor = edit->size;
        break;
    case KEYS_DELETE_LEFT:
        delete_between(edit, left_of(edit, cursor), cursor);
        break;
    case KEYS_END_OF_FILE: /* in the middle of a line, as everywhere */
    case KEYS_DELETE_RIGHT:
        delete_between(edit, cursor, right_of(edit, cursor));
        break;
    case KEYS_DELETE_WORD_LEFT:
        delete_between(edit, word_left_of(edit, cursor), cursor);
        break;
    case KEYS_DELETE_WORD_RIGHT:
        delete_between(edit, cursor, word_right_of(edit, cursor));
        edit->cursor = cursor;
        break;
    case KEYS_DELETE_TO_BEGIN:
        delete_between(edit, 0, cursor);
        break;
    case KEYS_DELETE_TO_END:
        delete_between(edit, cursor, edit->size);
        break;
    case KEYS_OLDER:
        call_older(edit);
        break;
    case KEYS_NEWER:
        call_newer(edit);
        break;
    default:
        break;
    }
}
