/* SPDX-License-Identifier: MIT */
#include <prosa/text.h>

#include "text_out.h"

#define REPLACEMENT 0xFFFDu

/* A first octet: how many follow, its share of the code point, and the range of the second octet,
 * which is what rules out long forms, surrogates and more than U+10FFFF (RFC 3629, section 4). */
struct lead {
    uint8_t first, last;
    uint8_t following;
    uint8_t mask;
    uint8_t second_first, second_last;
};

static const struct lead leads[] = {
    {0x00, 0x7F, 0, 0x7F, 0x80, 0xBF}, {0xC2, 0xDF, 1, 0x1F, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0x0F, 0xA0, 0xBF},
    {0xE1, 0xEC, 2, 0x0F, 0x80, 0xBF}, {0xED, 0xED, 2, 0x0F, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x0F, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x07, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x07, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x07, 0x80, 0x8F},
};

static const struct lead *find_lead(uint8_t octet)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (octet >= leads[i].first && octet <= leads[i].last)
            return &leads[i];
    return NULL;
}

/* The number of octets of the well-formed code point at the start, 0 when there is none. */
static size_t decode_code_point(struct prosa_bytes text, uint32_t *code_point)
{
    const struct lead *lead = find_lead(text.at[0]);
    if (lead == NULL || text.size <= lead->following)
        return 0;
    uint32_t value = text.at[0] & lead->mask;
    for (size_t i = 1; i <= lead->following; i++) {
        uint8_t low = i == 1 ? lead->second_first : 0x80;
        uint8_t high = i == 1 ? lead->second_last : 0xBF;
        if (text.at[i] < low || text.at[i] > high)
            return 0;
        value = value << 6 | (text.at[i] & 0x3F);
    }
    *code_point = value;
    return 1u + lead->following;
}

bool prosa_text_next(struct prosa_bytes *text, uint32_t *code_point)
{
    size_t size = decode_code_point(*text, code_point);
    bool good = size > 0;

    if (!good) {
        *code_point = REPLACEMENT;
        size = 1;
    }
    *text = prosa_bytes(text->at + size, text->size - size);
    return good;
}

/* Most texts are ASCII, and nearly all of each: the rest of one behind that. */
static struct prosa_bytes skip_ascii(struct prosa_bytes text)
{
    size_t size = 0;
    while (size < text.size && text.at[size] > 0x00 && text.at[size] < 0x80)
        size++;
    return prosa_bytes(text.at + size, text.size - size);
}

bool prosa_text_is_valid(struct prosa_bytes text)
{
    while ((text = skip_ascii(text)).size > 0) {
        uint32_t code_point;
        if (!prosa_text_next(&text, &code_point) || code_point == 0)
            return false;
    }
    return true;
}

bool prosa_text_is_unprintable(uint32_t code_point)
{
    static const uint32_t ranges[][2] = {
        {0x0000, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C}, {0x200B, 0x200F},
        {0x2028, 0x202E}, {0x2060, 0x2069}, {0xFEFF, 0xFEFF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code_point >= ranges[i][0] && code_point <= ranges[i][1])
            return true;
    return false;
}

size_t prosa_text_sanitize(struct prosa_bytes text, char *out, size_t cap)
{
    struct prosa_text_out sink;

    prosa_text_out_init(&sink, out, cap);
    while (text.size > 0) {
        uint32_t code_point;
        prosa_text_next(&text, &code_point);
        if (code_point == '\\')
            prosa_text_out_string(&sink, "\\\\");
        else if (prosa_text_is_unprintable(code_point))
            prosa_text_out_escape(&sink, code_point);
        else
            prosa_text_out_code_point(&sink, code_point);
    }
    return prosa_text_out_end(&sink);
}
