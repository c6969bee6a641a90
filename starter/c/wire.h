/* SPDX-License-Identifier: MIT
 *
 * wire: frames and fields; octets to a frame, and fields to octets (chapter 3). No socket here, no key.
 * The numbers are those of prosa/registry.h. A frame borrows the octets that it was decoded from.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <prosa/bytes.h>
#include <prosa/registry.h>

/* Something that the peer did wrong: the code for the ERROR, and the clause. */
struct fault {
    uint16_t code;
    const char *clause;
};

struct frame {
    uint8_t type;
    const struct prosa_frame_spec *row; /* NULL for a type that nobody knows */
    struct prosa_bytes octets;          /* with the header */
    bool is_displayable;                /* MSG-14 */
};

/* Whether a frame of this type may come now; if not, it fills in the fault. */
typedef bool admit_fn(void *who, uint8_t type, const struct prosa_frame_spec *row, struct fault *fault);

enum decoded { FRAME, PARTIAL, FAULTY };

/* The first frame of these octets. `sender` is PROSA_FROM_CLIENT or PROSA_FROM_SERVER, `cap` the most that
 * `length` may be. `frame` has its type as soon as the header could be read, else 0. */
enum decoded decode(struct prosa_bytes octets, enum prosa_sender sender, size_t cap, admit_fn *admit,
                    void *who, struct frame *frame, struct fault *fault);

/* The value of a field; `at` is NULL when the frame does not have it. */
struct prosa_bytes field(const struct frame *frame, uint16_t tag);
bool has(const struct frame *frame, uint16_t tag);
uint64_t number(const struct frame *frame, uint16_t tag);
bool is(const struct frame *frame, uint16_t tag, const void *octets, size_t size);

/* The octets of the fields whose tags are below this one, as they came: what is signed. */
struct prosa_bytes before(const struct frame *frame, uint16_t tag);

/* Fields that are being written; the first octets are kept for the header. */
struct body {
    size_t size; /* the header counted */
    uint8_t at[PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING];
};

/* An empty body. Fields are put in ascending order of their tags (WIRE-16). */
void begin(struct body *body);
void put(struct body *body, uint16_t tag, const void *octets, size_t size);
void put_number(struct body *body, uint16_t tag, uint64_t value);
void put_text(struct body *body, uint16_t tag, const char *text);
/* The fields of a body, without the header; and the whole frame, once the header is written for this type. */
struct prosa_bytes fields_of(const struct body *body);
struct prosa_bytes finish(struct body *body, uint8_t type);

/* Whether octets are a good value of a field (WIRE-21); the code to refuse them with, or 0. */
uint16_t value_fault(const struct prosa_field_spec *row, struct prosa_bytes value);
const struct prosa_field_spec *field_row(uint16_t tag);
const char *code_name(uint16_t code); /* NULL for one that has none */
/* ERR-04, ERR-05: classes 04 and 05 leave the connection as it is, all others end it. */
bool is_fatal(uint16_t code);

/* Says what is left to write, and ends the program. */
void left_to_write(const char *words) __attribute__((noreturn));

#endif
