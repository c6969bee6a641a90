/* SPDX-License-Identifier: MIT
 *
 * events: what a client tells on stdout (CON-09, CON-10): one JSON object a line; u64 as digits, octets in
 * hexadecimal, nothing unprintable. An event is begun, its members follow, and it is ended.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "wire.h"

void json_text(const char *name, struct prosa_bytes text);
void json_string(const char *name, const char *text);
void json_hex(const char *name, const uint8_t *octets, size_t size);
void json_number(const char *name, uint64_t value);
void json_bool(const char *name, bool value);
void json_code(uint16_t code); /* its name, its number, or null */
void begin_event(const char *event);
void end_event(void);
void json_field(const struct frame *frame, uint16_t tag);

#endif
