/* SPDX-License-Identifier: MIT */
/*
 * lines: octets in, lines out. A line ends with a line feed, which is cut with a carriage return before it,
 * or with the end of the input.
 * It refuses to hold more than one line that a message can be made of: of a longer one only the fact is
 * told, and its octets are dropped.
 */
#ifndef REF_CLIENT_LINES_H
#define REF_CLIENT_LINES_H

#include <prosa/bytes.h>

/* Longest line, in octets: the longest text of a message (field `text`). */
#define LINES_MAX 4096u

struct lines {
    uint8_t buffer[2 * LINES_MAX];
    size_t begin, end; /* what is not taken yet */
    bool is_skipping;  /* inside of a line that is too long */
    bool has_ended;
};

enum lines_outcome {
    LINES_NONE, /* more octets are needed, or there will be none */
    LINES_LINE,
    LINES_TOO_LONG, /* once for each such line */
};

void lines_init(struct lines *lines);

/* Where to put the next octets, at least LINES_MAX - 1 of them when lines_next has said LINES_NONE; then how
 * many were put there. 0 of them: the input has ended. */
uint8_t *lines_space(struct lines *lines, size_t *size);
void lines_commit(struct lines *lines, size_t size);

/* Takes a line out. *line is valid until the next lines_space. */
PROSA_NODISCARD enum lines_outcome lines_next(struct lines *lines, struct prosa_bytes *line);

#endif
