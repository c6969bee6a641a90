/* SPDX-License-Identifier: MIT */
/* disk: the store's contract (store.h) without SQLite: what is put in waits, is committed later, any number
 * of records at once, or refused; a kill takes what waits. */
#include "world.h"

#include <stdlib.h>

struct store {
    struct world *world;
};

static struct store the_store;

static bool lies(const struct world *world)
{
    return world->variant == VARIANT_EARLY_OUTCOME;
}

/* --- what is on it ---------------------------------------------------------------------------- */

struct disk_room *disk_find(struct world *world, const uint8_t *name, size_t size)
{
    for (size_t i = 0; i < world->disk.room_count; i++) {
        struct disk_room *room = &world->disk.rooms[i];
        if (room->record.name_size == size && memcmp(room->record.name, name, size) == 0) {
            return room;
        }
    }
    return NULL;
}

static struct disk_room *find_number(struct world *world, int64_t number)
{
    for (size_t i = 0; i < world->disk.room_count; i++) {
        if (world->disk.rooms[i].record.number == number) {
            return &world->disk.rooms[i];
        }
    }
    return NULL;
}

static size_t author_of(const struct world *world, const uint8_t *key)
{
    size_t i = 0;
    while (i < CLIENTS && memcmp(world->clients[i].config.keypair.key, key, PROSA_KEY_SIZE) != 0) {
        i++;
    }
    return i;
}

/* --- committing ------------------------------------------------------------------------------- */

static void commit_room(struct world *world, const struct record *record)
{
    struct disk *disk = &world->disk;
    if (disk->room_count == ROOMS || disk_find(world, record->room.name, record->room.name_size) != NULL) {
        world_violated(world, "a room is made twice");
        return;
    }
    disk->rooms[disk->room_count].record = record->room;
    disk->room_count++;
}

static void note_id(struct store_author *author, const uint8_t *id)
{
    if (author->id_count == STORE_IDS) {
        author->id_count--;
        memmove(author->ids[0], author->ids[1], author->id_count * PROSA_HASH_SIZE);
    }
    memcpy(author->ids[author->id_count], id, PROSA_HASH_SIZE);
    author->id_count++;
}

static void commit_message(struct world *world, const struct record *record)
{
    const struct store_message *message = &record->message;
    struct disk_room *room = find_number(world, message->room);
    const size_t author = author_of(world, record->author_key);
    const uint64_t seq = message->room_seq;
    if (room == NULL || author == CLIENTS || seq != room->record.head_seq + 1 || seq > ENTRIES) {
        world_violated(world, "an entry is not the next one of a room");
        return;
    }
    const struct prosa_bytes octets =
        record->copied ? prosa_bytes(record->octets, message->deliver.size) : message->deliver;
    memcpy(room->entries[seq - 1], octets.at, octets.size);
    room->sizes[seq - 1] = octets.size;
    room->times[seq - 1] = message->server_time;
    room->record.head_seq = seq;
    room->record.server_time = message->server_time;
    prosa_chain_next(room->record.chain, seq, message->server_time, record->id, room->record.chain);
    room->authors[author].counter = message->counter;
    room->authors[author].room_seq = seq;
    note_id(&room->authors[author], record->id);
    history_add(world, room, record);
}

static void commit_pruned(struct world *world, const struct record *record)
{
    struct disk_room *room = find_number(world, record->room.number);
    if (room == NULL || record->oldest_seq > room->record.head_seq + 1) {
        world_violated(world, "what was never there is pruned");
        return;
    }
    world_happened(world, PRUNED);
    room->record.oldest_seq = record->oldest_seq;
    memcpy(room->record.pruned_chain, record->chain, PROSA_HASH_SIZE);
}

static void commit_name(struct world *world, const struct record *record)
{
    struct disk *disk = &world->disk;
    if (disk->name_count == CLIENTS) {
        world_violated(world, "a name is bound twice");
        return;
    }
    disk->names[disk->name_count] = record->name;
    disk->name_count++;
}

static void commit(struct world *world, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ROOM:
        commit_room(world, record);
        break;
    case RECORD_MESSAGE:
        commit_message(world, record);
        break;
    case RECORD_PRUNED:
        commit_pruned(world, record);
        break;
    case RECORD_NAME:
        commit_name(world, record);
        break;
    }
}

static void commit_some(struct world *world, size_t count)
{
    struct disk *disk = &world->disk;
    for (size_t i = 0; i < count; i++) {
        commit(world, &disk->records[i]);
        disk->committed++;
    }
    disk->record_count -= count;
    memmove(disk->records, disk->records + count, disk->record_count * sizeof *disk->records);
}

