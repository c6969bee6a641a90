/* SPDX-License-Identifier: MIT */
#include "rooms.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* A message of the server: a text and fields of fixed size. */
#define OWN_SIZE (TEXT_SIZE + 512u)

/* A CHECKPOINT has fields of fixed size only. */
#define CHECKPOINT_SIZE 256u

/* --- a room ----------------------------------------------------------------------------------- */

struct room *room_new(const uint8_t server_key[static PROSA_KEY_SIZE],
                      const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                      const uint8_t *client_key, bool audit)
{
    struct room *room = calloc(1, sizeof *room);
    if (room == NULL) {
        return NULL;
    }
    prosa_room_init(&room->shared, server_key, epoch, name, client_key);
    if (client_key != NULL) {
        memcpy(room->client_key, client_key, PROSA_KEY_SIZE);
    }
    prosa_chain_start(room->shared.room_id, room->chain);
    memcpy(room->head_chain, room->chain, PROSA_HASH_SIZE);
    memcpy(room->pruned_chain, room->chain, PROSA_HASH_SIZE);
    room->audit = audit;
    room->kept_seq = 1;
    strip_init(&room->strip);
    list_init(&room->due);
    list_init(&room->grown);
    roster_init(&room->roster, &room->shared);
    return room;
}

static struct room_entry *place_of(const struct room *room, uint64_t room_seq)
{
    return &room->entries[room_seq & (room->entry_cap - 1)];
}

static void drop_first(struct room *room)
{
    struct room_entry *entry = place_of(room, room->kept_seq);
    room->octets -= entry->size;
    strip_drop_first(&room->strip, entry->size);
    room->kept_seq++;
}

static void free_author(void *at)
{
    struct room_author *author = at;
    free(author->ids);
    free(author);
}

void room_free(struct room *room)
{
    if (room == NULL) {
        return;
    }
    strip_fini(&room->strip);
    free(room->entries);
    tdestroy(room->authors, free_author);
    roster_fini(&room->roster);
    free(room->checkpoint);
    free(room);
}

void room_restore(struct room *room, const struct room_state *state)
{
    room->number = state->number;
    room->shared.head_seq = room->last_seq = state->head_seq;
    room->shared.oldest_seq = state->oldest_seq;
    room->kept_seq = state->head_seq + 1;
    room->server_time = state->server_time;
    memcpy(room->chain, state->chain, PROSA_HASH_SIZE);
    memcpy(room->head_chain, state->chain, PROSA_HASH_SIZE);
    memcpy(room->pruned_chain, state->pruned_chain, PROSA_HASH_SIZE);
}

/* --- authors ---------------------------------------------------------------------------------- */

static int compare_authors(const void *a, const void *b)
{
    return memcmp(((const struct room_author *)a)->key, ((const struct room_author *)b)->key, PROSA_KEY_SIZE);
}

struct room_author *room_author(struct room *room, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct room_author wanted;
    memcpy(wanted.key, key, PROSA_KEY_SIZE);
    struct room_author *const *found = tfind(&wanted, &room->authors, compare_authors);
    if (found != NULL) {
        return *found;
    }
    struct room_author *author = calloc(1, sizeof *author);
    if (author == NULL) {
        return NULL;
    }
    memcpy(author->key, key, PROSA_KEY_SIZE);
    if (tsearch(author, &room->authors, compare_authors) == NULL) {
        free(author);
        return NULL;
    }
    return author;
}

void room_forget_author(struct room *room, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct room_author wanted;
    memcpy(wanted.key, key, PROSA_KEY_SIZE);
    struct room_author *const *found = tfind(&wanted, &room->authors, compare_authors);
    struct room_author *author = found != NULL ? *found : NULL;
    if (author != NULL && (author->counter == 0 || room->durable)) {
        tdelete(author, &room->authors, compare_authors);
        free_author(author);
    }
}

void room_author_restore(struct room_author *author, uint64_t counter, uint64_t room_seq)
{
    author->counter = author->committed_counter = counter;
    author->committed_seq = room_seq;
}

/* Room for the id of one more message. An author who writes little costs little. */
static bool make_id_place(struct room_author *author)
{
    if (author->id_cap == ROOM_IDS || author->counter < author->id_cap) {
        return true;
    }
    const size_t cap = author->id_cap == 0 ? 4 : 2 * author->id_cap;
    uint8_t(*ids)[PROSA_HASH_SIZE] = realloc(author->ids, cap * sizeof *ids);
    if (ids == NULL) {
        return false;
    }
    /* The counters so far are 1 to id_cap: only the last one has wrapped, to place 0. */
    if (author->id_cap > 0) {
        memcpy(ids[author->id_cap], ids[0], PROSA_HASH_SIZE);
    }
    author->ids = ids;
    author->id_cap = cap;
    return true;
}

