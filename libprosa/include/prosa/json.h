/* SPDX-License-Identifier: MIT */
/*
 * json: frames for people and tools, as the one-way projection of chapter 3.7.
 * It refuses to read JSON: the projection is never signed and never parsed back.
 */
#ifndef PROSA_JSON_H
#define PROSA_JSON_H

#include <prosa/frame.h>
#include <prosa/text.h>

/* Writes the projection of `frame`, which was parsed, and decoded without a fault or ignored, and a
 * final zero octet [WIRE-34]. Like snprintf: returns the length that the whole needs, without the
 * zero; when that is >= cap, the text was cut off and is no JSON. `out` may be NULL when cap is 0.
 * The result is UTF-8 on one line. */
PROSA_API size_t prosa_json_frame(const struct prosa_frame *frame, char *out, size_t cap);

/* Writes `text` as a JSON string with its quotation marks; same contract. What may not be printed
 * [MSG-19] is escaped as \uXXXX; octets that are not UTF-8 become U+FFFD. */
PROSA_API size_t prosa_json_string(struct prosa_bytes text, char *out, size_t cap);

#endif
