/* SPDX-License-Identifier: MIT */
#include "text_out.h"

static const char digits[] = "0123456789abcdef";

void prosa_text_out_init(struct prosa_text_out *out, char *at, size_t cap)
{
    out->at = at;
    out->cap = cap;
    out->written = 0;
    out->needed = 0;
}

void prosa_text_out_string(struct prosa_text_out *out, const char *text)
{
    size_t size = strlen(text);
    bool fits = out->needed == out->written && out->cap > out->written && size < out->cap - out->written;

    if (fits && size > 0) {
        memcpy(out->at + out->written, text, size);
        out->written += size;
    }
    out->needed += size;
}

void prosa_text_out_code_point(struct prosa_text_out *out, uint32_t code_point)
{
    char text[5] = {0};

    if (code_point < 0x80) {
        text[0] = (char)code_point;
    } else if (code_point < 0x800) {
        text[0] = (char)(0xC0 | code_point >> 6);
        text[1] = (char)(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        text[0] = (char)(0xE0 | code_point >> 12);
        text[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        text[2] = (char)(0x80 | (code_point & 0x3F));
    } else {
        text[0] = (char)(0xF0 | code_point >> 18);
        text[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
        text[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
        text[3] = (char)(0x80 | (code_point & 0x3F));
    }
    prosa_text_out_string(out, text);
}

void prosa_text_out_escape(struct prosa_text_out *out, uint32_t code_point)
{
    char text[] = "\\u0000";
    for (int i = 0; i < 4; i++)
        text[2 + i] = digits[code_point >> (12 - 4 * i) & 0xF];
    prosa_text_out_string(out, text);
}

void prosa_text_out_hex(struct prosa_text_out *out, struct prosa_bytes octets)
{
    for (size_t i = 0; i < octets.size; i++) {
        char text[] = {digits[octets.at[i] >> 4], digits[octets.at[i] & 0xF], 0};
        prosa_text_out_string(out, text);
    }
}

void prosa_text_out_decimal(struct prosa_text_out *out, uint64_t number)
{
    char text[21];
    char *first = text + sizeof text - 1;

    *first = 0;
    do {
        *--first = digits[number % 10];
        number /= 10;
    } while (number > 0);
    prosa_text_out_string(out, first);
}

size_t prosa_text_out_end(struct prosa_text_out *out)
{
    if (out->cap > 0)
        out->at[out->written] = 0;
    return out->needed;
}
