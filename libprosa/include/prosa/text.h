/* SPDX-License-Identifier: MIT */
/*
 * text: UTF-8 from strangers. Tells whether it is well-formed, and makes any of it safe to print.
 * It refuses to know about width, case or normal forms: PROSA/1 compares octets.
 */
#ifndef PROSA_TEXT_H
#define PROSA_TEXT_H

#include <prosa/bytes.h>

/* True for well-formed UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF) without
 * U+0000. Empty text is valid. */
PROSA_API PROSA_NODISCARD bool prosa_text_is_valid(struct prosa_bytes text);

/* Takes the first code point off `text`, which is not empty. What is not well-formed gives U+FFFD,
 * false, and takes one octet. */
PROSA_API bool prosa_text_next(struct prosa_bytes *text, uint32_t *code_point);

/* True for what a program may not print [MSG-19]: C0 and C1 controls, bidirectional controls and
 * zero-width characters. */
PROSA_API bool prosa_text_is_unprintable(uint32_t code_point);

/* Writes `text` so that a terminal or a log shows it without obeying it, and a final zero octet:
 * what may not be printed becomes a visible \uXXXX, a backslash becomes two, octets that are not
 * UTF-8 become U+FFFD. Like snprintf: returns the length that the whole needs, without the zero;
 * when that is >= cap, the text was cut off, between two characters. `out` may be NULL when cap is 0. */
PROSA_API size_t prosa_text_sanitize(struct prosa_bytes text, char *out, size_t cap);

#endif
