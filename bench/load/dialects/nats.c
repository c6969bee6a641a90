/* SPDX-License-Identifier: MIT */
/* NATS: a PONG follows all that was asked before its PING. */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE "MSG bench 1 "

static bool greet(struct member *member)
{
    return words_say(member, "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true,\"lang\":\"c\","
                             "\"version\":\"1\",\"protocol\":0}\r\nPING\r\n");
}

static bool join(struct member *member)
{
    return words_say(member, "SUB bench 1\r\nPING\r\n");
}

static size_t take_message(struct member *member, struct prosa_bytes octets, size_t line)
{
    size_t size = 0;
    for (size_t at = sizeof MESSAGE - 1; octets.at[at] >= '0' && octets.at[at] <= '9' && size <= BODY_MAX;
         at++) {
        size = 10 * size + (octets.at[at] - '0');
    }
    const size_t shown = words_show(member, prosa_bytes(octets.at + line, octets.size - line), size);
    return shown == 0 || shown == DIALECT_BROKEN ? shown : line + shown;
}

static size_t take_next(struct member *member, struct prosa_bytes octets)
{
    const size_t line = words_line(octets);
    if (line == 0) {
        return 0;
    }
    if (words_begin(octets, MESSAGE)) {
        return take_message(member, octets, line);
    }
    if (words_begin(octets, "PING")) {
        return words_say(member, "PONG\r\n") ? line : DIALECT_BROKEN;
    }
    if (words_begin(octets, "PONG")) {
        if (member->stage == MEMBER_GREETING) {
            member_is_present(member);
        } else if (member->stage == MEMBER_JOINING) {
            member_has_joined(member);
        }
        return line;
    }
    return words_begin(octets, "INFO") ? line : words_broken(member, octets);
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    return words_take(member, at, size, take_next);
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    char before[32];
    snprintf(before, sizeof before, "PUB bench %u\r\n", (unsigned)member->load->plan->body_size);
    return words_write(member, before, index, out, cap);
}

const struct dialect dialect_nats = {
    .name = "nats", .repeats = true, .greet = greet, .take = take, .join = join, .write = write_post};