size_t room_author_ids(const struct room_author *author, uint8_t ids[static ROOM_IDS][PROSA_HASH_SIZE])
{
    const uint64_t last = author->committed_counter;
    const size_t count = last < author->id_cap ? (size_t)last : author->id_cap;
    for (size_t i = 0; i < count; i++) {
        memcpy(ids[i], author->ids[(last - count + 1 + i) % author->id_cap], PROSA_HASH_SIZE);
    }
    return count;
}

/* --- the order -------------------------------------------------------------------------------- */

static bool make_entry_place(struct room *room)
{
    const size_t count = (size_t)(room->last_seq - room->kept_seq) + 1;
    if (count < room->entry_cap) {
        return true;
    }
    const size_t cap = room->entry_cap == 0 ? 16 : 2 * room->entry_cap;
    struct room_entry *entries = malloc(cap * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    for (uint64_t seq = room->kept_seq; seq <= room->last_seq; seq++) {
        entries[seq & (cap - 1)] = *place_of(room, seq);
    }
    free(room->entries);
    room->entries = entries;
    room->entry_cap = cap;
    return true;
}

enum prosa_status room_append(struct room *room, struct room_author *author, struct prosa_bytes publish,
                              const uint8_t id[static PROSA_HASH_SIZE], uint64_t unix_ms)
{
    const uint64_t seq = room->last_seq + 1;
    const uint64_t time = unix_ms > room->server_time ? unix_ms : room->server_time;
    const size_t cap = prosa_deliver_size(publish, room->audit);
    if (!make_entry_place(room) || (!room->durable && !make_id_place(author))) {
        return PROSA_ERR_NO_SPACE;
    }
    struct room_entry entry = {.octets = strip_add(&room->strip, cap)};
    if (entry.octets == NULL) {
        return PROSA_ERR_NO_SPACE;
    }
    const enum prosa_status status = prosa_deliver_encode(
        publish, seq, time, room->audit ? room->chain : NULL, entry.octets, cap, &entry.size);
    if (status != PROSA_OK) {
        strip_drop_last(&room->strip, cap);
        return status;
    }
    assert(entry.size == cap);
    *place_of(room, seq) = entry;
    room->octets += entry.size;
    room->last_seq = seq;
    room->server_time = time;
    prosa_chain_next(room->chain, seq, time, id, room->chain);
    author->counter++;
    if (!room->durable) {
        memcpy(author->ids[author->counter % author->id_cap], id, PROSA_HASH_SIZE);
    }
    return PROSA_OK;
}

enum prosa_status room_append_own(struct room *room, struct room_author *host,
                                  const struct prosa_keypair *server, struct prosa_bytes text,
                                  const uint8_t *reply_to, uint64_t unix_ms)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    uint8_t octets[PROSA_HEADER_SIZE + OWN_SIZE];
    uint8_t id[PROSA_HASH_SIZE];
    size_t size;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string("host"),
                    .room_id = room->shared.room_id,
                    .author_key = server->key,
                    .counter = host->counter + 1,
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
    if (status != PROSA_OK) {
        return status;
    }
    const struct prosa_bytes body = prosa_bytes(octets + PROSA_HEADER_SIZE, size - PROSA_HEADER_SIZE);
    prosa_message_id(body, id);
    return room_append(room, host, body, id, unix_ms);
}

void room_commit(struct room *room, struct room_author *author, const uint8_t chain[static PROSA_HASH_SIZE])
{
    assert(room->shared.head_seq < room->last_seq);
    room->shared.head_seq++;
    memcpy(room->head_chain, chain, PROSA_HASH_SIZE);
    author->committed_counter++;
    author->committed_seq = room->shared.head_seq;
}

void room_take_back(struct room *room, uint64_t last_seq, const uint8_t chain[static PROSA_HASH_SIZE])
{
    while (room->last_seq > last_seq) {
        struct room_entry *entry = place_of(room, room->last_seq);
        room->octets -= entry->size;
        strip_drop_last(&room->strip, entry->size);
        room->last_seq--;
    }
    memcpy(room->chain, chain, PROSA_HASH_SIZE);
}

struct prosa_bytes room_entry(const struct room *room, uint64_t room_seq)
{
    if (room_seq < room->kept_seq || room_seq > room->last_seq) {
        return prosa_bytes(NULL, 0);
    }
    const struct room_entry *entry = place_of(room, room_seq);
    return prosa_bytes(entry->octets, entry->size);
}

