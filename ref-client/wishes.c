/* SPDX-License-Identifier: MIT */
#include "wishes.h"

#include "clock.h"
#include "publish.h"

/* Question and answer: one message under way, as level L1 has it [FLOW-27]; from L2 on a window of N. */
#define SYNC_WINDOW 1u
#define SEND_WINDOW 64u
#define RECV_WINDOW 64u

/* Where the next JOIN begins: `position` is the storage for it. */
static bool find_start(struct client *client, struct room *room, struct spool_position *position,
                       struct prosa_client_join *join)
{
    const bool resumes = (client->features & PROSA_FEATURE_RESUME) != 0;
    bool found = false;
    if (room->place == 0 && !spool_place(client->spool, client->config.keypair.key, client->server_key,
                                         room->name, &room->place)) {
        return false;
    }
    if (!spool_position(client->spool, room->place, position, &found)) {
        return false;
    }
    room->is_new = !found;
    if (!resumes) { /* [RES-06] */
        if (found && client->settings->level > 1) {
            ui_say(client->ui, REPORT_NOTE,
                   "this server does not resume: what was said in %s while you were away is not shown",
                   room->name);
        }
        return true;
    }
    join->has_after_seq = room->has_from || found || client->settings->history == HISTORY_ALL;
    if (room->has_from) {
        join->after_seq = room->from;
        join->epoch = room->from_epoch;
    } else if (found) {
        join->after_seq = position->seen_seq;
        join->epoch = position->epoch;
        join->chain = position->has_chain ? position->chain : NULL;
    }
    return true;
}

static bool join_room(struct client *client, struct prosa_client_session *session, struct room *room)
{
    struct spool_position position;
    struct prosa_client_join join = {
        .room = prosa_bytes_of_string(room->name),
        .send_window = client->settings->level > 1 ? SEND_WINDOW : SYNC_WINDOW,
        .recv_window = RECV_WINDOW,
    };
    if (!find_start(client, room, &position, &join)) {
        return false;
    }
    room->state = ROOM_JOINING;
    if (prosa_client_session_join(session, &join) != PROSA_OK) {
        prosa_client_session_fail(session, PROSA_ERR_INTERNAL, clock_now_ms());
    }
    return true;
}

/* What was sent in this JOIN has come back: a session that leaves does not hear of it any more. */
static bool is_quiet(const struct room *room, const struct prosa_client_room *now)
{
    return now->sent_counter == room->last_counter ||
           (now->acked_counter == now->sent_counter && room->delivered_counter >= now->sent_counter);
}

/* What is wanted of a room that is joined. */
static void leave_room(struct prosa_client_session *session, struct room *room)
{
    const struct prosa_client_room *now =
        prosa_client_session_room(session, prosa_bytes_of_string(room->name));
    if (now == NULL || !prosa_client_session_ready(session) || (!room->wants_leave && room->rewind == 0) ||
        !is_quiet(room, now)) {
        return;
    }
    if (room->rewind > 0) {
        const uint64_t oldest = room->oldest_seq > 0 ? room->oldest_seq - 1 : 0;
        room->from = now->seen_seq > room->rewind ? now->seen_seq - room->rewind : 0;
        room->from = room->from > oldest ? room->from : oldest;
        room->has_from = true;
        room->rewind = 0;
        memcpy(room->from_epoch, now->epoch, PROSA_EPOCH_SIZE);
    }
    room->state = ROOM_LEAVING;
    if (prosa_client_session_leave(session, prosa_bytes_of_string(room->name)) != PROSA_OK) {
        prosa_client_session_fail(session, PROSA_ERR_INTERNAL, clock_now_ms());
    }
}

void wishes_forget(struct client *client, struct room *room)
{
    const size_t unsent = room->outbox.count;
    if (unsent > 0) {
        ui_say(client->ui, REPORT_ALARM, "%zu line%s for %s %s not sent", unsent, unsent == 1 ? "" : "s",
               room->name, unsent == 1 ? "was" : "were");
        client->dropped += unsent;
    }
    rooms_remove(&client->rooms, room);
}

void wishes_tend_alone(struct client *client)
{
    struct room *next = NULL;
    for (struct room *room = client->rooms.first; room != NULL; room = next) {
        next = room->next;
        if (room->state == ROOM_WANTED && room->wants_leave && room->outbox.count == 0) {
            wishes_forget(client, room);
        }
    }
}

bool wishes_tend(struct client *client, struct prosa_client_session *session)
{
    bool good = true;
    wishes_tend_alone(client);
    for (struct room *room = client->rooms.first; room != NULL && good; room = room->next) {
        if (!prosa_client_session_ready(session)) {
            break;
        }
        if (room->state == ROOM_WANTED) {
            good = join_room(client, session, room);
        } else if (room->state == ROOM_IN) {
            good = publish_waiting(client, session, room);
            leave_room(session, room);
        }
    }
    return good;
}
