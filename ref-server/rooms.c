/* SPDX-License-Identifier: MIT */
#include "rooms.h"

#include <assert.h>
#include <stdlib.h>

/* A message of the server: a text and fields of fixed size. */
#define OWN_SIZE (TEXT_SIZE + 512u)

struct room *room_new_host(const uint8_t server_key[static PROSA_KEY_SIZE],
                           const uint8_t epoch[static PROSA_EPOCH_SIZE],
                           const uint8_t client_key[static PROSA_KEY_SIZE])
{
    struct room *room = calloc(1, sizeof *room);
    if (room != NULL) {
        prosa_room_init(&room->shared, server_key, epoch, prosa_bytes_of_string("@host"), client_key);
    }
    return room;
}

void room_free(struct room *room)
{
    if (room == NULL) {
        return;
    }
    for (size_t i = 0; i < ROOM_ENTRIES; i++) {
        free(room->entries[i].octets);
    }
    free(room);
}

static struct room_entry *place_of(const struct room *room, uint64_t room_seq)
{
    return (struct room_entry *)&room->entries[(room_seq - 1) % ROOM_ENTRIES];
}

enum prosa_status room_append(struct room *room, struct prosa_bytes publish, uint64_t unix_ms)
{
    const uint64_t seq = room->shared.head_seq + 1;
    const uint64_t time = unix_ms > room->server_time ? unix_ms : room->server_time;
    const size_t cap = PROSA_HEADER_SIZE + publish.size + PROSA_PUBLISH_HEADROOM;
    struct room_entry entry = {.octets = malloc(cap)};
    if (entry.octets == NULL) {
        return PROSA_ERR_NO_SPACE;
    }
    const enum prosa_status status =
        prosa_deliver_encode(publish, seq, time, NULL, entry.octets, cap, &entry.size);
    if (status != PROSA_OK) {
        free(entry.octets);
        return status;
    }
    struct room_entry *place = place_of(room, seq);
    if (place->octets != NULL) {
        free(place->octets);
        room->shared.oldest_seq++;
    }
    *place = entry;
    room->shared.head_seq = seq;
    room->server_time = time;
    return PROSA_OK;
}

enum prosa_status room_append_own(struct room *room, const struct prosa_keypair *server,
                                  struct prosa_bytes text, const uint8_t *reply_to, uint64_t unix_ms)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    uint8_t octets[PROSA_HEADER_SIZE + OWN_SIZE];
    size_t size;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string("host"),
                    .room_id = room->shared.room_id,
                    .author_key = server->key,
                    .counter = room->host_counter + 1,
                    .sent_at = unix_ms,
                    .text = text,
                    .has_reply_to = reply_to != NULL,
                    .reply_to = reply_to,
                    .author_sig = unsigned_yet},
    };
    enum prosa_status status =
        prosa_message_encode(&message, (struct prosa_bytes){NULL, 0}, octets, sizeof octets, &size);
    if (status == PROSA_OK) {
        status = prosa_publish_sign(server, octets, size);
    }
    if (status == PROSA_OK) {
        status =
            room_append(room, prosa_bytes(octets + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE), unix_ms);
    }
    if (status == PROSA_OK) {
        room->host_counter++;
    }
    return status;
}

struct prosa_bytes room_entry(const struct room *room, uint64_t room_seq)
{
    assert(room_seq >= room->shared.oldest_seq && room_seq <= room->shared.head_seq);
    const struct room_entry *entry = place_of(room, room_seq);
    return prosa_bytes(entry->octets, entry->size);
}
