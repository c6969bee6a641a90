/* SPDX-License-Identifier: MIT */
/* The order of a room of the server: append, commit, take back, trim, prune, CHECKPOINT. */
#include "rooms.h"

#include "check.h"

static struct prosa_keypair server, ada;
static const uint8_t epoch[PROSA_EPOCH_SIZE] = {1, 2, 3};

static struct room *make_room(bool audit)
{
    return room_new(server.key, epoch, prosa_bytes_of_string("general"), NULL, audit);
}

/* Appends the next message of `author`, signed by ada. */
static bool say(struct room *room, struct room_author *author, const char *text, uint64_t unix_ms)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    uint8_t octets[1024], id[PROSA_HASH_SIZE];
    size_t size = 0;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string("ada"),
                    .room_id = room->shared.room_id,
                    .author_key = ada.key,
                    .counter = author->counter + 1,
                    .text = prosa_bytes_of_string(text),
                    .author_sig = unsigned_yet},
    };
    if (prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) != PROSA_OK ||
        prosa_publish_sign(&ada, octets, size) != PROSA_OK) {
        return false;
    }
    const struct prosa_bytes body = prosa_bytes(octets + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE);
    prosa_message_id(body, id);
    return room_append(room, author, body, id, unix_ms) == PROSA_OK;
}

static bool say_and_commit(struct room *room, struct room_author *author, uint64_t unix_ms)
{
    const bool said = say(room, author, "words", unix_ms);
    room_commit(room, author, room->chain);
    return said;
}

