/* SPDX-License-Identifier: MIT */
#include "joining.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

/* Named rooms in memory beyond which none is made. */
#define ROOMS_MAX 1000u

/* How long a changed number of members waits for further changes [MEM-05]. */
#define ANNOUNCE_MS 100u

/* --- rooms in memory -------------------------------------------------------------------------- */

/* NULL: no memory. */
static struct room *make_room(struct hub *hub, const uint8_t epoch[static PROSA_EPOCH_SIZE],
                              struct prosa_bytes name, const uint8_t *client_key)
{
    struct room *room =
        room_new(hub->terms->config.keypair.key, epoch, name, client_key, hub_has(hub, PROSA_FEATURE_AUDIT));
    if (room == NULL) {
        return NULL;
    }
    room->durable = hub->store != NULL;
    if (!rooms_add(&hub->rooms, room)) {
        room_free(room);
        return NULL;
    }
    return room;
}

static struct room *restore_room(struct hub *hub, const struct store_room *stored, const uint8_t *client_key)
{
    struct room *room =
        make_room(hub, stored->epoch, prosa_bytes(stored->name, stored->name_size), client_key);
    if (room != NULL) {
        const struct room_state state = {.number = stored->number,
                                         .head_seq = stored->head_seq,
                                         .oldest_seq = stored->oldest_seq,
                                         .server_time = stored->server_time,
                                         .chain = stored->chain,
                                         .pruned_chain = stored->pruned_chain};
        room_restore(room, &state);
        room->in_log = true;
    }
    return room;
}

/* The server's key, epoch and name make the room_id of the row: they are as they were. NULL: they are not, or
 * no memory. */
static struct room *restore_if_same(struct hub *hub, const struct store_room *stored,
                                    const uint8_t *client_key)
{
    struct room *room = restore_room(hub, stored, client_key);
    if (room != NULL && memcmp(room->shared.room_id, stored->room_id, sizeof stored->room_id) != 0) {
        room->uses++;
        hub_release_room(hub, room);
        return NULL;
    }
    return room;
}

/* *room is in memory, or NULL when there is no such room. False: that cannot be told. */
static bool find_room(struct hub *hub, struct prosa_bytes name, const uint8_t *client_key, struct room **room)
{
    struct store_room stored;
    *room = rooms_find(&hub->rooms, name, client_key);
    if (*room != NULL || hub->store == NULL) {
        return true;
    }
    switch (store_find_room(hub->store, name, client_key, &stored)) {
    case STORE_FOUND:
        *room = restore_if_same(hub, &stored, client_key);
        if (*room != NULL) {
            return true;
        }
        break;
    case STORE_NONE:
        return true;
    case STORE_FAILED:
        break;
    }
    log_flood(LOG_LEVEL_ERROR, "log-unreadable", "table=rooms room=%.*s", (int)name.size,
              (const char *)name.at);
    return false;
}

struct room *joining_find(struct hub *hub, struct prosa_bytes name, const uint8_t *client_key)
{
    struct room *room;
    if (!find_room(hub, name, client_key, &room) || room == NULL) {
        return NULL;
    }
    room->uses++;
    return room;
}

struct room_author *joining_author(struct hub *hub, struct room *room,
                                   const uint8_t key[static PROSA_KEY_SIZE])
{
    struct store_author stored;
    struct room_author *author = room_author(room, key);
    if (author == NULL || author->counter > 0 || room->number == 0) {
        return author;
    }
    switch (store_find_author(hub->store, room->number, key, &stored)) {
    case STORE_FOUND:
        room_author_restore(author, stored.counter, stored.room_seq);
        return author;
    case STORE_NONE:
        return author;
    case STORE_FAILED:
        break;
    }
    log_flood(LOG_LEVEL_ERROR, "log-unreadable", "table=authors");
    return NULL;
}

/* Ids of the author's last messages, so that a repeated one is known [FLOW-23]; false when the log cannot
 * say. */
