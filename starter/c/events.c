/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <stdio.h>

#include "link.h"

void json_text(const char *name, struct prosa_bytes text)
{
    printf(",\"%s\":\"", name);
    while (text.size > 0) {
        unsigned character;
        size_t size = unprintable(text, &character);
        if (size)
            printf("\\u%04x", character);
        else
            printf(text.at[0] == '"' || text.at[0] == '\\' ? "\\%c" : "%c", text.at[0]);
        text = prosa_bytes(text.at + (size ? size : 1), text.size - (size ? size : 1));
    }
    putchar('"');
}

void json_string(const char *name, const char *text)
{
    json_text(name, prosa_bytes_of_string(text));
}

void json_hex(const char *name, const uint8_t *octets, size_t size)
{
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < size; i++)
        printf("%02x", octets[i]);
    putchar('"');
}

void json_number(const char *name, uint64_t value)
{
    printf(",\"%s\":\"%llu\"", name, (unsigned long long)value);
}

void json_bool(const char *name, bool value)
{
    printf(",\"%s\":%s", name, value ? "true" : "false");
}

void json_code(uint16_t code) /* its name, its number, or null */
{
    if (code && code_name(code))
        json_string("code", code_name(code));
    else if (code)
        printf(",\"code\":%u", code);
    else
        printf(",\"code\":null");
}

void begin_event(const char *event)
{
    printf("{\"event\":\"%s\"", event);
}

void end_event(void)
{
    puts("}");
    fflush(stdout);
}

/* A field of a frame, if it is there, by its kind. */
void json_field(const struct frame *frame, uint16_t tag)
{
    const struct prosa_field_spec *row = field_row(tag);
    struct prosa_bytes value = field(frame, tag);
    if (!value.at)
        return;
    if (row->kind == PROSA_KIND_U64)
        json_number(row->name, number(frame, tag));
    else if (row->kind >= PROSA_KIND_NICK && row->kind <= PROSA_KIND_UTF8)
        json_text(row->name, value);
    else
        json_hex(row->name, value.at, value.size);
}
