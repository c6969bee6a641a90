/* SPDX-License-Identifier: MIT */
#include "moderation.h"

#include "admission.h"
#include "joining.h"
#include "publishing.h"

/* Entries that a client may be owed before an operator has to wait for it. */
#define OWED_MAX 1024u

static bool has_nick(const struct conn *conn, struct prosa_bytes nick)
{
    return prosa_bytes_equal(nick, prosa_server_session_nick(&conn->session));
}

/* The newest session of this nick that is not ending, or NULL. */
static struct conn *find(const struct hub *hub, struct prosa_bytes nick, bool in_host)
{
    struct conn *newest = NULL;
    LIST_EACH(at, &hub->clients)
    {
        struct conn *conn = LIST_OF(at, struct conn, place);
        if (has_nick(conn, nick) && prosa_server_session_ready(&conn->session) &&
            (!in_host || joining_host_room(conn) != NULL)) {
            newest = conn;
        }
    }
    return newest;
}

/* What is not in a log, and goes beyond credit, might never be said: the operator is told at once. */
static bool can_take(const struct conn *conn, const struct room *room)
{
    const uint64_t delivered = prosa_server_session_delivered(&conn->session, &room->shared);
    const uint64_t limit = prosa_server_session_limit(&conn->session, &room->shared);
    return room->durable ? room->last_seq - delivered < OWED_MAX : room->last_seq < limit;
}

enum moderation_told moderation_tell(struct hub *hub, struct prosa_bytes nick, struct prosa_bytes text)
{
    const struct conn *conn = find(hub, nick, true);
    if (conn == NULL) {
        return MODERATION_NOBODY;
    }
    struct room *room = joining_host_room(conn);
    return can_take(conn, room) && publishing_say(hub, room, text) ? MODERATION_TOLD : MODERATION_FULL;
}

enum moderation_told moderation_say(struct hub *hub, struct prosa_bytes name, struct prosa_bytes text)
{
    if (name.size == 0 || name.size >= NICK_SIZE || name.at[0] == '@') {
        return MODERATION_NOBODY;
    }
    struct room *room = joining_find(hub, name, NULL);
    if (room == NULL) {
        return MODERATION_NOBODY;
    }
    const bool said = publishing_say(hub, room, text);
    hub_release_room(hub, room);
    return said ? MODERATION_TOLD : MODERATION_FULL;
}

size_t moderation_kick(struct hub *hub, struct prosa_bytes nick)
{
    size_t count = 0;
    LIST_EACH(at, &hub->clients)
    {
        struct conn *conn = LIST_OF(at, struct conn, place);
        if (has_nick(conn, nick) && prosa_server_session_ready(&conn->session)) {
            hub_say_goodbye(hub, conn, PROSA_CODE_KICKED);
            count++;
        }
    }
    return count;
}

/* The record of a change is put into the log; nobody waits for it. */
static bool is_logged(struct hub *hub, uint64_t ticket)
{
    hub->last_ticket = ticket != 0 ? ticket : hub->last_ticket;
    return ticket != 0;
}

bool moderation_ban(struct hub *hub, struct prosa_bytes nick, bool banned)
{
    uint8_t key[PROSA_KEY_SIZE];
    const struct name *name = names_of_nick(&hub->names, nick);
    const struct conn *conn = find(hub, nick, false);
    if (name == NULL && conn == NULL) {
        return false;
    }
    memcpy(key, name != NULL ? name->key : prosa_server_session_client_key(&conn->session), sizeof key);
    if (!names_ban(&hub->names, key, banned) ||
        (hub->store != NULL && !is_logged(hub, store_put_ban(hub->store, key, banned)))) {
        return false;
    }
    if (banned) {
        admission_kick(hub, key);
    }
    return true;
}

bool moderation_unbind(struct hub *hub, struct prosa_bytes nick)
{
    uint8_t key[PROSA_KEY_SIZE];
    const struct name *name = names_of_nick(&hub->names, nick);
    if (name == NULL) {
        return false;
    }
    memcpy(key, name->key, sizeof key);
    if (hub->store != NULL && !is_logged(hub, store_put_name(hub->store, nick, key, false))) {
        return false;
    }
    names_unbind(&hub->names, key);
    return true;
}
