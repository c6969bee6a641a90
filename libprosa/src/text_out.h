/* SPDX-License-Identifier: MIT */
/*
 * text_out: appends characters to a caller's buffer, counts those that do not fit, and leaves room
 * for the final zero octet. Internal to json and text.
 */
#ifndef PROSA_TEXT_OUT_H
#define PROSA_TEXT_OUT_H

#include <prosa/bytes.h>

struct prosa_text_out {
    char *at;
    size_t cap;
    size_t written; /* into `at` */
    size_t needed;  /* in all */
};

void prosa_text_out_init(struct prosa_text_out *out, char *at, size_t cap);

/* Writes all of `text` or, once it does not fit, nothing any more. */
void prosa_text_out_string(struct prosa_text_out *out, const char *text);
void prosa_text_out_code_point(struct prosa_text_out *out, uint32_t code_point);
void prosa_text_out_escape(struct prosa_text_out *out, uint32_t code_point); /* \uXXXX, below U+10000 */
void prosa_text_out_hex(struct prosa_text_out *out, struct prosa_bytes octets);
void prosa_text_out_decimal(struct prosa_text_out *out, uint64_t number);

/* Ends the text with a zero octet, if there is any room, and returns the length needed. */
size_t prosa_text_out_end(struct prosa_text_out *out);

#endif
