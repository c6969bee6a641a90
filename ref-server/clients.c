/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>

/* Newcomers taken in at one readiness, so that those who are here have their turns. */
#define ACCEPT_BATCH 16

/* Connections that are not READY [LIM-04]. */
#define STRANGERS_MAX 64

void clients_init(struct clients *clients, struct loop *loop, int kind,
                  const struct prosa_server_config *config, struct answerer *answerer)
{
    *clients = (struct clients){.loop = loop, .kind = kind, .config = config, .answerer = answerer};
    list_init(&clients->strangers);
    list_init(&clients->members);
    list_init(&clients->dirty);
}

static void make_dirty(struct clients *clients, struct conn *conn)
{
    list_remove(&conn->dirty);
    list_append(&clients->dirty, &conn->dirty, conn);
}

static void remove_conn(struct clients *clients, struct conn *conn, bool reset)
{
    clients->stranger_count -= conn->number == 0 ? 1 : 0;
    answerer_forget(clients->answerer, conn); /* [FLOW-30] */
    list_remove(&conn->place);
    list_remove(&conn->dirty);
    conn_free(conn, clients->loop, reset);
}

void clients_fini(struct clients *clients)
{
    LIST_EACH(at, &clients->strangers)
    {
        struct conn *conn = at->of;
        remove_conn(clients, conn, false);
    }
    LIST_EACH(at, &clients->members)
    {
        struct conn *conn = at->of;
        remove_conn(clients, conn, false);
    }
}

/* The oldest stranger that has said nothing gives way to a newcomer. */
static bool make_place(struct clients *clients)
{
    if (clients->stranger_count < STRANGERS_MAX) {
        return true;
    }
    LIST_EACH(at, &clients->strangers)
    {
        struct conn *conn = at->of;
        if (!prosa_server_session_saw_hello(&conn->session)) {
            log_event(LOG_LEVEL_WARN, "stranger-evicted", "address=%s", conn->address);
            remove_conn(clients, conn, false);
            return true;
        }
    }
    return false;
}

static void admit(struct clients *clients, int fd, const char address[static ADDRESS_TEXT_SIZE])
{
    struct conn *conn = conn_new(clients->loop, clients->kind, fd, clients->config);
    if (conn == NULL) {
        log_event(LOG_LEVEL_ERROR, "no-memory", "address=%s", address);
        return;
    }
    if (!make_place(clients)) {
        log_event(LOG_LEVEL_WARN, "too-many-strangers", "address=%s", address);
        conn_free(conn, clients->loop, false);
        return;
    }
    memcpy(conn->address, address, sizeof conn->address);
    memcpy(conn->nick, "-", sizeof "-");
    memcpy(conn->key_suffix, "-", sizeof "-");
    list_append(&clients->strangers, &conn->place, conn);
    clients->stranger_count++;
    make_dirty(clients, conn);
    log_event(LOG_LEVEL_DEBUG, "accepted", "address=%s", address);
}

void clients_accept(struct clients *clients, struct loop_source *listening)
{
    char address[ADDRESS_TEXT_SIZE];
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        const int fd = listener_accept(clients->loop, listening, address);
        if (fd == -EMFILE) {
            log_event(LOG_LEVEL_WARN, "no-descriptors", "newcomers wait");
        }
        if (fd < 0) {
            return;
        }
        admit(clients, fd, address);
    }
}

void clients_pump(struct clients *clients, const struct loop_event *event)
{
    struct conn *conn = event->source->owner;
    const uint64_t now_ms = clients->loop->now_ms;
    if ((event->ready & LOOP_TIMEOUT) != 0) {
        prosa_server_session_tick(&conn->session, now_ms);
    }
    if ((event->ready & LOOP_READ) != 0) {
        conn_receive(conn, now_ms);
    }
    make_dirty(clients, conn);
}

/* A newer session of the same key takes over [END-14]. */
static void replace_older(struct clients *clients, const struct conn *newer, const uint8_t *key)
{
    LIST_EACH(at, &clients->members)
    {
        struct conn *conn = at->of;
        if (conn != newer && prosa_server_session_ready(&conn->session) &&
            memcmp(prosa_server_session_client_key(&conn->session), key, PROSA_KEY_SIZE) == 0) {
            answerer_forget(clients->answerer, conn);
            prosa_server_session_bye(&conn->session, PROSA_CODE_REPLACED, clients->loop->now_ms);
            make_dirty(clients, conn);
        }
    }
}

