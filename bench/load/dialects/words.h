/* SPDX-License-Identifier: MIT */
/* words: what protocols that speak in lines have in common. */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include "../load.h"

/* Octets of the first line with its line feed; 0 while there is none. */
size_t words_line(struct prosa_bytes octets);

bool words_begin(struct prosa_bytes octets, const char *text);

/* Says a text. */
bool words_say(struct member *member, const char *text);

/* A message as `before`, the body, and a line's end. 0: no room. */
size_t words_write(struct member *member, const char *before, uint32_t index, uint8_t *out, size_t cap);

/* Loses the member, with what the server said instead of what it should. */
size_t words_broken(struct member *member, struct prosa_bytes line);

/* A body of this size stands at the start of `octets`, and a line's end behind it: it is shown, and the
 * octets of both are returned; 0 while they are not whole, DIALECT_BROKEN when there is no line's end. */
size_t words_show(struct member *member, struct prosa_bytes octets, size_t size);

/* What a dialect takes is one of its own after the other, as `next` finds them: the octets of the first, 0
 * while it is not whole, DIALECT_BROKEN when the member is lost. Returns what was taken of all, or
 * DIALECT_BROKEN. */
size_t words_take(struct member *member, const uint8_t *at, size_t size,
                  size_t (*next)(struct member *member, struct prosa_bytes octets));

#endif
