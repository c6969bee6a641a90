/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_MS 60000

static uint8_t last_id[PROSA_HASH_SIZE];

void rig_fail(const char *what)
{
    fprintf(stderr, "rig: %s\n", what);
    exit(1);
}

static void make_folder(struct rig *rig)
{
    const char *place = getenv("TMPDIR");
    snprintf(rig->folder, sizeof rig->folder, "%s/prosa-store-XXXXXX", place != NULL ? place : "/tmp");
    rig_need(mkdtemp(rig->folder) != NULL, "no folder");
}

void rig_init(struct rig *rig, const char *folder)
{
    uint8_t seed[PROSA_SEED_SIZE] = {1};
    *rig = (struct rig){.audit = true};
    rig_need(prosa_sign_init() == PROSA_OK, "crypto");
    prosa_keypair_from_seed(&rig->server, seed);
    seed[0] = 2;
    prosa_keypair_from_seed(&rig->ada, seed);
    seed[0] = 3;
    prosa_keypair_from_seed(&rig->bob, seed);
    if (folder == NULL) {
        make_folder(rig);
    } else {
        snprintf(rig->folder, sizeof rig->folder, "%s", folder);
    }
}

void rig_fini(struct rig *rig)
{
    rig_close(rig);
    DIR *folder = opendir(rig->folder);
    rig_need(folder != NULL, "folder is gone");
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            rig_need(unlinkat(dirfd(folder), entry->d_name, 0) == 0, entry->d_name);
        }
    }
    closedir(folder);
    rig_need(rmdir(rig->folder) == 0, rig->folder);
}

void rig_open(struct rig *rig)
{
    char why[1024] = "";
    rig->store = store_open(rig->folder, rig->server.key, false, why, sizeof why);
    rig_need(rig->store != NULL, why);
}

/* What was lent until the outcome of this ticket. */
static void give_back(struct rig *rig, uint64_t upto)
{
    size_t count = 0;
    while (count < rig->lent_count && rig->lent[count].ticket <= upto) {
        free(rig->lent[count++].octets);
    }
    rig->lent_count -= count;
    memmove(rig->lent, rig->lent + count, rig->lent_count * sizeof rig->lent[0]);
}

void rig_close(struct rig *rig)
{
    store_close(rig->store);
    rig->store = NULL;
    give_back(rig, UINT64_MAX);
}

struct rig_room rig_make_room(struct rig *rig, const char *name, uint8_t number)
{
    struct rig_room room = {.stored = {.oldest_seq = 1, .name_size = (uint8_t)strlen(name)}};
    struct store_room *stored = &room.stored;
    const bool private = name[0] == '@';
    memset(stored->epoch, number, sizeof stored->epoch);
    memcpy(stored->name, name, stored->name_size);
    if (private) {
        memcpy(stored->client_key, rig->ada.key, PROSA_KEY_SIZE);
    }
    prosa_room_id(rig->server.key, stored->epoch, prosa_bytes_of_string(name), stored->client_key,
                  stored->room_id);
    prosa_chain_start(stored->room_id, stored->chain);
    const bool good = store_put_room(rig->store, stored) != 0;
    rig_need(good || rig->scarce, "no memory");
    stored->number = good ? stored->number : 0;
    return room;
}

static const char *nick_of(const struct rig *rig, const struct prosa_keypair *author)
{
    return author == &rig->server ? "host" : author == &rig->ada ? "ada" : "bob";
}

/* A DELIVER of the room's next entry, which is the caller's. */
static uint8_t *make_deliver(struct rig *rig, struct rig_room *room, const struct prosa_keypair *author,
                             uint64_t counter, const char *text, size_t *deliver_size)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    uint8_t publish[PROSA_MAX_FRAME_CEILING];
    size_t size;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string(nick_of(rig, author)),
                    .room_id = room->stored.room_id,
                    .author_key = author->key,
                    .counter = counter,
                    .sent_at = 1700000000000 + counter,
                    .text = prosa_bytes_of_string(text),
                    .author_sig = unsigned_yet},
    };
    rig_need(prosa_message_encode(&message, prosa_bytes(NULL, 0), publish, sizeof publish, &size) == PROSA_OK,
             "no PUBLISH");
    rig_need(rig->hollow || prosa_publish_sign(author, publish, size) == PROSA_OK, "no signature");
    const struct prosa_bytes body = prosa_bytes(publish + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE);
    const size_t cap = size + PROSA_PUBLISH_HEADROOM;
    uint8_t *deliver = malloc(cap);
    rig_need(deliver != NULL, "no memory");
    rig_need(prosa_deliver_encode(body, room->stored.head_seq + 1, room->stored.server_time,
                                  rig->audit ? room->stored.chain : NULL, deliver, cap,
                                  deliver_size) == PROSA_OK,
             "no DELIVER");
    return deliver;
}

uint64_t rig_say(struct rig *rig, struct rig_room *room, const struct prosa_keypair *author, uint64_t counter,
                 const char *text)
{
    const struct store_room before = room->stored;
    struct store_room *stored = &room->stored;
    struct prosa_frame frame;
    struct prosa_message message;
    stored->server_time =
        stored->server_time == 0 ? 1700000000500 : stored->server_time + stored->head_seq % 3;
    size_t size;
    uint8_t *octets = make_deliver(rig, room, author, counter, text, &size);
    const struct prosa_bytes deliver = prosa_bytes(octets, size);
    rig_need(prosa_frame_parse(deliver, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
                 prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK,
             "no good DELIVER");
    prosa_message_id(message.body, last_id);
    stored->head_seq++;
    prosa_chain_next(stored->chain, stored->head_seq, stored->server_time, last_id, stored->chain);
    const struct store_message record = {.room = stored->number,
                                         .room_seq = stored->head_seq,
                                         .counter = counter,
                                         .sent_at = message.deliver.sent_at,
                                         .server_time = stored->server_time,
                                         .author_key = author->key,
                                         .id = last_id,
                                         .nick = message.deliver.nick,
                                         .text = message.deliver.text,
                                         .deliver = deliver};
    rig_need(rig->lent_count < RIG_WAITING, "too much is said at once");
    const uint64_t ticket = store_put_message(rig->store, &record);
    rig_need(ticket != 0 || rig->scarce, "no memory");
    if (ticket == 0) {
        room->stored = before;
        free(octets);
        return 0;
    }
    rig->lent[rig->lent_count].ticket = ticket;
    rig->lent[rig->lent_count++].octets = octets;
    return ticket;
}

const uint8_t *rig_last_id(const struct rig *rig)
{
    (void)rig;
    return last_id;
}

struct store_outcome rig_outcome(struct rig *rig)
{
    struct store_outcome outcome;
    while (!store_next(rig->store, &outcome)) {
        struct pollfd ready = {.fd = store_fd(rig->store), .events = POLLIN};
        rig_need(poll(&ready, 1, DEADLINE_MS) == 1, "the log does not answer");
    }
    give_back(rig, outcome.upto);
    return outcome;
}

void rig_settle(struct rig *rig)
{
    while (store_waiting(rig->store) > 0) {
        const struct store_outcome outcome = rig_outcome(rig);
        rig_need(outcome.good, outcome.why);
    }
}