static bool find_ids(struct hub *hub, const struct room *room, const struct room_author *author,
                     uint8_t ids[static ROOM_IDS][PROSA_HASH_SIZE], size_t *count)
{
    static struct store_author stored; /* the loop's thread alone comes here */
    *count = 0;
    if (!room->durable) {
        *count = room_author_ids(author, ids);
        return true;
    }
    if (room->number == 0) {
        return true;
    }
    switch (store_find_author(hub->store, room->number, author->key, &stored)) {
    case STORE_FOUND:
        memcpy(ids, stored.ids, stored.id_count * PROSA_HASH_SIZE);
        *count = stored.id_count;
        return true;
    case STORE_NONE:
        return true;
    case STORE_FAILED:
        break;
    }
    log_flood(LOG_LEVEL_ERROR, "log-unreadable", "table=entries");
    return false;
}

/* --- members ---------------------------------------------------------------------------------- */

static struct member *member_of(const struct conn *conn, const struct room *room)
{
    for (struct member *member = conn->members; member != NULL; member = member->next_of_owner) {
        if (member->room == room) {
            return member;
        }
    }
    return NULL;
}

struct room *joining_host_room(const struct conn *conn)
{
    for (const struct member *member = conn->members; member != NULL; member = member->next_of_owner) {
        if (room_is_private(member->room)) {
            return member->room;
        }
    }
    return NULL;
}

static uint32_t member_limit(const struct hub *hub)
{
    return hub->terms->config.limits.member_limit;
}

/* The others are told before the loop sleeps; of a number that changed a little later, for there are many to
 * tell. */
static void tell_others(struct hub *hub, struct room *room, bool was_counted)
{
    const struct roster *roster = &room->roster;
    if (!was_counted || !roster->counted) {
        hub_mark_room(hub, room);
    }
    if (roster->count_due && list_is_empty(&room->due)) {
        list_append(&hub->counted, &room->due);
        loop_set_deadline(hub->loop, &hub->announcer, hub->loop->now_ms + ANNOUNCE_MS);
    }
}

/* Its own session, or a newer one of the same key, is in the room now. False: no memory. */
static bool enter(struct hub *hub, struct conn *conn, struct room *room)
{
    struct member *member = member_of(conn, room);
    if (member != NULL) {
        roster_return(member);
        hub_mark(hub, conn);
        return true;
    }
    member = calloc(1, sizeof *member);
    if (member == NULL) {
        return false;
    }
    *member = (struct member){.owner = conn,
                              .room = room,
                              .key = prosa_server_session_client_key(&conn->session),
                              .nick = prosa_server_session_nick(&conn->session),
                              .next_of_owner = conn->members};
    conn->members = member;
    room->uses++;
    if (room_is_private(room)) {
        list_append(&room->roster.members, &member->place);
        return true;
    }
    const bool was_counted = room->roster.counted;
    roster_enter(&room->roster, member, member_limit(hub));
    tell_others(hub, room, was_counted);
    hub_mark(hub, conn);
    return true;
}

static void leave(struct hub *hub, struct conn *conn, struct member *member)
{
    struct room *room = member->room;
    const bool was_counted = room->roster.counted;
    if (conn->journaled == 0) { /* or else its messages have to find their author */
        room_forget_author(room, member->key);
    }
    struct member **link = &conn->members;
    while (*link != member) {
        link = &(*link)->next_of_owner;
    }
    *link = member->next_of_owner;
    if (room_is_private(room)) {
        list_remove(&member->place);
    } else {
        roster_leave(&room->roster, member, member_limit(hub));
        tell_others(hub, room, was_counted);
    }
    free(member);
    hub_release_room(hub, room);
}

void joining_hand_over(struct hub *hub, struct conn *older, struct conn *newer)
{
    struct member *member;
    while ((member = older->members) != NULL) {
        if (room_is_private(member->room)) {
            leave(hub, older, member);
            continue;
        }
        older->members = member->next_of_owner;
        member->next_of_owner = newer->members;
        newer->members = member;
        member->owner = newer;
        member->key = prosa_server_session_client_key(&newer->session);
        member->nick = prosa_server_session_nick(&newer->session);
        member->present = false;
    }
}

