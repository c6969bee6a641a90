/* SPDX-License-Identifier: MIT */
/* support: octets for tests, and memory behind which there is nothing: reading or writing one octet
 * beyond it ends the program. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <prosa/bytes.h>

/* Writes the octets of hexadecimal text, spaces allowed, to `out` and returns their view. What is
 * not hexadecimal, or too long, ends the program. */
struct prosa_bytes from_hex(const char *text, uint8_t *out, size_t cap);

/* `size` writable octets that end where the accessible memory ends. Free with guarded_free. */
struct guarded {
    uint8_t *at;
    size_t size;
    void *mapping;
    size_t mapped;
};

struct guarded guarded_new(size_t size);
struct guarded guarded_copy(struct prosa_bytes octets);
void guarded_free(struct guarded *memory);

#endif
