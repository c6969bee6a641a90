/* SPDX-License-Identifier: MIT */
/* Entries that left a room's memory: each is the one that was asked for, and stays while it is lent. */
#include "check.h"
#include "rig.h"

#include "pages.h"

#include <prosa/server_session.h>

#include <stdlib.h>

static uint64_t seq_of(struct prosa_bytes deliver)
{
    struct prosa_frame frame;
    struct prosa_message message;
    if (prosa_frame_parse(deliver, PROSA_MAX_FRAME_CEILING, &frame) != PROSA_OK ||
        prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) != PROSA_OK) {
        return 0;
    }
    return message.deliver.room_seq;
}

static void say_many(struct rig *rig, struct rig_room *room, uint64_t count, const char *text)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)rig_say(rig, room, &rig->ada, room->stored.head_seq + 1, text);
        if (i % 1000 == 999) {
            rig_settle(rig);
        }
    }
    rig_settle(rig);
}

static void test_entries_in_order_and_at_random(void)
{
    struct rig rig;
    PROSA_CLAUSE("RES-01");
    rig_init(&rig, NULL);
    rig.hollow = true;
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    say_many(&rig, &dev, 1000, "small");
    struct pages *pages = pages_new(rig.store);
    CHECK(pages != NULL);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        CHECK(seq_of(pages_entry(pages, 1, seq)) == seq);
    }
    srand(1);
    for (int i = 0; i < 5000; i++) {
        const uint64_t seq = 1 + (uint64_t)(rand() % 1000);
        CHECK(seq_of(pages_entry(pages, 1, seq)) == seq);
    }
    CHECK(pages_entry(pages, 1, 0).size == 0);
    CHECK(pages_entry(pages, 1, 1001).size == 0);
    CHECK(pages_entry(pages, 2, 1).size == 0);
    /* A page that was not full when it was read does not hide what came later. */
    say_many(&rig, &dev, 10, "later");
    for (uint64_t seq = 1000; seq <= 1010; seq++) {
        CHECK(seq_of(pages_entry(pages, 1, seq)) == seq);
    }
    pages_free(pages);
    rig_fini(&rig);
}

/* Pages by far larger than what is kept in all: an entry is there until as many others were asked for as
 * a batch can take. */
static void test_lent_entries_stay(void)
{
    struct rig rig;
    static char text[4097];
    static struct prosa_bytes lent[PROSA_BATCH_SLICES];
    uint64_t seqs[PROSA_BATCH_SLICES];
    memset(text, 'x', sizeof text - 1);
    rig_init(&rig, NULL);
    rig.hollow = true;
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    say_many(&rig, &dev, 6000, text); /* 26 MB */
    struct pages *pages = pages_new(rig.store);
    CHECK(pages != NULL);
    srand(2);
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < PROSA_BATCH_SLICES; i++) {
            seqs[i] = 1 + (uint64_t)(rand() % 6000);
            lent[i] = pages_entry(pages, 1, seqs[i]);
        }
        for (size_t i = 0; i < PROSA_BATCH_SLICES; i++) {
            CHECK(seq_of(lent[i]) == seqs[i]);
        }
    }
    pages_free(pages);
    rig_fini(&rig);
}

/* A page stays for the next reader, until all that is in it is pruned. */
static void test_what_is_pruned_is_forgotten(void)
{
    struct rig rig;
    PROSA_CLAUSE("LIM-08");
    rig_init(&rig, NULL);
    rig.hollow = true;
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    struct rig_room other = rig_make_room(&rig, "other", 2);
    say_many(&rig, &dev, 300, "small");
    say_many(&rig, &other, 1, "small");
    struct pages *pages = pages_new(rig.store);
    CHECK(pages != NULL);
    CHECK(seq_of(pages_entry(pages, 2, 1)) == 1);
    const size_t of_other = pages_octets(pages);
    for (uint64_t seq = 1; seq <= 300; seq++) {
        CHECK(seq_of(pages_entry(pages, 1, seq)) == seq);
    }
    const size_t of_both = pages_octets(pages);
    pages_forget(pages, 1, 64); /* the first page has entry 64, too */
    CHECK(pages_octets(pages) == of_both);
    pages_forget(pages, 1, 129);
    const size_t left = pages_octets(pages);
    CHECK(of_other < left && left < of_both);
    CHECK(seq_of(pages_entry(pages, 1, 129)) == 129);
    CHECK(pages_octets(pages) == left);
    pages_forget(pages, 1, 301);
    CHECK(pages_octets(pages) == of_other);
    CHECK(seq_of(pages_entry(pages, 2, 1)) == 1);
    CHECK(pages_octets(pages) == of_other);
    pages_free(pages);
    rig_fini(&rig);
}

int main(void)
{
    test_entries_in_order_and_at_random();
    test_what_is_pruned_is_forgotten();
    test_lent_entries_stay();
    return check_result();
}