static void on_auth(struct clients *clients, struct conn *conn, const struct prosa_server_event *event)
{
    const uint64_t now_ms = clients->loop->now_ms;
    const uint8_t *key = prosa_server_session_client_key(&conn->session);
    const enum prosa_status status = prosa_verify_job_run(&event->job);
    if (status != PROSA_OK) { /* before the nick is looked at [AUTH-17] */
        prosa_server_session_fail(&conn->session, status, now_ms);
        return;
    }
    snprintf(conn->nick, sizeof conn->nick, "%.*s", (int)event->auth.nick.size,
             (const char *)event->auth.nick.at);
    key_suffix_format(key, conn->key_suffix);
    prosa_server_session_welcome(&conn->session, clients->sessions + 1, clock_unix_ms(), now_ms);
    if (!prosa_server_session_ready(&conn->session)) {
        return; /* refused: it replaces nobody */
    }
    replace_older(clients, conn, key); /* before WELCOME goes out */
    conn->number = ++clients->sessions;
    clients->stranger_count--;
    list_remove(&conn->place);
    list_append(&clients->members, &conn->place, conn);
    log_event(LOG_LEVEL_INFO, "client-ready", "session=%llu nick=%s key=%s address=%s",
              (unsigned long long)conn->number, conn->nick, conn->key_suffix, conn->address);
}

static bool is_host(struct prosa_bytes room)
{
    return prosa_bytes_equal(room, prosa_bytes_of_string("@host"));
}

static void on_join(struct clients *clients, struct conn *conn, const struct prosa_join *join)
{
    const uint64_t now_ms = clients->loop->now_ms;
    uint8_t epoch[PROSA_EPOCH_SIZE];
    if (!is_host(
            join->room)) { /* named rooms are a later level's [FLOW-08], other `@` names reserved [MSG-25] */
        prosa_server_session_refuse_join(
            &conn->session, join->room.at[0] == '@' ? PROSA_ERR_NO_ROOM : PROSA_ERR_NOT_SUPPORTED, now_ms);
        return;
    }
    entropy_fill(epoch, sizeof epoch); /* [MSG-26] */
    conn->host =
        room_new_host(clients->config->keypair.key, epoch, prosa_server_session_client_key(&conn->session));
    if (conn->host == NULL) {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, now_ms);
        return;
    }
    const struct prosa_join_answer answer = {.room = &conn->host->shared, .window = 1};
    prosa_server_session_joined(&conn->session, &answer, now_ms);
}

static void on_leave(struct clients *clients, struct conn *conn)
{
    answerer_forget(clients->answerer, conn);
    room_free(conn->host);
    conn->host = NULL;
}

static void show_question(const struct clients *clients, const struct conn *conn,
                          const struct question *question)
{
    char text[LOG_TEXT_SIZE];
    if (clients->answerer->mode == ANSWER_CONSOLE) {
        log_say("%s#%s asks: %s", conn->nick, conn->key_suffix,
                log_text(prosa_bytes(question->text, question->size), text));
    }
}

/* What the answerer has to know, copied before the session takes its octets back. */
static void question_init(struct question *question, struct conn *conn,
                          const struct prosa_server_event *event)
{
    *question = (struct question){.asker = conn, .counter = event->publish.counter};
    question->size = event->publish.text.size;
    memcpy(question->id, event->id, sizeof question->id);
    memcpy(question->key, event->publish.author_key, sizeof question->key);
    memcpy(question->nick, conn->nick, sizeof question->nick);
    memcpy(question->text, event->publish.text.at, question->size);
}

static void on_publish(struct clients *clients, struct conn *conn, const struct prosa_server_event *event)
{
    struct prosa_server_session *session = &conn->session;
    struct room *room = room_of(event->room);
    const uint64_t now_ms = clients->loop->now_ms;
    struct question question;

    question_init(&question, conn, event);
    enum prosa_status status = prosa_verify_job_run(&event->job);
    if (status == PROSA_OK) {
        status = room_append(room, event->body, clock_unix_ms());
        status = status == PROSA_OK ? status : PROSA_ERR_INTERNAL;
    }
    if (status != PROSA_OK) {
        prosa_server_session_refused(session, &room->shared, question.counter, status, now_ms);
        return;
    }
    prosa_server_session_accepted(session, &room->shared, question.counter, room->shared.head_seq, now_ms);
    show_question(clients, conn, &question);
    if (!answerer_ask(clients->answerer, &question)) {
        prosa_server_session_no_answer(session, &room->shared, question.counter, now_ms);
    }
}

static const char *how_in_words(const struct prosa_ended *ended)
{
    switch (ended->how) {
    case PROSA_ENDING_GOODBYE:
        return ended->from_peer ? "said goodbye" : "was told goodbye";
    case PROSA_ENDING_ERROR:
        return ended->from_peer ? "reported an error" : "broke the protocol";
    case PROSA_ENDING_EOF:
        return "vanished without a goodbye";
    case PROSA_ENDING_RESET:
        return "vanished, the connection was reset";
    case PROSA_ENDING_SILENCE:
        return "fell silent";
    case PROSA_ENDING_QUIET:
        break;
    }
    return "spoke no PROSA";
}

static void on_ended(const struct conn *conn, const struct prosa_ended *ended)
{
    char reason[LOG_TEXT_SIZE];
    const char *code = prosa_code_name(ended->code);
    log_event(LOG_LEVEL_INFO, "client-gone",
              "session=%llu nick=%s key=%s address=%s how=\"%s\" code=%s(0x%04x) reason=\"%s\"",
              (unsigned long long)conn->number, conn->nick, conn->key_suffix, conn->address,
              how_in_words(ended), code != NULL ? code : "-", ended->code, log_text(ended->reason, reason));
}

