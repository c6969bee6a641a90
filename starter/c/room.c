/* SPDX-License-Identifier: MIT */
#include "room.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"

void append(struct room *room, struct prosa_bytes authored, bool is_answer)
{
    static struct body fields;
    uint64_t now = now_ms();
    room->head++;
    room->time = now > room->time ? now : room->time;
    begin(&fields);
    put_number(&fields, PROSA_TAG_ROOM_SEQ, room->head);
    put_number(&fields, PROSA_TAG_SERVER_TIME, room->time);
    struct prosa_bytes ours = fields_of(&fields);
    struct owed *owed = malloc(sizeof *owed + authored.size + ours.size), **last = &room->owed;
    if (!owed)
        die(1, "no memory");
    *owed = (struct owed){NULL, is_answer, authored.size + ours.size};
    memcpy(owed->fields, authored.at, authored.size);
    memcpy(owed->fields + authored.size, ours.at, ours.size);
    while (*last)
        last = &(*last)->next;
    *last = owed;
}

bool take_owed(struct room *room, struct body *body)
{
    struct owed *owed = room->owed;
    bool is_answer = owed->is_answer;
    room->owed = owed->next;
    room->delivered++;
    begin(body);
    memcpy(body->at + body->size, owed->fields, owed->size);
    body->size += owed->size;
    free(owed);
    return is_answer;
}

void clear(struct room *room)
{
    for (struct owed *owed = room->owed, *next; owed; owed = next) {
        next = owed->next;
        free(owed);
    }
    *room = (struct room){0};
}
