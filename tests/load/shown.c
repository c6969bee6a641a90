/* SPDX-License-Identifier: MIT */
#include "shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shown_place *places_of(struct shown *shown, const char *room)
{
    size_t i = 0;
    while (i < SHOWN_ROOMS && shown->rooms[i].places != NULL && strcmp(shown->rooms[i].name, room) != 0) {
        i++;
    }
    if (i == SHOWN_ROOMS) {
        return NULL;
    }
    if (shown->rooms[i].places == NULL) {
        shown->rooms[i].places = calloc(SHOWN_PLACES, sizeof *shown->rooms[i].places);
        snprintf(shown->rooms[i].name, sizeof shown->rooms[i].name, "%s", room);
    }
    return shown->rooms[i].places;
}

bool shown_agrees(struct shown *shown, const char *room, uint64_t seq,
                  const uint8_t id[static PROSA_HASH_SIZE])
{
    struct shown_place *places = places_of(shown, room);
    if (places == NULL) {
        return false;
    }
    struct shown_place *place = &places[seq % SHOWN_PLACES];
    if (place->seq < seq) {
        place->seq = seq;
        memcpy(place->id, id, PROSA_HASH_SIZE);
    }
    return place->seq == seq && memcmp(place->id, id, PROSA_HASH_SIZE) == 0;
}

void shown_fini(struct shown *shown)
{
    for (size_t i = 0; i < SHOWN_ROOMS; i++) {
        free(shown->rooms[i].places);
    }
}