/* h_(room_seq - 1), which entry room_seq carries when there is audit. */
static void note_pruned(struct room *room, uint64_t oldest_seq)
{
    struct prosa_frame frame;
    struct prosa_message message;
    const struct prosa_bytes entry = room_entry(room, oldest_seq);
    if (!room->audit) {
        return;
    }
    if (entry.size == 0) {
        memcpy(room->pruned_chain, room->head_chain, PROSA_HASH_SIZE);
    } else if (prosa_frame_parse(entry, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
               prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK &&
               message.deliver.has_prev_hash) {
        memcpy(room->pruned_chain, message.deliver.prev_hash, PROSA_HASH_SIZE);
    }
}

void room_trim(struct room *room, size_t count, size_t octets)
{
    while (room->kept_seq <= room->shared.head_seq &&
           (room->last_seq - room->kept_seq + 1 > count || room->octets > octets)) {
        drop_first(room);
    }
    if (!room->durable && room->shared.oldest_seq < room->kept_seq) {
        room->shared.oldest_seq = room->kept_seq;
        note_pruned(room, room->kept_seq);
    }
}

void room_prune(struct room *room, uint64_t oldest_seq, const uint8_t chain[static PROSA_HASH_SIZE])
{
    while (room->kept_seq < oldest_seq && room->kept_seq <= room->shared.head_seq) {
        drop_first(room);
    }
    room->shared.oldest_seq = oldest_seq;
    memcpy(room->pruned_chain, chain, PROSA_HASH_SIZE);
}

struct prosa_bytes room_checkpoint(struct room *room, const struct prosa_keypair *server, uint64_t room_seq,
                                   uint64_t unix_ms)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    const struct prosa_message message = {
        .type = PROSA_FRAME_CHECKPOINT,
        .checkpoint = {.time = unix_ms,
                       .room_id = room->shared.room_id,
                       .seq = room_seq,
                       .chain = room_seq == room->shared.head_seq ? room->head_chain : room->pruned_chain,
                       .server_sig = unsigned_yet},
    };
    size_t size = 0;
    if (room->checkpoint == NULL) {
        room->checkpoint = calloc(1, CHECKPOINT_SIZE);
        room->checkpoint_seq = UINT64_MAX;
    }
    if (room->checkpoint == NULL) {
        return prosa_bytes(NULL, 0);
    }
    if (room->checkpoint_seq != room_seq) {
        room->checkpoint_seq = UINT64_MAX;
        if (prosa_message_encode(&message, prosa_bytes(NULL, 0), room->checkpoint, CHECKPOINT_SIZE, &size) !=
                PROSA_OK ||
            prosa_checkpoint_sign(server, room->checkpoint, size) != PROSA_OK) {
            return prosa_bytes(NULL, 0);
        }
        room->checkpoint_seq = room_seq;
    }
    return prosa_bytes(room->checkpoint, PROSA_HEADER_SIZE + prosa_load_u32(room->checkpoint + 4));
}

/* --- all rooms -------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct prosa_room *one = &((const struct room *)a)->shared;
    const struct prosa_room *other = &((const struct room *)b)->shared;
    if (one->name_size != other->name_size) {
        return one->name_size < other->name_size ? -1 : 1;
    }
    return memcmp(one->name, other->name, one->name_size);
}

static int compare_clients(const void *a, const void *b)
{
    return memcmp(((const struct room *)a)->client_key, ((const struct room *)b)->client_key, PROSA_KEY_SIZE);
}

void rooms_init(struct rooms *rooms)
{
    *rooms = (struct rooms){0};
    list_init(&rooms->all);
}

static void free_room(void *room)
{
    room_free(room);
}

void rooms_fini(struct rooms *rooms)
{
    tdestroy(rooms->named, free_room);
    tdestroy(rooms->private, free_room);
    rooms_init(rooms);
}

struct room *rooms_find(const struct rooms *rooms, struct prosa_bytes name, const uint8_t *client_key)
{
    struct room wanted;
    struct room *const *found;
    if (client_key != NULL) {
        memcpy(wanted.client_key, client_key, PROSA_KEY_SIZE);
        found = tfind(&wanted, &rooms->private, compare_clients);
    } else {
        wanted.shared.name_size = (uint8_t)name.size;
        memcpy(wanted.shared.name, name.at, name.size);
        found = tfind(&wanted, &rooms->named, compare_names);
    }
    return found != NULL ? *found : NULL;
}

bool rooms_add(struct rooms *rooms, struct room *room)
{
    const bool private = room_is_private(room);
    if (tsearch(room, private ? &rooms->private : &rooms->named, private ? compare_clients : compare_names) ==
        NULL) {
        return false;
    }
    list_append(&rooms->all, &room->place);
    rooms->count++;
    rooms->named_count += private ? 0 : 1;
    return true;
}

void rooms_remove(struct rooms *rooms, struct room *room)
{
    const bool private = room_is_private(room);
    tdelete(room, private ? &rooms->private : &rooms->named, private ? compare_clients : compare_names);
    list_remove(&room->place);
    rooms->count--;
    rooms->named_count -= private ? 0 : 1;
    room_free(room);
}
