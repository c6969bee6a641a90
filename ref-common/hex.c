/* SPDX-License-Identifier: MIT */
#include "hex.h"

void hex_print(struct prosa_bytes octets, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < octets.size; i++) {
        *out++ = digits[octets.at[i] >> 4];
        *out++ = digits[octets.at[i] & 15];
    }
    *out = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_parse(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const int high = digit(text[2 * i]);
        const int low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
