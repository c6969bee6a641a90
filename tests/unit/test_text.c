/* SPDX-License-Identifier: MIT */
#include <prosa/text.h>

#include "check.h"
#include "support.h"

static bool is_valid(const char *hex)
{
    uint8_t octets[32];
    struct guarded memory = guarded_copy(from_hex(hex, octets, sizeof octets));
    bool valid = prosa_text_is_valid(prosa_bytes(memory.at, memory.size));
    guarded_free(&memory);
    return valid;
}

static void test_well_formed(void)
{
    PROSA_CLAUSE("WIRE-21");
    CHECK(is_valid(""));
    CHECK(is_valid("01 7f"));
    CHECK(is_valid("c280 dfbf"));
    CHECK(is_valid("e0a080 ed9fbf ee8080 efbfbf"));
    CHECK(is_valid("f0908080 f48fbfbf"));
}

static void test_malformed(void)
{
    PROSA_CLAUSE("WIRE-21");
    CHECK(!is_valid("00"));       /* U+0000 */
    CHECK(!is_valid("61 00 62")); /* in the middle */
    CHECK(!is_valid("80"));       /* continuation alone */
    CHECK(!is_valid("c2"));       /* cut off */
    CHECK(!is_valid("e282"));
    CHECK(!is_valid("f09f92"));
    CHECK(!is_valid("c0af")); /* long forms */
    CHECK(!is_valid("c1bf"));
    CHECK(!is_valid("e09fbf"));
    CHECK(!is_valid("f08fbfbf"));
    CHECK(!is_valid("c080"));   /* U+0000 in two octets */
    CHECK(!is_valid("eda080")); /* surrogates */
    CHECK(!is_valid("edbfbf"));
    CHECK(!is_valid("f4908080")); /* above U+10FFFF */
    CHECK(!is_valid("f5808080"));
    CHECK(!is_valid("ff"));
    CHECK(!is_valid("c241")); /* second octet is none */
    CHECK(!is_valid("e28241"));
}

/* Every code point, written by arithmetic, is read back; surrogates alone are refused. */
static void test_all_code_points(void)
{
    unsigned wrong = 0;

    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        uint8_t octets[4] = {(uint8_t)code};
        size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (size_t i = size - 1; size > 1 && i > 0; i--)
            octets[i] = (uint8_t)(0x80 | (code >> 6 * (size - 1 - i) & 0x3F));
        if (size > 1)
            octets[0] = (uint8_t)((0xF00 >> size & 0xFF) | code >> 6 * (size - 1));
        struct prosa_bytes text = prosa_bytes(octets, size);
        uint32_t read = 0;
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        if (prosa_text_next(&text, &read) == surrogate || (!surrogate && (read != code || text.size != 0)))
            wrong++;
    }
    CHECK(wrong == 0);
}

static bool sanitizes_to(struct prosa_bytes text, const char *expected)
{
    size_t length = strlen(expected);
    struct guarded out = guarded_new(length + 1);
    size_t needed = prosa_text_sanitize(text, (char *)out.at, out.size);
    bool good = needed == length && memcmp(out.at, expected, length + 1) == 0;
    guarded_free(&out);
    return good;
}

static void test_sanitize(void)
{
    PROSA_CLAUSE("MSG-19");
    CHECK(sanitizes_to(prosa_bytes_of_string("ol\xC3\xA1 \xF0\x9F\x98\x80"), "ol\xC3\xA1 \xF0\x9F\x98\x80"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\x1B[2J"), "\\u001b[2J"));
    CHECK(sanitizes_to(prosa_bytes("a\0b", 3), "a\\u0000b"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\r\n\x7F"), "\\u000d\\u000a\\u007f"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\xC2\x9B"), "\\u009b"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\xE2\x80\xAE"), "\\u202e"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\xE2\x80\x8B\xEF\xBB\xBF"), "\\u200b\\ufeff"));
    CHECK(sanitizes_to(prosa_bytes_of_string("\\u0041"), "\\\\u0041"));
    CHECK(sanitizes_to(prosa_bytes_of_string("a\xFFz"), "a\xEF\xBF\xBDz"));
    CHECK(sanitizes_to(prosa_bytes(NULL, 0), ""));
}

static void test_unprintable_ranges(void)
{
    unsigned count = 0;

    PROSA_CLAUSE("MSG-19");
    for (uint32_t code = 0; code <= 0x10FFFF; code++)
        count += prosa_text_is_unprintable(code);
    CHECK(count == 32 + 33 + 1 + 5 + 7 + 10 + 1);
    CHECK(!prosa_text_is_unprintable(' ') && !prosa_text_is_unprintable(0xA0));
    CHECK(prosa_text_is_unprintable(0x061C) && prosa_text_is_unprintable(0x2066));
}

static void test_sanitize_is_bounded(void)
{
    struct guarded out = guarded_new(4);
    struct prosa_bytes text = prosa_bytes_of_string("ab\xC3\xA1"
                                                    "c");

    CHECK(prosa_text_sanitize(text, (char *)out.at, out.size) == 5);
    CHECK(strcmp((char *)out.at, "ab") == 0); /* no half of a character, nothing after the gap */
    CHECK(prosa_text_sanitize(text, NULL, 0) == 5);
    CHECK(prosa_text_sanitize(text, (char *)out.at + 3, 1) == 5 && out.at[3] == 0);
    guarded_free(&out);
}

int main(void)
{
    test_well_formed();
    test_malformed();
    test_all_code_points();
    test_sanitize();
    test_unprintable_ranges();
    test_sanitize_is_bounded();
    return check_result();
}
