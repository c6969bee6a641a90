/* SPDX-License-Identifier: MIT */
/*
 * body: the text of every message of a run. It says which run, whose message and which it is, and its
 * octets follow from that alone: whoever is shown one can compare all of it with what was said, without
 * a copy of what was said. Letters only, so that every protocol carries it.
 */
#ifndef BENCH_BODY_H
#define BENCH_BODY_H

#include <prosa/bytes.h>

#define BODY_MIN 18u   /* octets */
#define BODY_MAX 4096u /* octets */

struct body {
    uint32_t run; /* 24 bits */
    uint16_t writer;
    uint32_t index;
};

/* Writes `size` octets, BODY_MIN to BODY_MAX. */
void body_write(struct body body, uint8_t *out, size_t size);

/* False: an octet is not what it was. */
PROSA_NODISCARD bool body_read(struct prosa_bytes octets, struct body *body);

#endif
