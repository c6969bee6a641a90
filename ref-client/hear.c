/* SPDX-License-Identifier: MIT */
#include "hear.h"

#include "evidence.h"
#include "keep.h"
#include "keyfile.h"
#include "pins.h"
#include "tell.h"
#include "wishes.h"

#include <inttypes.h>
#include <stdio.h>

/* --- the server ------------------------------------------------------------------------------- */

/* The key has to be on the disk before anything is built on it [ID-02]. */
static void meet(struct client *client, struct prosa_client_session *session, uint64_t now_ms)
{
    const uint8_t *key = prosa_client_session_server_key(session);
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char why[1024];

    if (!pins_add(client->pins, client->settings->target, key, why, sizeof why)) {
        ui_say(client->ui, REPORT_ALARM, "%s", why);
        prosa_client_session_fail(session, PROSA_ERR_INTERNAL, now_ms);
        client->exit = EXIT_SETTINGS;
        return;
    }
    fingerprint_format(key, fingerprint);
    ui_say(client->ui, REPORT_ALARM,
           "first contact with %s: its key has the fingerprint %s; nobody but its operator can tell you "
           "whether that is right. From now on no other key is taken for it.",
           client->settings->target, fingerprint);
    memcpy(client->server_key, key, PROSA_KEY_SIZE);
    client->config.pinned_key = client->server_key;
    prosa_client_session_trust(session, now_ms);
}

static void enter(struct client *client, const struct prosa_client_session *session)
{
    char suffix[KEY_SUFFIX_SIZE];
    key_suffix_format(client->config.keypair.key, suffix);
    ui_say(client->ui, REPORT_NOTE, "connected to %s as %s#%s", client->settings->target,
           client->settings->nick, suffix);
    client->features = prosa_client_session_features(session);
    client->max_rooms = prosa_client_session_limits(session)->max_rooms;
}

/* --- rooms ------------------------------------------------------------------------------------ */

static struct prosa_bytes name_of(const struct prosa_client_event *event)
{
    return event->room == NULL ? prosa_bytes(NULL, 0)
                               : prosa_bytes(event->room->name, event->room->name_size);
}

/* Where the room is now; it goes to the spool at the end of this turn. */
static void note_position(struct room *room, const struct prosa_client_room *now)
{
    memcpy(room->position.epoch, now->epoch, PROSA_EPOCH_SIZE);
    room->position.seen_seq = now->seen_seq;
    room->position.has_chain = now->chain_known;
    memcpy(room->position.chain, now->chain, PROSA_HASH_SIZE);
    room->is_dirty = true;
}

static bool joined(struct client *client, const struct prosa_client_session *session, struct room *room,
                   const struct prosa_client_event *event)
{
    const struct prosa_joined *now = &event->joined;
    const uint64_t wanted = client->settings->history;

    room->state = ROOM_IN;
    members_clear(&room->members);
    memcpy(room->room_id, now->room_id, PROSA_HASH_SIZE);
    room->head_seq = now->head_seq;
    room->oldest_seq = now->oldest_seq;
    room->last_counter = now->last_counter;
    room->delivered_counter = room->covered_counter = 0;
    room->is_forced = event->lost_history && !room->has_from;
    note_position(room, event->room);
    if (room->is_new && !room->has_from && wanted != HISTORY_ALL && now->head_seq > 0 &&
        (client->features & PROSA_FEATURE_RESUME) != 0) {
        room->rewind = wanted;
    }
    room->has_from = false;
    tell_event(client->ui, REPORT_JOINED, event, client->server_key);
    return keep_settle(client, room, session);
}

/* A client whose only room is refused ends [CON-12]; one that a person typed is an attempt. */
static void refused(struct client *client, struct prosa_client_session *session,
                    const struct prosa_client_event *event, uint64_t now_ms)
{
    struct room *room = rooms_find(&client->rooms, event->error.room);
    const bool is_typed = room != NULL && room->is_typed;
    tell_received(client->ui, &event->error, event->error.room);
    if (room != NULL) {
        wishes_forget(client, room);
    }
    if (client->rooms.first == NULL && !is_typed) {
        client->exit = EXIT_PROTOCOL;
        prosa_client_session_bye(session, now_ms);
    }
}

