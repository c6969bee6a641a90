/* SPDX-License-Identifier: MIT */
#include "admission.h"

#include "clock.h"
#include "joining.h"
#include "log.h"

/* Names that are bound, so that strangers cannot fill the memory with new ones. */
#define NAMES_MAX 100000u

static const uint8_t *key_of(const struct conn *conn)
{
    return prosa_server_session_client_key(&conn->session);
}

/* --- sessions by key -------------------------------------------------------------------------- */

static struct prosa_bytes key_octets(const void *conn)
{
    return prosa_bytes(key_of(conn), PROSA_KEY_SIZE);
}

/* The newest session of a key, until all of it is gone; or NULL. */
static struct conn *holder_of(const struct hub *hub, const uint8_t key[static PROSA_KEY_SIZE])
{
    return table_find(&hub->by_key, prosa_bytes(key, PROSA_KEY_SIZE));
}

void admission_forget(struct hub *hub, struct conn *conn)
{
    if (holder_of(hub, key_of(conn)) == conn) {
        table_remove(&hub->by_key, key_octets(conn));
    }
}

void admission_kick(struct hub *hub, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct conn *conn = holder_of(hub, key);
    if (conn != NULL) {
        hub_say_goodbye(hub, conn, PROSA_CODE_KICKED);
    }
}

/* --- who comes in ----------------------------------------------------------------------------- */

/* Who takes over an older session has its place [LIM-02]. */
static bool has_place(const struct hub *hub, const struct conn *conn)
{
    const size_t most = hub->settings->max_clients;
    return most == 0 || hub->stats.clients < most || holder_of(hub, key_of(conn)) != NULL;
}

void admission_on_hello(struct hub *hub, struct conn *conn)
{
    if (!has_place(hub, conn)) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_BUSY, hub->loop->now_ms); /* [AUTH-07] */
        return;
    }
    prosa_server_session_challenge(&conn->session, hub->loop->now_ms);
}

void admission_on_auth(struct hub *hub, struct conn *conn, const struct prosa_server_event *event)
{
    struct verify_task *task = conn_task(conn, event);
    if (task == NULL) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, hub->loop->now_ms);
        return;
    }
    conn->in_flight++;
    verifier_put(&hub->verifier, conn->lane, task);
}

/* The nick and the key belong to nobody else [ID-07] [ID-08]; *is_new: to nobody, so that they are to be
 * bound. Below L3 nothing is bound, and a ban holds all the same: the operator has said so. */
static enum prosa_status check_name(const struct hub *hub, const struct conn *conn, bool *is_new)
{
    const struct name *of_key = names_of_key(&hub->names, key_of(conn));
    const struct name *of_nick = names_of_nick(&hub->names, prosa_server_session_nick(&conn->session));
    *is_new = hub->settings->level >= 3 && (of_key == NULL || of_key->nick_size == 0);
    if (of_key != NULL && of_key->banned) {
        return PROSA_ERR_DENIED;
    }
    if (hub->settings->level < 3) {
        return PROSA_OK;
    }
    if (of_nick != NULL && of_nick != of_key) {
        return PROSA_ERR_NICK_TAKEN;
    }
    if (!*is_new && of_nick != of_key) {
        return PROSA_ERR_DENIED;
    }
    return *is_new && names_count(&hub->names) >= NAMES_MAX ? PROSA_ERR_BUSY : PROSA_OK;
}

/* Binds a new name [ID-06]; *ticket: of its record, 0 when there is none. */
static enum prosa_status bind_name(struct hub *hub, const struct conn *conn, uint64_t *ticket)
{
    const struct prosa_bytes nick = prosa_server_session_nick(&conn->session);
    bool is_new;
    *ticket = 0;
    if (prosa_bytes_equal(nick, prosa_bytes_of_string("host"))) {
        return PROSA_ERR_NICK_TAKEN; /* [ID-09]; it replaces nobody */
    }
    const enum prosa_status status = check_name(hub, conn, &is_new);
    if (status != PROSA_OK || !is_new) {
        return status;
    }
    if (!names_bind(&hub->names, nick, key_of(conn))) {
        return PROSA_ERR_INTERNAL;
    }
    if (hub->store == NULL) {
        return PROSA_OK;
    }
    *ticket = store_put_name(hub->store, nick, key_of(conn), true);
    if (*ticket == 0) {
        names_unbind(&hub->names, key_of(conn));
        return PROSA_ERR_INTERNAL;
    }
    return PROSA_OK;
}

/* A newer session of the same key takes over: the older one is not read any more, and of its messages those
 * are dropped that the log does not have yet [END-14]. True: those that it has are still to be decided. */