void joining_tell(struct hub *hub, struct conn *conn)
{
    static uint8_t scratch[ROSTER_SCRATCH]; /* the loop's thread alone comes here */
    for (struct member *member = conn->members; member != NULL; member = member->next_of_owner) {
        struct roster *roster = &member->room->roster;
        uint64_t at_seq;
        struct prosa_bytes frames;
        while (!room_is_private(member->room) &&
               (frames = roster_next(roster, member, scratch, &at_seq)).size > 0 &&
               prosa_server_session_member(&conn->session, &member->room->shared, frames, at_seq,
                                           hub->loop->now_ms) == PROSA_OK) {
            roster_told(roster, member);
        }
    }
}

void joining_announce(struct hub *hub)
{
    LIST_EACH(at, &hub->counted)
    {
        struct room *room = LIST_OF(at, struct room, due);
        list_remove(&room->due);
        roster_announce(&room->roster);
        hub_mark_room(hub, room);
    }
}

/* --- JOIN ------------------------------------------------------------------------------------- */

/* PROSA_OK, or why the room is not for this client. */
static enum prosa_status may_join(const struct hub *hub, struct prosa_bytes name, bool private)
{
    if (private) {
        return PROSA_OK;
    }
    if (hub->settings->level < 3) {
        return PROSA_ERR_NOT_SUPPORTED; /* [FLOW-08] */
    }
    if (hub->settings->rooms != NULL && !settings_list_has(hub->settings->rooms, name)) {
        return PROSA_ERR_NO_ROOM; /* [MSG-29] */
    }
    return PROSA_OK;
}

/* The client goes in: JOINED, and who is here. */
static void answer_join(struct hub *hub, struct conn *conn, struct room *room)
{
    static uint8_t ids[ROOM_IDS][PROSA_HASH_SIZE]; /* the loop's thread alone comes here */
    const uint64_t now_ms = hub->loop->now_ms;
    const uint8_t *key = prosa_server_session_client_key(&conn->session);
    const struct room_author *author = joining_author(hub, room, key);
    size_t id_count;
    if (author == NULL || !find_ids(hub, room, author, ids, &id_count)) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, now_ms);
        return;
    }
    const struct prosa_join_answer answer = {
        .room = &room->shared,
        .last_counter = author->committed_counter,
        .last_seq = author->committed_seq,
        .window = hub->settings->level == 1 ? 1 : ROOM_IDS,
        .ids = (const uint8_t(*)[PROSA_HASH_SIZE])ids,
        .id_count = id_count,
    };
    if (!prosa_server_session_joined(&conn->session, &answer, now_ms)) {
        return;
    }
    room->uses++; /* by the session's slot */
    if (!enter(hub, conn, room)) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, now_ms);
    }
}

struct store_room joining_record(const struct room *room)
{
    struct store_room record = {.name_size = room->shared.name_size,
                                .head_seq = room->shared.head_seq,
                                .oldest_seq = room->shared.oldest_seq,
                                .server_time = room->server_time};
    memcpy(record.epoch, room->shared.epoch, sizeof record.epoch);
    memcpy(record.name, room->shared.name, sizeof record.name);
    memcpy(record.client_key, room->client_key, sizeof record.client_key);
    memcpy(record.room_id, room->shared.room_id, sizeof record.room_id);
    memcpy(record.chain, room->head_chain, sizeof record.chain);
    return record;
}

/* A named room is in the log before anybody hears of its epoch: the answer waits. */
static void join_when_logged(struct hub *hub, struct conn *conn, struct room *room)
{
    struct journal_item *item =
        journal_add(hub, JOURNAL_JOIN, conn, room, 0); /* first: what is put cannot be taken out */
    if (item != NULL && room->number == 0) {
        struct store_room record = joining_record(room);
        const uint64_t ticket = store_put_room(hub->store, &record);
        item->is_first = ticket != 0;
        room->number = ticket != 0 ? record.number : 0;
        journal_set_ticket(hub, item, ticket);
    }
    if (item == NULL || room->number == 0) {
        journal_drop(hub, item);
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, hub->loop->now_ms);
        return;
    }
    item->has_record = true; /* without its room it cannot be answered */
}