/* After LEAVE: the room is gone, or to be joined again from further back. */
static bool left(struct client *client, struct room *room)
{
    room->state = ROOM_WANTED;
    if (room->has_from && !room->wants_leave) {
        return true;
    }
    if (!keep_rooms(client)) {
        return false;
    }
    ui_say(client->ui, REPORT_NOTE, "left %s", room->name);
    wishes_forget(client, room);
    return true;
}

/* A message that came, shown or not. */
static void delivered(struct client *client, struct room *room, const struct prosa_client_event *event)
{
    const struct prosa_deliver *deliver = &event->deliver;
    const uint64_t due = members_heard(&room->members, deliver->author_key, deliver->counter);

    if (due != 0 && due != deliver->counter && client->settings->level >= 3) { /* [MSG-28] */
        char reason[160];
        snprintf(reason, sizeof reason,
                 "message %" PRIu64 " of %.*s was due: something was left out, or came again", due,
                 (int)deliver->nick.size, (const char *)deliver->nick.at);
        tell_about(client->ui, PROSA_CODE_COUNTER_GAP, name_of(event), deliver->counter, reason);
    }
    if (event->kind == PROSA_CLIENT_MESSAGE) {
        tell_event(client->ui, REPORT_MESSAGE, event, client->server_key);
    } else {
        tell_unshown(client->ui, event);
    }
    if (event->own && event->kind == PROSA_CLIENT_MESSAGE && deliver->counter > room->delivered_counter) {
        room->delivered_counter = deliver->counter;
    }
    note_position(room, event->room);
}

static void acked(struct client *client, struct room *room, const struct prosa_client_event *event)
{
    tell_acked(client->ui, name_of(event), room->acked_counter, event->acked_counter, event->acked_seq);
    room->acked_counter = event->acked_counter;
    room->is_dirty = true;
}

/* The server has signed for all up to event->seq [AUD-06]: own messages that came back are among it, and
 * those that it had at JOIN when that head is. */
static void covered(struct room *room, const struct prosa_client_event *event)
{
    uint64_t counter = room->delivered_counter;
    if (event->seq >= room->head_seq && counter < room->last_counter) {
        counter = room->last_counter;
    }
    room->covered_counter = counter > room->covered_counter ? counter : room->covered_counter;
    room->is_covered = true;
    room->covered_seq = event->seq;
    if (event->octets.size > 0 && event->octets.size <= sizeof room->checkpoint) {
        memcpy(room->checkpoint, event->octets.at, event->octets.size);
        room->checkpoint_size = event->octets.size;
    }
    note_position(room, event->room); /* the chain may have become known */
}

static bool hear_room(struct client *client, struct prosa_client_session *session, struct room *room,
                      const struct prosa_client_event *event)
{
    switch (event->kind) {
    case PROSA_CLIENT_JOINED:
        return joined(client, session, room, event);
    case PROSA_CLIENT_LEFT:
        return left(client, room);
    case PROSA_CLIENT_MESSAGE:
    case PROSA_CLIENT_UNSHOWN:
        delivered(client, room, event);
        return true;
    case PROSA_CLIENT_ACKED:
        acked(client, room, event);
        return true;
    case PROSA_CLIENT_MEMBER:
        members_take(&room->members, &event->member);
        tell_event(client->ui, REPORT_MEMBER, event, client->server_key);
        return true;
    case PROSA_CLIENT_COVERED:
        covered(room, event);
        return true;
    case PROSA_CLIENT_CONFLICT:
        evidence_keep(client, room, event);
        return true;
    default:
        return true;
    }
}

bool hear(struct client *client, struct prosa_client_session *session, const struct prosa_client_event *event,
          uint64_t now_ms)
{
    struct room *room = event->room == NULL ? NULL : rooms_find(&client->rooms, name_of(event));
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        meet(client, session, now_ms);
        return true;
    case PROSA_CLIENT_READY:
        enter(client, session);
        return true;
    case PROSA_CLIENT_REFUSED:
        refused(client, session, event, now_ms);
        return true;
    case PROSA_CLIENT_ERROR:
        tell_received(client->ui, &event->error, name_of(event));
        return true;
    default:
        return room == NULL || hear_room(client, session, room, event);
    }
}
