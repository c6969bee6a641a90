/* SPDX-License-Identifier: MIT */
/*
 * requests: the answers of a codec (chapter 13.5), one line of JSON on stdout for each request.
 * It refuses to decide anything itself: every verdict is libprosa's.
 */
#ifndef CODEC_REQUESTS_H
#define CODEC_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

/* One word of a request. The octets are writable, and are used up by the answer. */
struct word {
    uint8_t *at;
    size_t size;
};

/* Answers the request that `words` are; `count` may be 0. What is not understood gets
 * {"verdict":"unsupported"} [CON-13]. */
void request_answer(struct word *words, size_t count);

#endif
