/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <stdio.h>

#define END_SIZE  2u /* "\r\n" */
#define SHOW_SIZE 80

size_t words_line(struct prosa_bytes octets)
{
    const uint8_t *end = octets.size > 0 ? memchr(octets.at, '\n', octets.size) : NULL;
    return end != NULL ? (size_t)(end - octets.at) + 1 : 0;
}

bool words_begin(struct prosa_bytes octets, const char *text)
{
    const size_t size = strlen(text);
    return octets.size >= size && memcmp(octets.at, text, size) == 0;
}

bool words_say(struct member *member, const char *text)
{
    return member_say(member, text, strlen(text));
}

size_t words_write(struct member *member, const char *before, uint32_t index, uint8_t *out, size_t cap)
{
    const struct plan *plan = member->load->plan;
    const struct prosa_bytes head = prosa_bytes_of_string(before);
    const size_t size = head.size + plan->body_size;
    if (cap < size + END_SIZE) {
        return 0;
    }
    memcpy(out, head.at, head.size);
    body_write((struct body){plan->run, (uint16_t)member->writer, index}, out + head.size, plan->body_size);
    out[size] = '\r';
    out[size + 1] = '\n';
    return size + END_SIZE;
}

size_t words_broken(struct member *member, struct prosa_bytes line)
{
    char why[SHOW_SIZE + 32];
    char words[SHOW_SIZE];
    size_t size = 0;
    for (; size < line.size && size < sizeof words - 1; size++) {
        words[size] = (char)(line.at[size] >= ' ' && line.at[size] < 0x7F ? line.at[size] : '.');
    }
    words[size] = '\0';
    snprintf(why, sizeof why, "the server said: %s", words);
    (void)member_lose(member, why);
    return DIALECT_BROKEN;
}

size_t words_show(struct member *member, struct prosa_bytes octets, size_t size)
{
    struct body body;
    if (octets.size < size + END_SIZE) {
        return 0;
    }
    if (memcmp(octets.at + size, "\r\n", END_SIZE) != 0) {
        return words_broken(member, octets);
    }
    (void)load_shown(member, prosa_bytes(octets.at, size), prosa_bytes(NULL, 0), &body);
    return size + END_SIZE;
}

size_t words_take(struct member *member, const uint8_t *at, size_t size,
                  size_t (*next)(struct member *member, struct prosa_bytes octets))
{
    size_t done = 0, one;
    while ((one = next(member, prosa_bytes(at + done, size - done))) != 0) {
        if (one == DIALECT_BROKEN) {
            return DIALECT_BROKEN;
        }
        done += one;
    }
    return done;
}