/* The room, made if there is none; held. NULL: `status` tells why. */
static struct room *find_or_make(struct hub *hub, struct prosa_bytes name, const uint8_t *client_key,
                                 enum prosa_status *status)
{
    uint8_t epoch[PROSA_EPOCH_SIZE];
    struct room *room;
    *status = PROSA_ERR_INTERNAL;
    if (!find_room(hub, name, client_key, &room)) {
        return NULL;
    }
    if (room == NULL && client_key == NULL && hub->rooms.named_count >= ROOMS_MAX) {
        *status = PROSA_ERR_NO_ROOM;
        return NULL;
    }
    if (room == NULL) {
        entropy_fill(epoch, sizeof epoch); /* [MSG-24] [MSG-26] */
        room = make_room(hub, epoch, name, client_key);
    }
    if (room != NULL) {
        room->uses++;
    }
    return room;
}

/* A client that has seen more than there is: the log went back, or the client lies [RES-02]. */
static void warn_of_lost_log(const struct conn *conn, const struct room *room, const struct prosa_join *join)
{
    if (join->has_epoch && memcmp(join->epoch, room->shared.epoch, PROSA_EPOCH_SIZE) == 0 &&
        join->after_seq > room->shared.head_seq) {
        const struct conn_words words = conn_describe(conn);
        log_flood(LOG_LEVEL_WARN, "client-ahead-of-log", "nick=%s key=%s room=%.*s has_seen=%llu head=%llu",
                  words.nick, words.key_suffix, (int)room->shared.name_size, (const char *)room->shared.name,
                  (unsigned long long)join->after_seq, (unsigned long long)room->shared.head_seq);
    }
}

void joining_on_join(struct hub *hub, struct conn *conn, const struct prosa_join *join)
{
    const uint64_t now_ms = hub->loop->now_ms;
    const bool private = join->room.at[0] == '@';
    enum prosa_status status = may_join(hub, join->room, private);
    struct room *room = NULL;
    if (status == PROSA_OK) {
        room = find_or_make(hub, join->room, private ? prosa_server_session_client_key(&conn->session) : NULL,
                            &status);
    }
    if (room == NULL && prosa_code_class(prosa_status_code(status)) == PROSA_CLASS_REFUSED) {
        prosa_server_session_refuse_join(&conn->session, status, now_ms);
        return;
    }
    if (room == NULL) {
        prosa_server_session_fail(&conn->session, status, now_ms);
        return;
    }
    warn_of_lost_log(conn, room, join);
    if (room->durable && !room->in_log && !private) {
        join_when_logged(hub, conn, room);
    } else {
        answer_join(hub, conn, room);
    }
    hub_release_room(hub, room);
}

void joining_decided(struct hub *hub, const struct journal_item *item, bool good)
{
    if (good) {
        item->room->in_log = true;
        answer_join(hub, item->conn, item->room);
    } else {
        prosa_server_session_fail(&item->conn->session, PROSA_ERR_INTERNAL, hub->loop->now_ms);
    }
    hub_mark(hub, item->conn);
}

/* --- LEAVE ------------------------------------------------------------------------------------ */

void joining_on_leave(struct hub *hub, struct conn *conn, struct room *room)
{
    struct member *member = member_of(conn, room);
    if (member != NULL) {
        leave(hub, conn, member);
    }
    hub_release_room(hub, room); /* the session's slot */
}

void joining_on_ended(struct hub *hub, struct conn *conn)
{
    while (conn->members != NULL) {
        leave(hub, conn, conn->members);
    }
    struct prosa_room *room;
    for (size_t i = 0; (room = prosa_server_session_room(&conn->session, i)) != NULL; i++) {
        hub_release_room(hub, room_of(room));
    }
}
