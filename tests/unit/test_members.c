/* SPDX-License-Identifier: MIT */
#include "members.h"

#include "check.h"

enum { MANY = 80 };

static struct prosa_room room;
static struct roster roster;
static struct member members[MANY];
static uint8_t keys[MANY][PROSA_KEY_SIZE];
static uint8_t scratch[ROSTER_SCRATCH];

static void begin(void)
{
    static const uint8_t server_key[PROSA_KEY_SIZE] = {9};
    static const uint8_t epoch[PROSA_EPOCH_SIZE] = {8};
    prosa_room_init(&room, server_key, epoch, prosa_bytes_of_string("general"), NULL);
    roster_init(&roster, &room);
    for (size_t i = 0; i < MANY; i++) {
        keys[i][0] = (uint8_t)(i + 1);
        members[i] = (struct member){.key = keys[i], .nick = prosa_bytes(&"abcdefghijklmnopqrst"[i % 20], 1)};
    }
}

static void enter(size_t i)
{
    roster_enter(&roster, &members[i], 3);
}

/* What member `i` is told next, as letters: h(ere), j(oined), l(eft), r(esync), c(ount), each followed by the
 * number of the member or the count; and at_seq of the last one. */
static const char *told(size_t i, uint64_t *at_seq)
{
    static const char letters[] = "?hjlrc";
    static char text[1024];
    size_t used = 0;
    uint64_t at;
    text[0] = '\0';
    struct prosa_bytes frames = roster_next(&roster, &members[i], scratch, &at);
    if (frames.size > 0) {
        roster_told(&roster, &members[i]);
    }
    while (frames.size > 0) {
        struct prosa_frame frame;
        struct prosa_message message;
        if (prosa_frame_parse(frames, PROSA_MAX_FRAME_CEILING, &frame) != PROSA_OK ||
            prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) != PROSA_OK ||
            message.member.at_seq != at) {
            return "malformed";
        }
        const unsigned number = message.member.has_member_key ? message.member.member_key[0]
                                : message.member.has_count    ? message.member.count
                                                              : 0;
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%c%u ", letters[message.member.event], number);
        frames = prosa_bytes(frames.at + frame.octets.size, frames.size - frame.octets.size);
    }
    if (at_seq != NULL) {
        *at_seq = at;
    }
    return text;
}

static bool tells(size_t i, const char *wanted)
{
    const char *text = told(i, NULL);
    if (strcmp(text, wanted) != 0) {
        fprintf(stderr, "member %zu is told: %s\n", i, text);
        return false;
    }
    return true;
}

static void test_here_then_joined_and_left(void)
{
    uint64_t at_seq = 99;
    begin();
    enter(0);
    PROSA_CLAUSE("MEM-01");
    CHECK(tells(0, "h1 ") && tells(0, ""));
    room.head_seq = 7;
    enter(1);
    CHECK(tells(1, "h1 h2 ") && tells(1, ""));
    PROSA_CLAUSE("MEM-02");
    room.head_seq = 8;
    CHECK(strcmp(told(0, &at_seq), "j2 ") == 0 && at_seq == 7);
    PROSA_CLAUSE("MEM-03");
    enter(2);
    roster_leave(&roster, &members[1], 3);
    CHECK(tells(0, "j3 ") && tells(0, "l2 ") && tells(0, ""));
    CHECK(tells(2, "h1 h3 ") && tells(2, ""));
    roster_fini(&roster);
}

static void test_a_replacement_is_not_shown(void)
{
    begin();
    enter(0);
    enter(1);
    CHECK(tells(0, "h1 h2 ") && tells(1, "h1 h2 "));
    PROSA_CLAUSE("MEM-09");
    members[1].present = false;
    enter(2);
    CHECK(tells(1, ""));
    roster_return(&members[1]);
    CHECK(tells(1, "h1 h2 h3 ") && tells(1, ""));
    CHECK(tells(0, "j3 ") && tells(0, ""));
    roster_fini(&roster);
}

static void test_who_falls_off_begins_anew(void)
{
    begin();
    enter(0);
    enter(1);
    CHECK(tells(0, "h1 h2 ") && tells(1, "h1 h2 "));
    PROSA_CLAUSE("MEM-04");
    for (size_t i = 0; i < ROSTER_EVENTS / 2; i++) {
        enter(2);
        roster_leave(&roster, &members[2], 3);
    }
    CHECK(tells(0, "j3 ")); /* the ring holds them all */
    enter(2);
    roster_leave(&roster, &members[2], 3);
    CHECK(tells(1, "r0 h1 h2 ") && tells(1, ""));
    CHECK(tells(0, "r0 h1 h2 ") && tells(0, ""));
    roster_fini(&roster);
}

static void test_above_the_limit_there_are_numbers(void)
{
    begin();
    for (size_t i = 0; i < 4; i++) {
        enter(i);
    }
    PROSA_CLAUSE("MEM-05");
    CHECK(tells(3, "c4 ") && tells(3, ""));
    CHECK(tells(0, "c4 ") && tells(0, ""));
    enter(4);
    roster_leave(&roster, &members[2], 3);
    enter(5);
    CHECK(tells(0, "") && roster.count_due);
    roster_announce(&roster);
    CHECK(tells(0, "c5 ") && tells(0, "") && !roster.count_due);
    CHECK(tells(4, "c5 ") && tells(4, "")); /* the number is of now, once */
    CHECK(tells(5, "c5 "));
    roster_leave(&roster, &members[5], 3);
    roster_leave(&roster, &members[4], 3);
    CHECK(tells(0, "r0 h1 h2 h4 ") && tells(0, ""));
    CHECK(tells(3, "r0 h1 h2 h4 ") && tells(3, ""));
    roster_announce(&roster);
    CHECK(tells(0, ""));
    enter(4);
    CHECK(tells(4, "c4 ") && tells(0, "c4 "));
    roster_fini(&roster);
}

int main(void)
{
    test_here_then_joined_and_left();
    test_a_replacement_is_not_shown();
    test_who_falls_off_begins_anew();
    test_above_the_limit_there_are_numbers();
    return check_result();
}
