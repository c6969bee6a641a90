/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include "tell.h"

static bool has_audit(const struct client *client)
{
    return (client->features & PROSA_FEATURE_AUDIT) != 0;
}

/* --- JOINED ----------------------------------------------------------------------------------- */

/* False: these octets are no PUBLISH. */
static bool decode(struct prosa_bytes octets, size_t cap, struct prosa_message *message)
{
    struct prosa_frame frame;
    return prosa_frame_parse(octets, cap, &frame) == PROSA_OK && frame.type == PROSA_FRAME_PUBLISH &&
           prosa_message_decode(&frame, PROSA_FROM_CLIENT, message) == PROSA_OK;
}

/* Says that a message is given up, and forgets it. */
static bool give_up(struct client *client, const struct room *room, const struct spool_message *kept,
                    const char *why)
{
    struct prosa_message message;
    if (!kept->is_acked) {
        const bool good = decode(kept->octets, PROSA_MAX_FRAME_CEILING, &message);
        tell_unsent(client->ui, prosa_bytes_of_string(room->name), kept->counter,
                    good ? message.publish.text : prosa_bytes_of_string("(damaged)"), why);
    }
    return spool_remove(client->spool, kept);
}

/* Messages of a former epoch belong to a room that is gone. */
static bool give_up_strays(struct client *client, const struct room *room)
{
    struct spool_message kept;
    bool found = true;
    while (found) {
        if (!spool_stray(client->spool, room->place, room->room_id, &kept, &found) ||
            (found &&
             !give_up(client, room, &kept, "was not sent: its room has begun anew since. It said:"))) {
            return false;
        }
    }
    return true;
}

/* What the server has, by its last_counter. */
static bool confirm(struct client *client, const struct room *room)
{
    struct spool_message kept = {.place = room->place, .counter = 1};
    bool found = true;
    memcpy(kept.room_id, room->room_id, PROSA_HASH_SIZE);
    while (spool_next(client->spool, &kept, &found)) {
        if (!found || kept.counter > room->last_counter) {
            return (has_audit(client) ? spool_ack : spool_drop)(client->spool, room->place, room->room_id,
                                                                room->last_counter);
        }
        if (!kept.is_acked) {
            tell_acked(client->ui, prosa_bytes_of_string(room->name), kept.counter - 1, kept.counter, 0);
        }
        kept.counter++;
    }
    return false;
}

/* Why it cannot be sent as it is, or NULL. */
static const char *fault_of(const struct client *client, const struct spool_message *kept, size_t cap,
                            uint64_t expected)
{
    struct prosa_message message;
    if (kept->counter != expected) {
        return "was not sent: the one before it is gone. It said:";
    }
    if (!decode(kept->octets, cap, &message)) {
        return "was not sent: it is too long for this server. It said:";
    }
    if (!prosa_bytes_equal(message.publish.nick, client->config.nick)) {
        return "was not sent: it was signed under another nick. It said:";
    }
    return NULL;
}

/* What is to be sent again: octet by octet, so that the first that cannot be ends the row. */
static bool check_rest(struct client *client, struct room *room, size_t cap)
{
    struct spool_message kept = {.place = room->place, .counter = room->last_counter + 1};
    const char *fault = NULL;
    bool found = true;
    memcpy(kept.room_id, room->room_id, PROSA_HASH_SIZE);
    while (spool_next(client->spool, &kept, &found)) {
        if (!found) {
            return true;
        }
        fault = fault != NULL ? fault : fault_of(client, &kept, cap, room->stored_counter + 1);
        if (fault == NULL) {
            room->stored_counter = kept.counter;
        } else if (!give_up(client, room, &kept, fault)) {
            return false;
        }
        kept.counter++;
    }
    return false;
}

bool keep_settle(struct client *client, struct room *room, const struct prosa_client_session *session)
{
    const size_t cap = prosa_client_session_limits(session)->max_frame;
    room->stored_counter = room->acked_counter = room->last_counter;
    if (!give_up_strays(client, room) || !confirm(client, room) || !check_rest(client, room, cap)) {
        return false;
    }
    const size_t again = (size_t)(room->stored_counter - room->last_counter);
    if (again > 0) {
        ui_say(client->ui, REPORT_NOTE, "%zu message%s for %s that the server did not have %s sent again",
               again, again == 1 ? "" : "s", room->name, again == 1 ? "is" : "are");
    }
    return true;
}

/* --- after each turn -------------------------------------------------------------------------- */

static bool keep_room(struct client *client, struct room *room)
{
    struct spool *spool = client->spool;
    const uint64_t done = has_audit(client) ? room->covered_counter : room->acked_counter;
    if (!spool_move(spool, room->place, &room->position, room->is_forced) ||
        (has_audit(client) && !spool_ack(spool, room->place, room->room_id, room->acked_counter)) ||
        !spool_drop(spool, room->place, room->room_id, done)) {
        return false;
    }
    if (room->checkpoint_size > 0 &&
        !spool_keep_checkpoint(spool, room->place, prosa_bytes(room->checkpoint, room->checkpoint_size))) {
        return false;
    }
    room->is_dirty = room->is_forced = false;
    room->checkpoint_size = 0;
    return true;
}

bool keep_rooms(struct client *client)
{
    bool has_begun = false;
    for (struct room *room = client->rooms.first; room != NULL; room = room->next) {
        if (!room->is_dirty) {
            continue;
        }
        if ((!has_begun && !spool_begin(client->spool, false)) || !keep_room(client, room)) {
            return false;
        }
        has_begun = true;
    }
    return !has_begun || spool_commit(client->spool);
}
