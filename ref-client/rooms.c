/* SPDX-License-Identifier: MIT */
#include "rooms.h"

#include <assert.h>
#include <stdlib.h>

static void room_free(struct room *room)
{
    outbox_fini(&room->outbox);
    members_clear(&room->members);
    free(room);
}

void rooms_fini(struct rooms *rooms)
{
    while (rooms->first != NULL) {
        rooms_remove(rooms, rooms->first);
    }
}

struct room *rooms_find(const struct rooms *rooms, struct prosa_bytes name)
{
    struct room *room = rooms->first;
    while (room != NULL && !prosa_bytes_equal(prosa_bytes_of_string(room->name), name)) {
        room = room->next;
    }
    return room;
}

struct room *rooms_add(struct rooms *rooms, const char *name)
{
    struct room **end = &rooms->first;
    struct room *room = calloc(1, sizeof *room);
    assert(strlen(name) < sizeof room->name);
    if (room == NULL) {
        return NULL;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = room;
    memcpy(room->name, name, strlen(name) + 1);
    outbox_init(&room->outbox);
    rooms->current = room;
    return room;
}

void rooms_remove(struct rooms *rooms, struct room *room)
{
    struct room **at = &rooms->first;
    while (*at != room) {
        at = &(*at)->next;
    }
    *at = room->next;
    if (rooms->current == room) {
        rooms->current = rooms->first;
    }
    room_free(room);
}

size_t rooms_count(const struct rooms *rooms)
{
    size_t count = 0;
    for (const struct room *room = rooms->first; room != NULL; room = room->next) {
        count++;
    }
    return count;
}

size_t rooms_unsent(const struct rooms *rooms)
{
    size_t count = 0;
    for (const struct room *room = rooms->first; room != NULL; room = room->next) {
        count += room->outbox.count;
    }
    return count;
}

size_t rooms_unacked(const struct rooms *rooms)
{
    size_t count = 0;
    for (const struct room *room = rooms->first; room != NULL; room = room->next) {
        count += (size_t)(room->stored_counter - room->acked_counter);
    }
    return count;
}

void rooms_disconnect(struct rooms *rooms)
{
    for (struct room *room = rooms->first; room != NULL; room = room->next) {
        room->state = ROOM_WANTED;
        room->rewind = 0;
        room->has_from = false;
        members_clear(&room->members);
    }
}
