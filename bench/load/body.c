/* SPDX-License-Identifier: MIT */
#include "body.h"

#define RUN_DIGITS    6u
#define WRITER_DIGITS 4u
#define INDEX_DIGITS  8u
#define PLACES        1024u /* where the rest of a body may begin in `fill` */

_Static_assert(RUN_DIGITS + WRITER_DIGITS + INDEX_DIGITS == BODY_MIN, "the least is no rest");

static uint8_t fill[PLACES + BODY_MAX];

/* Letters that do not repeat; always the same ones. */
static void make_fill(void)
{
    uint32_t state = 1;
    if (fill[0] != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof fill; i++) {
        state = state * 1664525u + 1013904223u;
        fill[i] = (uint8_t)('a' + (state >> 24) % 26);
    }
}

static const uint8_t *fill_of(struct body body)
{
    return fill + (body.writer * 131u + body.index * 7u) % PLACES;
}

static uint8_t *write_digits(uint8_t *at, uint32_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value >>= 4) {
        at[i] = (uint8_t)('a' + (value & 15));
    }
    return at + digits;
}

void body_write(struct body body, uint8_t *out, size_t size)
{
    make_fill();
    uint8_t *at = write_digits(out, body.run, RUN_DIGITS);
    at = write_digits(at, body.writer, WRITER_DIGITS);
    at = write_digits(at, body.index, INDEX_DIGITS);
    memcpy(at, fill_of(body), size - BODY_MIN);
}

/* `wrong` gets a bit above the fourth when a letter is no digit. */
static uint32_t read_digits(const uint8_t *at, unsigned digits, unsigned *wrong)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++) {
        const unsigned digit = (unsigned)at[i] - 'a';
        *wrong |= digit;
        value = value << 4 | (digit & 15);
    }
    return value;
}

bool body_read(struct prosa_bytes octets, struct body *body)
{
    unsigned wrong = 0;
    if (octets.size < BODY_MIN || octets.size > BODY_MAX) {
        return false;
    }
    make_fill();
    const uint8_t *at = octets.at;
    body->run = read_digits(at, RUN_DIGITS, &wrong);
    body->writer = (uint16_t)read_digits(at + RUN_DIGITS, WRITER_DIGITS, &wrong);
    body->index = read_digits(at + RUN_DIGITS + WRITER_DIGITS, INDEX_DIGITS, &wrong);
    return wrong < 16 && memcmp(at + BODY_MIN, fill_of(*body), octets.size - BODY_MIN) == 0;
}
