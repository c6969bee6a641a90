/* SPDX-License-Identifier: MIT */
/*
 * replay: reads lines "FROM CAP OCTETS" and decodes each one as a connection would bring it: every
 * prefix, one octet longer each time, and each placed so that the octet behind it cannot be read.
 * A prefix is partial until there is a verdict; from then on every longer one has the same verdict.
 * A good frame is also encoded and projected into exactly the room that it needs.
 * Prints one line a fault and ends with 1; ends with 2 when there was nothing to replay.
 */
#define _POSIX_C_SOURCE 200809L /* getline */
#include <prosa/prosa.h>

#include <stdio.h>
#include <stdlib.h>

#include "../unit/support.h"

static unsigned line_number;
static unsigned faults;

static void report(const char *what, size_t at)
{
    fprintf(stderr, "line %u: %s, at octet %zu\n", line_number, what, at);
    faults++;
}

/* What a decoder answers: a status and, for a whole frame, its octets. */
struct verdict {
    enum prosa_status status;
    size_t consumed;
    struct prosa_frame frame;
    struct prosa_message message;
};

static struct verdict decode(struct prosa_bytes input, enum prosa_sender from, size_t cap)
{
    struct verdict verdict = {.consumed = 0};

    verdict.status = prosa_frame_parse(input, cap, &verdict.frame);
    if (verdict.status == PROSA_OK)
        verdict.status = prosa_message_decode(&verdict.frame, from, &verdict.message);
    if (verdict.status == PROSA_OK || verdict.status == PROSA_IGNORED)
        verdict.consumed = verdict.frame.octets.size;
    return verdict;
}

static void replay_prefixes(struct prosa_bytes input, enum prosa_sender from, size_t cap)
{
    struct verdict whole = decode(input, from, cap);
    struct guarded memory = guarded_new(input.size);
    uint8_t *end = memory.at + memory.size;
    bool decided = false;

    for (size_t size = 0; size <= input.size; size++) {
        if (size > 0)
            memcpy(end - size, input.at, size);
        struct verdict verdict = decode(prosa_bytes(end - size, size), from, cap);
        if (verdict.status == PROSA_PARTIAL && decided)
            report("a verdict was taken back", size);
        if (verdict.status == PROSA_PARTIAL)
            continue;
        decided = true;
        if (verdict.status != whole.status || verdict.consumed != whole.consumed)
            report("a prefix has another verdict than the whole", size);
        if (size < whole.consumed)
            report("a verdict before the frame was whole", size);
    }
    if (decided != (whole.status != PROSA_PARTIAL))
        report("the last prefix has another verdict than the whole", input.size);
    guarded_free(&memory);
}

static void replay_encoding(const struct verdict *whole)
{
    struct guarded out = guarded_new(whole->consumed);
    size_t size = 0;

    enum prosa_status status =
        prosa_message_encode(&whole->message, whole->message.body, out.at, out.size, &size);
    if (status != PROSA_OK || !prosa_bytes_equal(prosa_bytes(out.at, size), whole->frame.octets))
        report("encodes to other octets", size);
    if (prosa_message_encode(&whole->message, whole->message.body, out.at, out.size - 1, &size) !=
        PROSA_ERR_NO_SPACE)
        report("encodes into too little room", out.size - 1);
    guarded_free(&out);
}

static void replay_projection(const struct prosa_frame *frame)
{
    size_t needed = prosa_json_frame(frame, NULL, 0);
    struct guarded out = guarded_new(needed + 1);

    if (prosa_json_frame(frame, (char *)out.at, out.size) != needed || strlen((char *)out.at) != needed)
        report("projects to another length", needed);
    guarded_free(&out);
}

static void replay(struct prosa_bytes input, enum prosa_sender from, size_t cap)
{
    struct guarded memory = guarded_copy(input);
    struct verdict whole = decode(prosa_bytes(memory.at, memory.size), from, cap);

    replay_prefixes(input, from, cap);
    if (whole.status == PROSA_OK)
        replay_encoding(&whole);
    if (whole.status == PROSA_OK || whole.status == PROSA_IGNORED)
        replay_projection(&whole.frame);
    guarded_free(&memory);
}

int main(void)
{
    static uint8_t octets[2 * (PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING)];
    char *line = NULL;
    size_t room = 0;

    for (; getline(&line, &room, stdin) > 0; line_number++) {
        const char *sender = strtok(line, " \n");
        const char *cap = strtok(NULL, " \n");
        const char *hex = strtok(NULL, " \n");
        if (sender == NULL || cap == NULL || hex == NULL) {
            report("not of the form FROM CAP OCTETS", 0);
            continue;
        }
        enum prosa_sender from = strcmp(sender, "client") == 0 ? PROSA_FROM_CLIENT : PROSA_FROM_SERVER;
        replay(from_hex(strcmp(hex, "-") == 0 ? "" : hex, octets, sizeof octets), from,
               strtoul(cap, NULL, 10));
    }
    free(line);
    printf("%u inputs, %u faults\n", line_number, faults);
    if (line_number == 0)
        return 2;
    return faults > 0;
}
