/* SPDX-License-Identifier: MIT */
#include "members.h"

#include <assert.h>
#include <stdlib.h>

void roster_init(struct roster *roster, const struct prosa_room *room)
{
    *roster = (struct roster){.room = room};
    list_init(&roster->members);
}

void roster_fini(struct roster *roster)
{
    for (size_t i = 0; roster->events != NULL && i < ROSTER_EVENTS; i++) {
        free(roster->events[i].octets);
    }
    free(roster->events);
}

/* Writes a MEMBER frame; `member` counts for here, joined and left. */
static size_t encode(const struct roster *roster, uint8_t event, const struct member *member, uint8_t *out)
{
    const bool named = event == PROSA_EVENT_HERE || event == PROSA_EVENT_JOINED || event == PROSA_EVENT_LEFT;
    const struct prosa_message message = {
        .type = PROSA_FRAME_MEMBER,
        .member = {.room_id = roster->room->room_id,
                   .event = event,
                   .at_seq = roster->room->head_seq,
                   .has_nick = named,
                   .nick = named ? member->nick : prosa_bytes(NULL, 0),
                   .has_member_key = named,
                   .member_key = named ? member->key : NULL,
                   .has_count = event == PROSA_EVENT_COUNT,
                   .count = (uint32_t)roster->count},
    };
    size_t size = 0;
    const enum prosa_status status =
        prosa_message_encode(&message, prosa_bytes(NULL, 0), out, ROSTER_FRAME, &size);
    assert(status == PROSA_OK);
    (void)status;
    return size;
}

static struct roster_event *place_of(const struct roster *roster, uint64_t number)
{
    return &roster->events[number % ROSTER_EVENTS];
}

/* Without memory an event is lost: whoever comes to its place is shown the list anew. */
static void note_event(struct roster *roster, uint8_t event, const struct member *member)
{
    if (roster->events == NULL) {
        roster->events = calloc(ROSTER_EVENTS, sizeof *roster->events);
    }
    roster->last_event++;
    if (roster->events == NULL) {
        return;
    }
    struct roster_event *place = place_of(roster, roster->last_event);
    free(place->octets);
    *place = (struct roster_event){.octets = malloc(ROSTER_FRAME), .at_seq = roster->room->head_seq};
    if (place->octets != NULL) {
        place->size = encode(roster, event, member, place->octets);
    }
}

void roster_announce(struct roster *roster)
{
    if (roster->count_due && roster->counted) {
        note_event(roster, PROSA_EVENT_COUNT, NULL);
    }
    roster->count_due = false;
}

static void tell_change(struct roster *roster, uint8_t event, const struct member *member)
{
    if (roster->counted) {
        roster->count_due = true;
    } else {
        note_event(roster, event, member);
    }
}

/* The number is back at the limit: names again, from the beginning [MEM-05]. */
static void show_names_again(struct roster *roster)
{
    roster->counted = false;
    roster->count_due = false;
    LIST_EACH(at, &roster->members)
    {
        struct member *member = LIST_OF(at, struct member, place);
        member->list_due = member->resync_due = true;
    }
}

void roster_enter(struct roster *roster, struct member *member, uint32_t member_limit)
{
    list_append(&roster->members, &member->place);
    roster->count++;
    if (!roster->counted && roster->count > member_limit) {
        roster->counted = true;
        roster->count_due = true;
        roster_announce(roster);
    } else {
        tell_change(roster, PROSA_EVENT_JOINED, member);
    }
    member->told = roster->last_event;
    member->present = true;
    member->list_due = true;
    member->resync_due = false;
}

void roster_return(struct member *member)
{
    member->present = true;
    member->list_due = true;
    member->resync_due = false;
}

void roster_leave(struct roster *roster, struct member *member, uint32_t member_limit)
{
    list_remove(&member->place);
    roster->count--;
    if (roster->counted && roster->count <= member_limit) {
        show_names_again(roster);
    } else {
        tell_change(roster, PROSA_EVENT_LEFT, member);
    }
}

static struct prosa_bytes list_all(const struct roster *roster, const struct member *member,
                                   uint8_t scratch[static ROSTER_SCRATCH])
{
    size_t size = 0;
    if (member->resync_due) {
        size += encode(roster, PROSA_EVENT_RESYNC, NULL, scratch);
    }
    if (roster->counted) {
        size += encode(roster, PROSA_EVENT_COUNT, NULL, scratch + size);
        return prosa_bytes(scratch, size);
    }
    LIST_EACH(at, &roster->members)
    {
        assert(size + ROSTER_FRAME <= ROSTER_SCRATCH);
        size += encode(roster, PROSA_EVENT_HERE, LIST_OF(at, struct member, place), scratch + size);
    }
    return prosa_bytes(scratch, size);
}

/* It is not the list that is due, but an event that it needs is gone. */
static bool has_fallen_off(const struct roster *roster, const struct member *member)
{
    return member->told + ROSTER_EVENTS < roster->last_event || roster->events == NULL ||
           place_of(roster, member->told + 1)->octets == NULL;
}

struct prosa_bytes roster_next(struct roster *roster, const struct member *member,
                               uint8_t scratch[static ROSTER_SCRATCH], uint64_t *at_seq)
{
    *at_seq = roster->room->head_seq;
    if (!member->present) {
        return prosa_bytes(NULL, 0);
    }
    if (member->list_due) {
        return list_all(roster, member, scratch);
    }
    if (member->told == roster->last_event) {
        return prosa_bytes(NULL, 0);
    }
    if (has_fallen_off(roster, member)) {
        const struct member fallen = {.resync_due = true};
        return list_all(roster, &fallen, scratch);
    }
    const struct roster_event *event = place_of(roster, member->told + 1);
    *at_seq = event->at_seq;
    return prosa_bytes(event->octets, event->size);
}

void roster_told(struct roster *roster, struct member *member)
{
    if (member->list_due || has_fallen_off(roster, member)) {
        member->list_due = member->resync_due = false;
        member->told = roster->last_event;
    } else {
        member->told++;
    }
}