static struct prosa_deliver deliver_of(struct room *room, uint64_t room_seq)
{
    struct prosa_frame frame;
    struct prosa_message message;
    CHECK(prosa_frame_parse(room_entry(room, room_seq), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK);
    CHECK(prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    return message.deliver;
}

static void test_order_and_time(void)
{
    struct room *room = make_room(false);
    struct room_author *author = room_author(room, ada.key);
    CHECK(room_author(room, ada.key) == author);
    PROSA_CLAUSE("MSG-12");
    CHECK(say(room, author, "one", 500) && say(room, author, "two", 400));
    CHECK(room->last_seq == 2 && room->shared.head_seq == 0 && author->counter == 2);
    CHECK(deliver_of(room, 1).room_seq == 1 && deliver_of(room, 2).room_seq == 2);
    PROSA_CLAUSE("MSG-13");
    CHECK(deliver_of(room, 1).server_time == 500 && deliver_of(room, 2).server_time == 500);
    PROSA_CLAUSE("AUD-02");
    CHECK(!deliver_of(room, 2).has_prev_hash);
    PROSA_CLAUSE("FLOW-26");
    room_commit(room, author, room->chain);
    CHECK(room->shared.head_seq == 1 && author->committed_counter == 1 && author->committed_seq == 1);
    CHECK(room_entry(room, 0).size == 0 && room_entry(room, 3).size == 0);
    room_free(room);
}

/* A room without log alone knows how far an author has come; a log can tell again. */
static void test_authors_are_forgotten_when_nothing_is_lost_by_it(void)
{
    struct room *room = make_room(false);
    room_forget_author(room, ada.key);
    CHECK(room->authors == NULL);
    CHECK(room_author(room, ada.key) != NULL);
    room_forget_author(room, ada.key);
    CHECK(room->authors == NULL);
    CHECK(say_and_commit(room, room_author(room, ada.key), 500));
    room_forget_author(room, ada.key);
    CHECK(room_author(room, ada.key)->counter == 1);
    room->durable = true;
    room_forget_author(room, ada.key);
    CHECK(room->authors == NULL);
    room_free(room);
}

static void test_what_the_log_refused_is_taken_back(void)
{
    struct room *room = make_room(true);
    struct room_author *author = room_author(room, ada.key);
    CHECK(say_and_commit(room, author, 1));
    uint8_t chain[PROSA_HASH_SIZE];
    memcpy(chain, room->chain, sizeof chain);
    CHECK(say(room, author, "two", 2) && say(room, author, "three", 3));
    PROSA_CLAUSE("FLOW-09");
    room_take_back(room, room->shared.head_seq, room->head_chain);
    author->counter = author->committed_counter;
    CHECK(room->last_seq == 1 && room_entry(room, 2).size == 0 &&
          memcmp(room->chain, chain, sizeof chain) == 0);
    CHECK(say_and_commit(room, author, 4) && deliver_of(room, 2).counter == 2);
    PROSA_CLAUSE("AUD-02");
    CHECK(memcmp(deliver_of(room, 2).prev_hash, chain, sizeof chain) == 0);
    room_free(room);
}

static void test_ids_of_the_last_window(void)
{
    uint8_t ids[ROOM_IDS][PROSA_HASH_SIZE], id[PROSA_HASH_SIZE];
    struct prosa_frame frame;
    struct room *room = make_room(false);
    struct room_author *author = room_author(room, ada.key);
    PROSA_CLAUSE("FLOW-23");
    unsigned wrong = 0;
    for (uint64_t n = 1; n <= 3 * ROOM_IDS + 5; n++) {
        wrong += say_and_commit(room, author, n) ? 0 : 1;
        const size_t count = room_author_ids(author, ids);
        wrong += count == (n < ROOM_IDS ? n : ROOM_IDS) ? 0 : 1;
        for (size_t i = 0; i < count; i++) {
            wrong += prosa_frame_parse(room_entry(room, n - count + 1 + i), PROSA_MAX_FRAME_CEILING,
                                       &frame) == PROSA_OK
                         ? 0
                         : 1;
            prosa_message_id(frame.body, id);
            wrong += memcmp(ids[i], id, sizeof id) == 0 ? 0 : 1;
        }
    }
    CHECK(wrong == 0);
    room_free(room);
}

static void test_memory_is_bounded(void)
{
    struct room *room = make_room(true);
    struct room_author *author = room_author(room, ada.key);
    PROSA_CLAUSE("LIM-08");
    for (uint64_t n = 1; n <= 100; n++) {
        CHECK(say_and_commit(room, author, n));
    }
    CHECK(say(room, author, "not committed", 101));
    room_trim(room, 10, SIZE_MAX);
    CHECK(room->kept_seq == 92 && room_entry(room, 91).size == 0 && room_entry(room, 101).size > 0);
    CHECK(room->shared.oldest_seq == 92);
    PROSA_CLAUSE("AUD-07");
    CHECK(memcmp(room->pruned_chain, deliver_of(room, 92).prev_hash, PROSA_HASH_SIZE) == 0);
    room_trim(room, 1000, 1);
    CHECK(room->shared.oldest_seq == 101 && room_entry(room, 101).size > 0);
    CHECK(room->shared.oldest_seq == room->shared.head_seq + 1);
    room->durable = true; /* the log has what the memory drops */
    room_commit(room, author, room->chain);
    room_trim(room, 0, 0);
    CHECK(room->kept_seq == 102 && room->shared.oldest_seq == 101);
    room_prune(room, 102, room->head_chain);
    CHECK(room->shared.oldest_seq == 102 && say_and_commit(room, author, 5) &&
          room_entry(room, 102).size > 0);
    room_free(room);
}

static void test_checkpoints(void)
{
    struct room *room = make_room(true);
    struct room_author *author = room_author(room, ada.key);
    uint8_t chain[PROSA_HASH_SIZE];
    struct prosa_frame frame;
    struct prosa_message message = {.type = 0};
    PROSA_CLAUSE("AUD-03");
    struct prosa_bytes octets = room_checkpoint(room, &server, 0, 77);
    CHECK(prosa_checkpoint_verify(server.key, octets) == PROSA_OK);
    CHECK(prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
          prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    prosa_chain_start(room->shared.room_id, chain);
    CHECK(message.checkpoint.seq == 0 && memcmp(message.checkpoint.chain, chain, sizeof chain) == 0);
    CHECK(say_and_commit(room, author, 1) && say(room, author, "two", 2));
    octets = room_checkpoint(room, &server, 1, 78);
    CHECK(prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
          prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
    PROSA_CLAUSE("FLOW-26"); /* of the head, not of what is still on its way */
    CHECK(memcmp(message.checkpoint.chain, deliver_of(room, 2).prev_hash, sizeof chain) == 0);
    PROSA_CLAUSE("AUD-04"); /* one signature serves all */
    CHECK(message.checkpoint.time == 78);
    octets = room_checkpoint(room, &server, 1, 99);
    CHECK(prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
          prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK &&
          message.checkpoint.time == 78);
    room_free(room);
}

static void test_own_words(void)
{
    struct room *room = room_new(server.key, epoch, prosa_bytes_of_string("@host"), ada.key, false);
    struct room_author *host = room_author(room, server.key);
    PROSA_CLAUSE("MSG-20");
    CHECK(room_is_private(room) &&
          room_append_own(room, host, &server, prosa_bytes_of_string("hello"), NULL, 9) == PROSA_OK);
    const struct prosa_deliver deliver = deliver_of(room, 1);
    CHECK(deliver.counter == 1 && memcmp(deliver.author_key, server.key, PROSA_KEY_SIZE) == 0 &&
          prosa_bytes_equal(deliver.nick, prosa_bytes_of_string("host")));
    room_free(room);
}

static void test_rooms_are_found(void)
{
    struct rooms rooms;
    rooms_init(&rooms);
    struct room *general = make_room(false);
    struct room *private = room_new(server.key, epoch, prosa_bytes_of_string("@host"), ada.key, false);
    CHECK(rooms_add(&rooms, general) && rooms_add(&rooms, private));
    CHECK(rooms_find(&rooms, prosa_bytes_of_string("general"), NULL) == general);
    CHECK(rooms_find(&rooms, prosa_bytes_of_string("genera"), NULL) == NULL);
    CHECK(rooms_find(&rooms, prosa_bytes_of_string("@host"), ada.key) == private);
    CHECK(rooms_find(&rooms, prosa_bytes_of_string("@host"), server.key) == NULL);
    CHECK(rooms.count == 2 && rooms.named_count == 1);
    rooms_remove(&rooms, general);
    CHECK(rooms_find(&rooms, prosa_bytes_of_string("general"), NULL) == NULL && rooms.named_count == 0);
    rooms_fini(&rooms);
}

int main(void)
{
    static const uint8_t seeds[2][PROSA_KEY_SIZE] = {{1}, {2}};
    CHECK(prosa_sign_init() == PROSA_OK);
    prosa_keypair_from_seed(&server, seeds[0]);
    prosa_keypair_from_seed(&ada, seeds[1]);
    test_order_and_time();
    test_authors_are_forgotten_when_nothing_is_lost_by_it();
    test_what_the_log_refused_is_taken_back();
    test_ids_of_the_last_window();
    test_memory_is_bounded();
    test_checkpoints();
    test_own_words();
    test_rooms_are_found();
    return check_result();
}