static bool replace_older(struct hub *hub, struct conn *newer)
{
    struct conn *older = holder_of(hub, key_of(newer));
    if (older == NULL || older == newer) {
        return false;
    }
    conn_drop_tasks(older, &hub->verifier);
    hub_say_goodbye(hub, older, PROSA_CODE_REPLACED);
    joining_hand_over(hub, older, newer);
    return older->journaled > 0;
}

/* The session is welcome when everything that is with the log now has been decided. NULL: it fails. */
static struct journal_item *welcome_later(struct hub *hub, struct conn *conn)
{
    struct journal_item *item = journal_add(hub, JOURNAL_WELCOME, conn, NULL, 0);
    if (item == NULL) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, hub->loop->now_ms);
    }
    return item;
}

void admission_verified(struct hub *hub, struct conn *conn, enum prosa_status status)
{
    uint64_t ticket = 0;
    if (conn->parted) {
        return;
    }
    hub_mark(hub, conn);
    if (status != PROSA_OK) { /* before the nick is looked at [AUTH-17] */
        prosa_server_session_fail(&conn->session, status, hub->loop->now_ms);
        return;
    }
    struct journal_item *item = welcome_later(hub, conn); /* first: what is put cannot be taken out */
    if (item == NULL) {
        return;
    }
    status = bind_name(hub, conn, &ticket);
    if (status != PROSA_OK) {
        journal_drop(hub, item);
        prosa_server_session_fail(&conn->session, status, hub->loop->now_ms);
        return;
    }
    journal_set_ticket(hub, item, ticket);
    (void)replace_older(hub, conn);
}

/* Others came in while this one waited, or the log refused its name with theirs. */
static enum prosa_status check_again(const struct hub *hub, const struct conn *conn)
{
    const struct name *name = names_of_nick(&hub->names, prosa_server_session_nick(&conn->session));
    if (hub->settings->level >= 3 && (name == NULL || name != names_of_key(&hub->names, key_of(conn)))) {
        return PROSA_ERR_INTERNAL;
    }
    if (name != NULL && name->banned) {
        return PROSA_ERR_DENIED;
    }
    return has_place(hub, conn) ? PROSA_OK : PROSA_ERR_BUSY; /* [AUTH-07] */
}

void admission_decided(struct hub *hub, const struct journal_item *item, bool good)
{
    struct conn *conn = item->conn;
    const uint64_t now_ms = hub->loop->now_ms;
    hub_mark(hub, conn);
    if (good && !conn->parted && replace_older(hub, conn)) { /* one that came in while this one waited */
        (void)welcome_later(hub, conn);
        return;
    }
    enum prosa_status status = good ? check_again(hub, conn) : PROSA_ERR_INTERNAL;
    if (status == PROSA_OK && (conn->parted || !table_put(&hub->by_key, conn))) {
        status = PROSA_ERR_INTERNAL;
    }
    if (status != PROSA_OK) {
        prosa_server_session_fail(&conn->session, status, now_ms);
        return;
    }
    prosa_server_session_welcome(&conn->session, hub->stats.sessions + 1, clock_unix_ms(), now_ms);
    if (!prosa_server_session_ready(&conn->session)) {
        return;
    }
    conn->number = ++hub->stats.sessions;
    hub->stats.strangers--;
    hub->stats.clients++;
    list_remove(&conn->place);
    list_append(&hub->clients, &conn->place);
    if (log_shows(LOG_LEVEL_INFO)) {
        const struct conn_words words = conn_describe(conn);
        log_event(LOG_LEVEL_INFO, "client-ready", "session=%llu nick=%s key=%s address=%s",
                  (unsigned long long)conn->number, words.nick, words.key_suffix, words.address);
    }
}

void admission_init(struct hub *hub)
{
    uint8_t seed[TABLE_SEED_SIZE];
    entropy_fill(seed, sizeof seed);
    table_init(&hub->by_key, key_octets, seed);
    names_init(&hub->names, seed);
}

void admission_fini(struct hub *hub)
{
    table_fini(&hub->by_key);
    names_fini(&hub->names);
}

bool admission_load(struct hub *hub)
{
    int64_t place = 0;
    struct store_name name;
    enum store_found found = hub->store == NULL ? STORE_NONE : store_next_name(hub->store, &place, &name);
    while (found == STORE_FOUND) {
        if ((name.bound && !names_bind(&hub->names, prosa_bytes(name.nick, name.nick_size), name.key)) ||
            (name.banned && !names_ban(&hub->names, name.key, true))) {
            return false;
        }
        found = store_next_name(hub->store, &place, &name);
    }
    return found == STORE_NONE;
}