void disk_commit(struct world *world)
{
    struct disk *disk = &world->disk;
    const bool slow = !world->calm && world->now < disk->slow_until;
    if (slow || disk->failing || disk->record_count == 0 || (lies(world) && world_random(world, 20) != 0)) {
        return;
    }
    if (world->variant == VARIANT_GOOD && world_chance(world, 50)) {
        world_happened(world, COMMIT_FAILED);
        world->failed_commits = disk->failing = true;
        disk->record_count = 0;
        return;
    }
    commit_some(world, 1 + (size_t)world_random(world, disk->record_count));
}

void disk_kill(struct world *world)
{
    struct disk *disk = &world->disk;
    disk->record_count = 0;
    disk->failing = false;
    if (world->variant == VARIANT_LOST_ENTRY && disk->room_count > 0 &&
        disk->rooms[0].record.head_seq > disk->rooms[0].record.oldest_seq) {
        disk->rooms[0].record.head_seq--;
    }
}

/* --- writing (store.h) ------------------------------------------------------------------------ */

struct store *store_open(const char *folder, const uint8_t server_key[static PROSA_KEY_SIZE], bool restored,
                         char *why, size_t why_size)
{
    struct world *world = the_store.world;
    (void)folder;
    (void)server_key;
    (void)restored;
    if (why_size > 0) {
        why[0] = '\0';
    }
    world->disk.ticket = world->disk.committed = world->disk.told = 0;
    return &the_store;
}

void disk_init(struct world *world)
{
    the_store.world = world;
    world->disk.next_room = 1;
}

void store_close(struct store *store)
{
    if (!store->world->disk.failing) {
        commit_some(store->world, store->world->disk.record_count);
    }
    store->world->disk.record_count = 0;
    store->world->disk.failing = false;
}

int store_fd(const struct store *store)
{
    (void)store;
    return -1;
}

static uint64_t put(struct store *store, const struct record *record)
{
    struct disk *disk = &store->world->disk;
    if (disk->record_count == RECORDS) {
        world_violated(store->world, "more is in flight than windows allow");
        return 0;
    }
    if (!disk->failing) {
        disk->records[disk->record_count] = *record;
        disk->record_count++;
    }
    return ++disk->ticket;
}

uint64_t store_put_room(struct store *store, struct store_room *room)
{
    room->number = store->world->disk.next_room++;
    return put(store, &(struct record){.kind = RECORD_ROOM, .room = *room});
}

uint64_t store_put_message(struct store *store, const struct store_message *message)
{
    struct record record = {.kind = RECORD_MESSAGE, .message = *message};
    memcpy(record.author_key, message->author_key, PROSA_KEY_SIZE);
    memcpy(record.id, message->id, PROSA_HASH_SIZE);
    if (lies(store->world)) {
        memcpy(record.octets, message->deliver.at, message->deliver.size);
        record.copied = true;
    }
    return put(store, &record);
}

uint64_t store_put_pruned(struct store *store, int64_t room, uint64_t oldest_seq,
                          const uint8_t chain[static PROSA_HASH_SIZE])
{
    struct record record = {.kind = RECORD_PRUNED, .room = {.number = room}, .oldest_seq = oldest_seq};
    memcpy(record.chain, chain, PROSA_HASH_SIZE);
    return put(store, &record);
}

uint64_t store_put_name(struct store *store, struct prosa_bytes nick,
                        const uint8_t key[static PROSA_KEY_SIZE], bool bound)
{
    struct record record = {.kind = RECORD_NAME, .name = {.bound = bound, .nick_size = (uint8_t)nick.size}};
    memcpy(record.name.key, key, PROSA_KEY_SIZE);
    memcpy(record.name.nick, nick.at, nick.size);
    return put(store, &record);
}

bool store_next(struct store *store, struct store_outcome *outcome)
{
    struct disk *disk = &store->world->disk;
    const uint64_t good = lies(store->world) ? disk->ticket : disk->committed;
    if (good > disk->told) {
        *outcome = (struct store_outcome){.upto = good, .good = true, .records = good - disk->told};
        disk->told = good;
        return true;
    }
    if (!disk->failing) {
        return false;
    }
    *outcome = (struct store_outcome){.upto = disk->ticket, .records = disk->ticket - disk->told};
    disk->told = disk->committed = disk->ticket;
    disk->failing = false;
    return true;
}

size_t store_waiting(const struct store *store)
{
    return store->world->disk.record_count;
}

/* --- reading (store.h) ------------------------------------------------------------------------ */

enum store_found store_find_room(struct store *store, struct prosa_bytes name, const uint8_t *client_key,
                                 struct store_room *room)
{
    const struct disk_room *found = disk_find(store->world, name.at, name.size);
    if (found == NULL || client_key != NULL) {
        return STORE_NONE;
    }
    *room = found->record;
    if (store->world->variant == VARIANT_UNTOLD_PRUNING) {
        room->oldest_seq = 1;
    }
    return STORE_FOUND;
}

