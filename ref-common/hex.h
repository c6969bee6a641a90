/* SPDX-License-Identifier: MIT */
/* hex: octets as lower-case hexadecimal digits and back; it refuses capitals. */
#ifndef REF_COMMON_HEX_H
#define REF_COMMON_HEX_H

#include <prosa/bytes.h>

/* Writes 2 * octets.size digits and a final zero octet to `out`. */
void hex_print(struct prosa_bytes octets, char *out);

/* Reads `size` octets from the 2 * size characters at `text`; false when one of them is no digit. */
PROSA_NODISCARD bool hex_parse(const char *text, uint8_t *out, size_t size);

#endif
