/* SPDX-License-Identifier: MIT */
/*
 * json: frames for people and tools. A one-way projection of a decoded frame, and the helper that
 * makes any text of the wire safe to print.
 * It refuses to read JSON: the projection is never signed, never parsed back.
 */
#ifndef PROSA_JSON_H
#define PROSA_JSON_H

#include <prosa/frame.h>

/* Writes the projection of `frame` (parsed, and decoded without a fault or ignored) and a final
 * zero octet. Like snprintf: returns the length that the whole text needs, without the zero;
 * when that is >= cap, the text was cut off at cap - 1. `out` may be NULL when cap is 0.
 * The result is UTF-8, without line ends. */
PROSA_API size_t prosa_json_frame(const struct prosa_frame *frame, char *out, size_t cap);

/* Writes `text` as a JSON string with its quotation marks; same contract. Octets that are not
 * well-formed UTF-8 become U+FFFD. */
PROSA_API size_t prosa_json_string(struct prosa_bytes text, char *out, size_t cap);

/* Writes `text` so that a terminal or a log shows it without obeying it: C0 and C1 controls,
 * bidirectional controls and zero-width characters become a visible \uXXXX, a backslash becomes
 * two, what is not UTF-8 becomes U+FFFD. Same contract. */
PROSA_API size_t prosa_text_sanitize(struct prosa_bytes text, char *out, size_t cap);

/* True for well-formed UTF-8 (RFC 3629) without U+0000. */
PROSA_API PROSA_NODISCARD bool prosa_text_is_valid(struct prosa_bytes text);

#endif