enum store_found store_find_author(struct store *store, int64_t room,
                                   const uint8_t key[static PROSA_KEY_SIZE], struct store_author *author)
{
    struct world *world = store->world;
    const struct disk_room *found = find_number(world, room);
    const size_t at = author_of(world, key);
    if (found == NULL || at == CLIENTS || found->authors[at].counter == 0) {
        return STORE_NONE;
    }
    *author = found->authors[at];
    if (world->variant == VARIANT_LOST_COUNTERS) {
        author->counter--;
        author->id_count = 0;
    }
    return STORE_FOUND;
}

/* The entry of another message at this place, signed by its author as it is. */
static size_t forge(const struct disk_room *room, uint64_t seq, uint8_t *out)
{
    struct prosa_frame frame;
    struct prosa_message real, other;
    size_t size = 0;
    const uint64_t from = seq > 1 ? seq - 1 : room->record.head_seq;
    const struct prosa_bytes octets = prosa_bytes(room->entries[seq - 1], room->sizes[seq - 1]);
    if (prosa_frame_parse(octets, FRAME, &frame) != PROSA_OK ||
        prosa_message_decode(&frame, PROSA_FROM_SERVER, &real) != PROSA_OK ||
        prosa_frame_parse(prosa_bytes(room->entries[from - 1], room->sizes[from - 1]), FRAME, &frame) !=
            PROSA_OK ||
        prosa_message_decode(&frame, PROSA_FROM_SERVER, &other) != PROSA_OK) {
        return 0;
    }
    const size_t end = (size_t)(other.deliver.author_sig + PROSA_SIGNATURE_SIZE - frame.body.at);
    const enum prosa_status status =
        prosa_deliver_encode(prosa_bytes(frame.body.at, end), seq, room->times[seq - 1],
                             real.deliver.prev_hash, out, FRAME, &size);
    return status == PROSA_OK ? size : 0;
}

static size_t read_entry(struct world *world, const struct disk_room *room, uint64_t seq, uint8_t *out)
{
    const size_t size = room->sizes[seq - 1];
    const bool wrong = seq % 3 == 0;
    if (wrong && world->variant == VARIANT_FORGED_ENTRY) {
        const size_t forged = forge(room, seq, out);
        return forged;
    }
    memcpy(out, room->entries[seq - 1], size);
    if (wrong && world->variant == VARIANT_ROTTEN_ENTRY) {
        out[PROSA_HEADER_SIZE + 60] ^= 1;
    }
    return size;
}

enum store_found store_read(struct store *store, int64_t room, uint64_t from_seq, size_t count,
                            uint8_t **octets, size_t ends[], size_t *found)
{
    struct world *world = store->world;
    const struct disk_room *from = find_number(world, room);
    size_t size = 0;
    if (from == NULL || from_seq < from->record.oldest_seq || from_seq > from->record.head_seq) {
        return STORE_NONE;
    }
    world_happened(world, READ_FROM_DISK);
    uint8_t *all = malloc(count * FRAME);
    if (all == NULL) {
        return STORE_FAILED;
    }
    for (*found = 0; *found < count && from_seq + *found <= from->record.head_seq; (*found)++) {
        size += read_entry(world, from, from_seq + *found, all + size);
        ends[*found] = size;
    }
    *octets = all;
    return STORE_FOUND;
}

enum store_found store_find_time(struct store *store, int64_t room, uint64_t server_time, uint64_t *room_seq)
{
    const struct disk_room *found = find_number(store->world, room);
    if (found == NULL) {
        return STORE_NONE;
    }
    *room_seq = found->record.oldest_seq;
    while (*room_seq <= found->record.head_seq && found->times[*room_seq - 1] < server_time) {
        (*room_seq)++;
    }
    return *room_seq <= found->record.head_seq ? STORE_FOUND : STORE_NONE;
}

enum store_found store_next_old(struct store *store, int64_t *place, uint64_t server_time,
                                struct store_room *room)
{
    const struct disk *disk = &store->world->disk;
    while (*place < (int64_t)disk->room_count) {
        const struct disk_room *found = &disk->rooms[(*place)++];
        const uint64_t oldest_seq = found->record.oldest_seq;
        if (oldest_seq <= found->record.head_seq && found->times[oldest_seq - 1] < server_time) {
            *room = found->record;
            return STORE_FOUND;
        }
    }
    return STORE_NONE;
}

enum store_found store_next_name(struct store *store, int64_t *place, struct store_name *name)
{
    const struct disk *disk = &store->world->disk;
    if (*place >= (int64_t)disk->name_count) {
        return STORE_NONE;
    }
    *name = disk->names[*place];
    (*place)++;
    return STORE_FOUND;
}