/* True when the session has ended; *reset tells how to close it. */
static bool take_events(struct clients *clients, struct conn *conn, bool *reset)
{
    struct prosa_server_event event;
    const uint64_t now_ms = clients->loop->now_ms;
    while (prosa_server_session_next(&conn->session, &event, now_ms) == PROSA_OK) {
        switch (event.kind) {
        case PROSA_SERVER_HELLO:
            prosa_server_session_challenge(&conn->session, now_ms);
            break;
        case PROSA_SERVER_AUTH:
            on_auth(clients, conn, &event);
            break;
        case PROSA_SERVER_JOIN:
            on_join(clients, conn, &event.join);
            break;
        case PROSA_SERVER_LEAVE:
            on_leave(clients, conn);
            break;
        case PROSA_SERVER_PUBLISH:
            on_publish(clients, conn, &event);
            break;
        case PROSA_SERVER_CHECKPOINT: /* of the feature audit, which is not offered */
            prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, now_ms);
            break;
        case PROSA_SERVER_SHUT:
            answerer_forget(clients->answerer, conn); /* an answer would reach nobody [FLOW-30] */
            conn_shut(conn);
            break;
        case PROSA_SERVER_ENDED:
            on_ended(conn, &event.ended);
            *reset = event.ended.reset;
            return true;
        }
    }
    return false;
}

static void turn(struct clients *clients, struct conn *conn)
{
    bool reset = false;
    do {
        if (take_events(clients, conn, &reset)) {
            remove_conn(clients, conn, reset);
            return;
        }
    } while (conn_send(conn, clients->loop->now_ms));
    list_remove(&conn->dirty);
    conn_rest(conn, clients->loop);
}

static void hand_over(struct clients *clients, const struct verdict *verdict)
{
    struct conn *conn = verdict->question.asker;
    struct room *room = conn->host;
    const uint64_t now_ms = clients->loop->now_ms;
    const struct prosa_bytes text = prosa_bytes(verdict->text, verdict->size);
    enum prosa_status status = PROSA_END;
    if (text.size > 0) {
        status =
            room_append_own(room, &clients->config->keypair, text, verdict->question.id, clock_unix_ms());
    }
    if (status == PROSA_OK) {
        prosa_server_session_answered(&conn->session, &room->shared, room->shared.head_seq, now_ms);
    } else {
        prosa_server_session_no_answer(&conn->session, &room->shared, verdict->question.counter, now_ms);
    }
    make_dirty(clients, conn);
}

void clients_settle(struct clients *clients)
{
    struct verdict verdict;
    struct conn *conn;
    do {
        while ((conn = list_first(&clients->dirty)) != NULL) {
            turn(clients, conn);
        }
        while (answerer_next(clients->answerer, &verdict)) {
            hand_over(clients, &verdict);
        }
    } while (list_first(&clients->dirty) != NULL);
}

/* More would push out what the client is still owed, and it would be cut off for that [FLOW-40]. A question
 * and its answer always have a place. */
static bool can_be_told(const struct conn *conn)
{
    const struct prosa_room *room = &conn->host->shared;
    const uint64_t owed = room->head_seq - prosa_server_session_delivered(&conn->session, room);
    return owed + 2 < ROOM_ENTRIES;
}

enum clients_told clients_tell(struct clients *clients, struct prosa_bytes nick, struct prosa_bytes text)
{
    struct conn *newest = NULL;
    LIST_EACH(at, &clients->members)
    {
        struct conn *conn = at->of;
        const bool is_named = prosa_bytes_equal(nick, prosa_bytes_of_string(conn->nick));
        const bool listens = conn->host != NULL && prosa_server_session_ready(&conn->session);
        newest = is_named && listens ? conn : newest;
    }
    if (newest == NULL) {
        return CLIENTS_NOBODY;
    }
    if (!can_be_told(newest) ||
        room_append_own(newest->host, &clients->config->keypair, text, NULL, clock_unix_ms()) != PROSA_OK) {
        return CLIENTS_FULL;
    }
    make_dirty(clients, newest);
    return CLIENTS_TOLD;
}

static void goodbye(struct clients *clients, struct list *list, uint16_t code)
{
    LIST_EACH(at, list)
    {
        struct conn *conn = at->of;
        answerer_forget(clients->answerer, conn);
        prosa_server_session_bye(&conn->session, code, clients->loop->now_ms);
        make_dirty(clients, conn);
    }
}

void clients_goodbye(struct clients *clients, uint16_t code)
{
    goodbye(clients, &clients->members, code);
    goodbye(clients, &clients->strangers, code);
}

bool clients_are_gone(const struct clients *clients)
{
    return list_first(&clients->members) == NULL && list_first(&clients->strangers) == NULL;
}
