/* SPDX-License-Identifier: MIT */
/* history: what was ever committed, and whether it keeps the invariants of a room (8.3). */
#include "world.h"

struct history *history_find(struct world *world, struct prosa_bytes name)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (prosa_bytes_equal(name, prosa_bytes_of_string(room_names[i]))) {
            return &world->histories[i];
        }
    }
    return NULL;
}

static size_t author_of(const struct world *world, const uint8_t *key)
{
    size_t i = 0;
    while (i < CLIENTS - 1 && memcmp(world->clients[i].config.keypair.key, key, PROSA_KEY_SIZE) != 0) {
        i++;
    }
    return i;
}

/* Counters are contiguous, and no line is there twice, under whatever counter. */
static void check_author(struct world *world, struct history *history, size_t author,
                         const struct store_message *message)
{
    const size_t line = (size_t)(message->text.at[0] - '0');
    if (message->counter != history->counters[author] + 1) {
        world_violated(world, "the counters of an author are not contiguous [MSG-06]");
    }
    if (line > MESSAGES || history->said[author][line]) {
        world_violated(world, "a line is in the log twice [RES-10]");
        return;
    }
    history->said[author][line] = true;
    history->counters[author] = message->counter;
}

void history_add(struct world *world, const struct disk_room *room, const struct record *record)
{
    struct store_message message = record->message;
    const struct prosa_bytes name = prosa_bytes(room->record.name, room->record.name_size);
    struct history *history = history_find(world, name);
    if (history == NULL || history->count == ENTRIES || message.room_seq != history->count + 1) {
        world_violated(world, "room_seq is not contiguous [MSG-12]");
        return;
    }
    if (message.server_time < history->last_time) {
        world_violated(world, "server_time goes back [MSG-13]");
    }
    if (record->copied) { /* the text moved with the copy */
        message.text.at = record->octets + (message.text.at - message.deliver.at);
    }
    check_author(world, history, author_of(world, record->author_key), &message);
    memcpy(history->ids[history->count], record->id, PROSA_HASH_SIZE);
    history->last_time = message.server_time;
    history->count++;
}
