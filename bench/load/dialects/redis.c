/* SPDX-License-Identifier: MIT */
/* Redis, with RESP3, in which a subscriber may publish, too. */
#include "words.h"

#include <stdio.h>

#define MESSAGE    ">3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$"
#define SUBSCRIBED ">3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n"
#define PONG       "+PONG\r\n"

static bool greet(struct member *member)
{
    return words_say(member, "HELLO 3\r\nPING\r\n");
}

static bool join(struct member *member)
{
    return words_say(member, "SUBSCRIBE bench\r\n");
}

/* The answer to HELLO is a map of many lines; the PONG ends it. */
static size_t take_greeting(struct member *member, struct prosa_bytes octets)
{
    const size_t size = words_line(octets);
    if (size > 0 && words_begin(octets, "-")) {
        return words_broken(member, octets);
    }
    if (words_begin(prosa_bytes(octets.at, size), PONG)) {
        member_is_present(member);
    }
    return size;
}

static size_t take_message(struct member *member, struct prosa_bytes octets)
{
    const size_t before = sizeof MESSAGE - 1;
    size_t size = 0, at = before;
    while (at < octets.size && octets.at[at] >= '0' && octets.at[at] <= '9' && size <= BODY_MAX) {
        size = 10 * size + (octets.at[at++] - '0');
    }
    if (octets.size < at + 2) {
        return 0;
    }
    const size_t shown = words_show(member, prosa_bytes(octets.at + at + 2, octets.size - at - 2), size);
    return shown == 0 || shown == DIALECT_BROKEN ? shown : at + 2 + shown;
}

static size_t take_push(struct member *member, struct prosa_bytes octets)
{
    if (octets.size < sizeof SUBSCRIBED - 1) {
        return 0;
    }
    if (words_begin(octets, MESSAGE)) {
        return take_message(member, octets);
    }
    if (!words_begin(octets, SUBSCRIBED)) {
        return words_broken(member, octets);
    }
    member_has_joined(member);
    return sizeof SUBSCRIBED - 1;
}

static size_t take_next(struct member *member, struct prosa_bytes octets)
{
    if (octets.size == 0) {
        return 0;
    }
    if (member->stage == MEMBER_GREETING) {
        return take_greeting(member, octets);
    }
    if (octets.at[0] == '>') {
        return take_push(member, octets);
    }
    return octets.at[0] == ':' ? words_line(octets) : words_broken(member, octets); /* how many it reached */
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    return words_take(member, at, size, take_next);
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    char before[64];
    snprintf(before, sizeof before, "*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$%u\r\n",
             (unsigned)member->load->plan->body_size);
    return words_write(member, before, index, out, cap);
}

const struct dialect dialect_redis = {
    .name = "redis", .repeats = true, .greet = greet, .take = take, .join = join, .write = write_post};
