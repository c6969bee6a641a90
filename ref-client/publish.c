/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include "clock.h"

/* A PUBLISH of the longest text. */
#define PUBLISH_SIZE PROSA_MAX_FRAME_FLOOR

/* One line becomes the stored message with this counter. */
static bool store_one(struct client *client, struct prosa_client_session *session, struct room *room,
                      struct prosa_bytes line, uint64_t counter, bool *is_stored)
{
    uint8_t frame[PUBLISH_SIZE];
    size_t size = 0;
    struct spool_message message = {.place = room->place, .counter = counter};
    const struct prosa_client_text text = {.counter = counter, .sent_at = clock_unix_ms(), .text = line};
    const enum prosa_status status = prosa_client_session_compose(session, prosa_bytes_of_string(room->name),
                                                                  &text, frame, sizeof frame, &size);

    *is_stored = status == PROSA_OK;
    if (status != PROSA_OK) {
        prosa_client_session_fail(session, PROSA_ERR_INTERNAL, clock_now_ms());
        return true;
    }
    memcpy(message.room_id, room->room_id, PROSA_HASH_SIZE);
    message.octets = prosa_bytes(frame, size);
    return spool_put(client->spool, &message);
}

/* Lines up to the limit get their counters and go to the disk together. Another program of the same folder
 * may have used some counters meanwhile: the spool knows. */
static bool store_lines(struct client *client, struct prosa_client_session *session, struct room *room,
                        uint64_t limit)
{
    struct prosa_bytes line;
    bool has_line = outbox_peek(&room->outbox, &line);
    size_t stored = 0;
    uint64_t last = 0;

    if (!has_line || room->stored_counter >= limit) {
        return true;
    }
    if (!spool_begin(client->spool, true) || !spool_last(client->spool, room->place, room->room_id, &last)) {
        return false;
    }
    last = last > room->stored_counter ? last : room->stored_counter;
    while (has_line && last < limit) {
        if (!store_one(client, session, room, line, last + 1, &has_line)) {
            return false;
        }
        if (has_line) {
            stored++;
            last++;
            has_line = outbox_after(&room->outbox, &line);
        }
    }
    if (!spool_commit(client->spool)) {
        return false;
    }
    room->stored_counter = last;
    for (; stored > 0; stored--) {
        outbox_drop(&room->outbox);
    }
    return true;
}

/* Sends what is stored from sent_counter + 1 on. */
static bool send_stored(struct client *client, struct prosa_client_session *session, struct room *room,
                        const struct prosa_client_room *now)
{
    while (prosa_client_session_ready(session) && now->sent_counter < room->stored_counter &&
           now->sent_counter < now->limit_counter) {
        struct spool_message message = {.place = room->place, .counter = now->sent_counter + 1};
        bool found = false;
        memcpy(message.room_id, room->room_id, PROSA_HASH_SIZE);
        if (!spool_next(client->spool, &message, &found)) {
            return false;
        }
        if (!found || prosa_client_session_send(session, prosa_bytes_of_string(room->name), message.octets) !=
                          PROSA_OK) {
            prosa_client_session_fail(session, PROSA_ERR_INTERNAL, clock_now_ms());
        }
    }
    return true;
}

bool publish_waiting(struct client *client, struct prosa_client_session *session, struct room *room)
{
    const struct prosa_client_room *now =
        prosa_client_session_room(session, prosa_bytes_of_string(room->name));
    if (room->state != ROOM_IN || now == NULL || !prosa_client_session_ready(session)) {
        return true;
    }
    return store_lines(client, session, room, now->limit_counter) && send_stored(client, session, room, now);
}

bool publish_is_done(const struct prosa_client_session *session, const struct room *room)
{
    const struct prosa_client_room *now =
        prosa_client_session_room(session, prosa_bytes_of_string(room->name));
    const bool is_sync = now != NULL && now->granted_window == 1 && strcmp(room->name, "@host") == 0;
    return now != NULL && room->outbox.count == 0 && now->acked_counter >= room->stored_counter &&
           (!is_sync || now->limit_counter > now->sent_counter);
}
