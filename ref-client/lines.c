/* SPDX-License-Identifier: MIT */
#include "lines.h"

void lines_init(struct lines *lines)
{
    memset(lines, 0, sizeof *lines);
}

uint8_t *lines_space(struct lines *lines, size_t *size)
{
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    *size = sizeof lines->buffer - lines->end;
    return lines->buffer + lines->end;
}

void lines_commit(struct lines *lines, size_t size)
{
    lines->end += size;
    lines->has_ended = size == 0;
}

/* Takes all that is there of a line without an end. The octet beyond the longest line may be a carriage
 * return, which does not count. */
static enum lines_outcome take_rest(struct lines *lines, struct prosa_bytes *line)
{
    const bool was_skipping = lines->is_skipping;
    *line = prosa_bytes(lines->buffer + lines->begin, lines->end - lines->begin);
    if (lines->has_ended ? line->size == 0 : line->size <= LINES_MAX + 1 && !was_skipping) {
        return LINES_NONE;
    }
    lines->begin = lines->end;
    lines->is_skipping = !lines->has_ended;
    if (was_skipping) {
        return LINES_NONE;
    }
    return line->size > LINES_MAX ? LINES_TOO_LONG : LINES_LINE;
}

enum lines_outcome lines_next(struct lines *lines, struct prosa_bytes *line)
{
    for (;;) {
        const uint8_t *at = lines->buffer + lines->begin;
        const uint8_t *feed = memchr(at, '\n', lines->end - lines->begin);
        const bool was_skipping = lines->is_skipping;
        if (feed == NULL) {
            return take_rest(lines, line);
        }
        *line = prosa_bytes(at, (size_t)(feed - at));
        lines->begin += line->size + 1;
        lines->is_skipping = false;
        if (line->size > 0 && line->at[line->size - 1] == '\r') {
            line->size--; /* [CON-08] */
        }
        if (!was_skipping) {
            return line->size > LINES_MAX ? LINES_TOO_LONG : LINES_LINE;
        }
    }
}
