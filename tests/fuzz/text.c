/* SPDX-License-Identifier: MIT */
/* Any octets as the text of strangers, to be printed [MSG-19] and projected [WIRE-34]. */
#include "fuzz.h"

#include <prosa/json.h>

/* Valid UTF-8 all of it, and nothing in it that a terminal obeys. */
static void check_printable(struct prosa_bytes text)
{
    PROMISE(prosa_text_is_valid(text));
    while (text.size > 0) {
        uint32_t code_point;
        PROMISE(prosa_text_next(&text, &code_point) && !prosa_text_is_unprintable(code_point));
    }
}

typedef size_t (*printer)(struct prosa_bytes text, char *out, size_t cap);

/* The contract of snprintf: the same length whatever the room, a final zero, and no character cut in two. */
static void check_printer(printer print, struct prosa_bytes text)
{
    const size_t whole = print(text, NULL, 0);
    char *out = malloc(whole + 1);
    PROMISE(out != NULL);
    PROMISE(print(text, out, whole + 1) == whole && strlen(out) == whole);
    check_printable(prosa_bytes(out, whole));
    for (size_t cap = 1; cap <= whole; cap += cap < 12 ? 1 : whole / 4 + 1) {
        char *cut = malloc(cap);
        PROMISE(cut != NULL);
        PROMISE(print(text, cut, cap) == whole);
        const size_t size = strlen(cut);
        PROMISE(size < cap && memcmp(cut, out, size) == 0);
        check_printable(prosa_bytes(cut, size));
        free(cut);
    }
    free(out);
}

/* Made plain again: of valid text nothing is lost. */
static void check_undone(struct prosa_bytes text)
{
    const size_t size = prosa_text_sanitize(text, NULL, 0);
    char *out = malloc(size + 1);
    PROMISE(out != NULL && prosa_text_sanitize(text, out, size + 1) == size);
    struct prosa_bytes printed = prosa_bytes(out, size);
    while (text.size > 0) {
        uint32_t wanted;
        uint32_t shown;
        prosa_text_next(&text, &wanted);
        PROMISE(printed.size > 0);
        prosa_text_next(&printed, &shown);
        if (shown == '\\') {
            PROMISE(printed.size > 0);
            prosa_text_next(&printed, &shown);
            if (shown == 'u') {
                char digits[5] = "";
                PROMISE(printed.size >= 4);
                memcpy(digits, printed.at, 4);
                shown = (uint32_t)strtoul(digits, NULL, 16);
                printed = prosa_bytes(printed.at + 4, printed.size - 4);
            }
        }
        PROMISE(shown == wanted);
    }
    PROMISE(printed.size == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct prosa_bytes text = prosa_bytes(data, size);
    struct prosa_bytes rest = text;
    bool good = true;
    while (rest.size > 0) {
        uint32_t code_point;
        const size_t before = rest.size;
        const bool is_good = prosa_text_next(&rest, &code_point);
        PROMISE(rest.size < before && before - rest.size <= (is_good ? 4 : 1));
        PROMISE(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF));
        good = good && is_good && code_point != 0;
    }
    PROMISE(good == prosa_text_is_valid(text));
    check_printer(prosa_text_sanitize, text);
    check_printer(prosa_json_string, text);
    check_undone(text);
    return 0;
}
