/* SPDX-License-Identifier: MIT
 *
 * A PROSA/1 server of level L1: private rooms (@host) with a window of one, answered by the operator at the
 * console. One loop polls the console, the listening socket and all connections. The log of a room lives in
 * memory and begins anew with each JOIN, as MSG-26 allows.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "room.h"
#include "settings.h"
#include "signing.h"

#define FIXED 3 /* what is polled besides the connections: signals, console, listening socket */

struct session {
    struct link link; /* stands first: a link is a session */
    struct session *next;
    char nick[33];
    uint8_t key[PROSA_KEY_SIZE];
    size_t hello_size, challenge_size;
    uint8_t hello[PROSA_HEADER_SIZE + PROSA_MAX_FRAME_HANDSHAKE],
        challenge[PROSA_HEADER_SIZE + PROSA_MAX_FRAME_HANDSHAKE];
    bool has_room;
    struct room room;
};

static struct server {
    struct key key;
    uint32_t announced[ANNOUNCED];
    int listener;
    struct session *sessions;
    uint64_t session_count, questions;
    bool has_operator, is_ending;
    struct console console;
} server = {.has_operator = true};

static struct body body; /* of the frame that is being written */

static uint32_t announced(uint16_t tag)
{
    return server.announced[(tag - FIRST_TAG) / 2];
}

/* --- what the server says ---------------------------------------------------------------- */

static void acknowledge(struct session *session)
{
    struct room *room = &session->room;
    begin(&body);
    put(&body, PROSA_TAG_ROOM_ID, room->id, sizeof room->id);
    put_number(&body, PROSA_TAG_LIMIT_COUNTER, room->limit);
    put_number(&body, PROSA_TAG_ACKED_COUNTER, room->last);
    put_number(&body, PROSA_TAG_ACKED_SEQ, room->last_seq);
    send_frame(&session->link, PROSA_FRAME_ACK, &body);
}

/* Behind an answer, or NO_ANSWER, the client may ask again (FLOW-28). */
static void raise_limit(struct session *session)
{
    // TODO 6: one more than room.last is the new limit; tell it with an ACK. FLOW-28
    give_up(&session->link, "TODO 6 in server.c: raise the limit behind an answer; read FLOW-28");
}

/* What credit allows (FLOW-18). */
static void deliver(struct session *session)
{
    struct room *room = &session->room;
    while (room->owed && room->delivered < room->limit_seq) {
        bool is_answer = take_owed(room, &body);
        send_frame(&session->link, PROSA_FRAME_DELIVER, &body);
        if (is_answer)
            raise_limit(session);
    }
}

/* The server's own message; the answer, when a question is pending (MSG-20, MSG-21). */
static void say(struct session *session, struct prosa_bytes text)
{
    static struct body message;
    struct room *room = &session->room;
    bool is_answer = room->asked != 0;
    room->asked = 0;
    begin(&message);
    put_text(&message, PROSA_TAG_NICK, "host");
    put(&message, PROSA_TAG_ROOM_ID, room->id, sizeof room->id);
    put(&message, PROSA_TAG_AUTHOR_KEY, server.key.public, PROSA_KEY_SIZE);
    put_number(&message, PROSA_TAG_COUNTER, ++room->answers);
    put_number(&message, PROSA_TAG_SENT_AT, now_ms());
    put(&message, PROSA_TAG_TEXT, text.at, text.size);
    if (is_answer)
        put(&message, PROSA_TAG_REPLY_TO, room->last_id, sizeof room->last_id);
    sign_message(&message, &server.key);
    append(&session->room, fields_of(&message), is_answer);
    deliver(session);
}

/* FLOW-29: nobody is there to answer. */
static void no_answer(struct session *session)
{
    struct room *room = &session->room;
    room->asked = 0;
    begin(&body);
    put(&body, PROSA_TAG_ROOM_ID, room->id, sizeof room->id);
    put_number(&body, PROSA_TAG_COUNTER, room->last);
    put_number(&body, PROSA_TAG_CODE, PROSA_CODE_NO_ANSWER);
    put_text(&body, PROSA_TAG_REASON, "nobody answers here");
    put_number(&body, PROSA_TAG_REF_TYPE, PROSA_FRAME_PUBLISH);
    send_frame(&session->link, PROSA_FRAME_ERROR, &body);
    raise_limit(session);
}

/* --- the handshake ----------------------------------------------------------------------- */

static bool take_hello(struct session *session, const struct frame *frame)
{
    struct prosa_bytes versions = field(frame, PROSA_TAG_VERSIONS), key = field(frame, PROSA_TAG_CLIENT_KEY);
    uint8_t nonce[PROSA_NONCE_SIZE], no_signature[PROSA_SIGNATURE_SIZE] = {0};
    if (!memchr(versions.at, PROSA_VERSION, versions.size))
        return refuse(&session->link, PROSA_CODE_UNSUPPORTED, "AUTH-05");
    if (!key_is_good(key) || memcmp(key.at, server.key.public, PROSA_KEY_SIZE) == 0)
        return refuse(&session->link, PROSA_CODE_BAD_KEY, "AUTH-06");
    memcpy(session->key, key.at, PROSA_KEY_SIZE);
    memcpy(session->hello, frame->octets.at, frame->octets.size);
    session->hello_size = frame->octets.size;
    randombytes_buf(nonce, sizeof nonce);
    begin(&body);
    put(&body, PROSA_TAG_VERSIONS, &(uint8_t){PROSA_VERSION}, 1);
    put(&body, PROSA_TAG_NONCE, nonce, sizeof nonce);
    put_number(&body, PROSA_TAG_FEATURES, 0);
    put_number(&body, PROSA_TAG_VERSION, PROSA_VERSION);
    put(&body, PROSA_TAG_SERVER_KEY, server.key.public, PROSA_KEY_SIZE);
    for (uint16_t tag = FIRST_TAG; tag <= PROSA_TAG_LINGER_MS; tag += 2)
        put_number(&body, tag, announced(tag));
    put(&body, PROSA_TAG_HANDSHAKE_SIG, no_signature, sizeof no_signature);
    session->challenge_size = finish(&body, PROSA_FRAME_CHALLENGE).size;
    sign_challenge(&server.key, prosa_bytes(session->hello, session->hello_size), &body);
    memcpy(session->challenge, body.at, body.size);
    // TODO 2: send session->challenge (send_octets); from here on AUTH is due (link.due). AUTH-08
    give_up(&session->link, "TODO 2 in server.c: answer HELLO with CHALLENGE; read AUTH-08");
    return true;
}

/* AUTH-17: the signature first, the nick afterwards. */
static bool take_auth(struct session *session, const struct frame *frame)
{
    struct prosa_bytes key = prosa_bytes(session->key, PROSA_KEY_SIZE), nick = field(frame, PROSA_TAG_NICK);
    struct prosa_bytes hello = prosa_bytes(session->hello, session->hello_size);
    if (!auth_is_signed(key, hello, prosa_bytes(session->challenge, session->challenge_size), frame))
        return refuse(&session->link, PROSA_CODE_BAD_SIG, "AUTH-16");
    if (is(frame, PROSA_TAG_NICK, "host", 4))
        return refuse(&session->link, PROSA_CODE_NICK_TAKEN, "ID-09");
    memcpy(session->nick, nick.at, nick.size);
    session->link.due = 0;
    session->link.deadline = 0;
    session->link.cap = announced(PROSA_TAG_MAX_FRAME);
    note("%s is here", session->nick);
    begin(&body);
    // TODO 3: put the session (++server.session_count) and the time (now_ms()), and send WELCOME. AUTH-18
    give_up(&session->link, "TODO 3 in server.c: answer AUTH with WELCOME; read AUTH-18");
    return true;
}

/* --- the room ---------------------------------------------------------------------------- */

static bool take_join(struct session *session, const struct frame *frame)
{
    struct room *room = &session->room;
    struct prosa_bytes name = field(frame, PROSA_TAG_ROOM);
    bool is_host = is(frame, PROSA_TAG_ROOM, HOST, strlen(HOST));
    if (number(frame, PROSA_TAG_AFTER_SEQ) && !has(frame, PROSA_TAG_EPOCH))
        return refuse(&session->link, PROSA_CODE_BAD_FRAME, "RES-05");
    if (session->has_room && is_host)
        return refuse(&session->link, PROSA_CODE_BAD_STATE, "FLOW-02");
    if (session->has_room && announced(PROSA_TAG_MAX_ROOMS) == 1)
        return refuse(&session->link, PROSA_CODE_TOO_MANY_ROOMS, "FLOW-03");
    if (!is_host)
        return name.at[0] == '@' ? refuse(&session->link, PROSA_CODE_NO_ROOM, "MSG-25")
                                 : refuse(&session->link, PROSA_CODE_NOT_SUPPORTED, "FLOW-08");
    *room = (struct room){.limit = 1, .limit_seq = number(frame, PROSA_TAG_RECV_WINDOW)};
    session->has_room = true;
    randombytes_buf(room->epoch, sizeof room->epoch); /* MSG-24 */
    room_id(room->id, server.key.public, room->epoch, HOST, session->key);
    begin(&body);
    put_text(&body, PROSA_TAG_ROOM, HOST);
    put(&body, PROSA_TAG_ROOM_ID, room->id, sizeof room->id);
    put(&body, PROSA_TAG_EPOCH, room->epoch, sizeof room->epoch);
    // TODO 4: put granted_window, last_counter and limit_counter (put_number) of a client who has said
    // nothing yet. FLOW-05
    give_up(&session->link, "TODO 4 in server.c: answer JOIN with JOINED; read FLOW-01 and FLOW-05");
    put_number(&body, PROSA_TAG_HEAD_SEQ, 0); /* FLOW-06 */
    put_number(&body, PROSA_TAG_OLDEST_SEQ, 1);
    put_number(&body, PROSA_TAG_START_SEQ, 1);
    send_frame(&session->link, PROSA_FRAME_JOINED, &body);
    return true;
}

static void leave_room(struct session *session)
{
    clear(&session->room);
    session->has_room = false; /* FLOW-30: a pending question ends with it */
}

static bool is_joined(struct session *session, const struct frame *frame)
{
    return session->has_room && is(frame, PROSA_TAG_ROOM_ID, session->room.id, PROSA_HASH_SIZE);
}

/* A good message gets its place, and becomes the question (FLOW-25). */
static bool accept_message(struct session *session, const struct frame *frame)
{
    struct room *room = &session->room;
    size_t fields = frame->octets.size - PROSA_HEADER_SIZE;
    append(&session->room, prosa_bytes(frame->octets.at + PROSA_HEADER_SIZE, fields), false);
    room->last = number(frame, PROSA_TAG_COUNTER);
    room->last_seq = room->head;
    room->asked = ++server.questions;
    message_id(room->last_id, frame);
    printf("%s: ", session->nick);
    print_visible(stdout, field(frame, PROSA_TAG_TEXT));
    puts("");
    // TODO 5: acknowledge it, then deliver it: there are functions for both. FLOW-25
    give_up(&session->link, "TODO 5 in server.c: acknowledge and deliver a PUBLISH; read FLOW-25");
    return true;
}

/* The checks of section 6.3, from the top; before the counter MSG-05 and MSG-04, behind it MSG-03. */
static bool take_publish(struct session *session, const struct frame *frame)
{
    struct room *room = &session->room;
    uint64_t counter = number(frame, PROSA_TAG_COUNTER);
    uint8_t id[PROSA_HASH_SIZE];
    if (!is_joined(session, frame))
        return refuse(&session->link, PROSA_CODE_WRONG_ROOM, "MSG-05");
    if (!is(frame, PROSA_TAG_NICK, session->nick, strlen(session->nick)) ||
        !is(frame, PROSA_TAG_AUTHOR_KEY, session->key, PROSA_KEY_SIZE))
        return refuse(&session->link, PROSA_CODE_WRONG_AUTHOR, "MSG-04");
    if (counter > room->limit)
        return refuse(&session->link, PROSA_CODE_FLOW_VIOLATION, "FLOW-21");
    message_id(id, frame);
    if (counter == room->last && memcmp(id, room->last_id, sizeof id) != 0)
        return refuse(&session->link, PROSA_CODE_COUNTER_REUSE, "FLOW-23");
    if (counter <= room->last) {
        acknowledge(session); /* FLOW-22; older ids are forgotten */
        return true;
    }
    if (counter > room->last + 1)
        return refuse(&session->link, PROSA_CODE_COUNTER_GAP, "FLOW-24");
    if (!message_is_signed(frame))
        return refuse(&session->link, PROSA_CODE_BAD_SIG, "MSG-03");
    bool is_accepted = accept_message(session, frame);
    if (!server.has_operator && session->has_room && room->asked)
        no_answer(session);
    return is_accepted;
}

static bool take_ack(struct session *session, const struct frame *frame)
{
    struct room *room = &session->room;
    uint64_t limit = number(frame, PROSA_TAG_LIMIT_SEQ);
    if (!is_joined(session, frame))
        return refuse(&session->link, PROSA_CODE_WRONG_ROOM, "FLOW-15");
    if (number(frame, PROSA_TAG_SEEN_SEQ) > room->delivered)
        return refuse(&session->link, PROSA_CODE_ACK_TOO_HIGH, "FLOW-13");
    room->limit_seq = limit > room->limit_seq ? limit : room->limit_seq; /* FLOW-12 */
    deliver(session);
    return true;
}

/* --- the end ----------------------------------------------------------------------------- */

/* The session is over: what still comes is discarded. */
static void leave(struct session *session, const char *how)
{
    if (session->nick[0] && !session->link.is_deaf)
        note("%s %s", session->nick, how);
    leave_room(session);
    session->link.is_deaf = true;
}

static bool take_error(struct session *session, const struct frame *frame)
{
    const char *name = code_name((uint16_t)number(frame, PROSA_TAG_CODE));
    note("%s reports %s", session->nick[0] ? session->nick : "a stranger", name ? name : "something unknown");
    if (session->link.due || is_fatal((uint16_t)number(frame, PROSA_TAG_CODE))) { /* ERR-03, ERR-04 */
        leave(session, "gives up");
        end_in_order(&session->link);
    }
    return true;
}

static bool take_bye(struct session *session, const struct frame *frame)
{
    (void)frame;
    leave(session, "says goodbye");
    if (session->link.due) {
        end_in_order(&session->link); /* END-06 */
        return true;
    }
    // TODO 7: answer with BYE NORMAL (say_bye). END-02
    give_up(&session->link, "TODO 7 in server.c: answer BYE with BYE; read END-02");
    return true;
}

static bool take_leave(struct session *session, const struct frame *frame)
{
    if (!is_joined(session, frame))
        return refuse(&session->link, PROSA_CODE_BAD_STATE, "MEM-08");
    leave_room(session);
    return true;
}

typedef bool take_fn(struct session *session, const struct frame *frame);
static take_fn *const takers[] = {
    [PROSA_FRAME_HELLO] = take_hello, [PROSA_FRAME_AUTH] = take_auth,       [PROSA_FRAME_JOIN] = take_join,
    [PROSA_FRAME_LEAVE] = take_leave, [PROSA_FRAME_PUBLISH] = take_publish, [PROSA_FRAME_ACK] = take_ack,
    [PROSA_FRAME_ERROR] = take_error, [PROSA_FRAME_BYE] = take_bye};

static bool take(struct link *link, const struct frame *frame) /* link.c lets nothing else through */
{
    return takers[frame->type]((struct session *)link, frame);
}

static void failed(struct link *link, struct fault fault)
{
    char how[64];
    snprintf(how, sizeof how, "is sent away: %s", code_name(fault.code));
    leave((struct session *)link, how);
}

static void ended(struct link *link, const char *how)
{
    leave((struct session *)link, *how == 'e' ? "vanished: end of file" : "vanished: reset"); /* END-15 */
}

static const struct program program = {take, failed, ended, NULL};

/* AUTH-20: who is not READY in time, and had said nothing good, is told nothing; and the end of the linger.
 */
static void expire(struct session *session)
{
    if (session->link.is_closing || session->link.due == PROSA_FRAME_HELLO)
        session->link.is_over = true;
    else
        fail(&session->link, (struct fault){PROSA_CODE_TIMEOUT, "AUTH-20"}, NULL, 0);
}

/* Goodbye to all; the program ends when the last one has heard it. */
static void end_all(uint16_t code)
{
    server.is_ending = true;
    close(server.listener);
    for (struct session *session = server.sessions; session; session = session->next) {
        leave(session, "is told goodbye");
        if (session->link.due)
            end_in_order(&session->link);
        else
            say_bye(&session->link, code, "the server ends");
    }
}

/* --- the operator ------------------------------------------------------------------------ */

static struct session *oldest_question(const char *nick) /* of this client, or of anybody */
{
    struct session *oldest = NULL;
    for (struct session *one = server.sessions; one; one = one->next)
        if (one->room.asked && (!nick || strcmp(nick, one->nick) == 0) &&
            (!oldest || one->room.asked < oldest->room.asked))
            oldest = one;
    return oldest;
}

/* END-19: a line is for the oldest pending question, or behind "@nick " for that client. */
static void typed(void *who, struct prosa_bytes line)
{
    (void)who;
    char nick[33] = "";
    const uint8_t *space = memchr(line.at, ' ', line.size);
    if (server.is_ending)
        return;
    if (prosa_bytes_equal(line, prosa_bytes_of_string("exit"))) {
        end_all(PROSA_CODE_NORMAL);
        return;
    }
    if (line.size && line.at[0] == '@' && space && space - line.at <= 33) {
        memcpy(nick, line.at + 1, (size_t)(space - line.at - 1));
        line = prosa_bytes(space + 1, line.size - (size_t)(space + 1 - line.at));
    }
    struct session *to = oldest_question(nick[0] ? nick : NULL);
    for (struct session *one = server.sessions; nick[0] && !to && one; one = one->next)
        to = one->has_room && strcmp(nick, one->nick) == 0 ? one : NULL;
    const char *fault = line_fault(line);
    if (fault || !to)
        note("not sent: %s", fault ? fault : nick[0] ? "that client is not here" : "no question is pending");
    else
        say(to, line);
}

/* END-12: the server goes on without an operator. */
static void lose_operator(void)
{
    server.has_operator = false;
    for (struct session *session; (session = oldest_question(NULL));)
        no_answer(session);
}

static void welcome_stranger(void)
{
    int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
    struct session *session = fd < 0 ? NULL : calloc(1, sizeof *session);
    if (!session) {
        if (fd >= 0)
            close(fd);
        return;
    }
    link_open(&session->link, &program, fd, PROSA_FROM_CLIENT, PROSA_FRAME_HELLO);
    session->link.linger_ms = announced(PROSA_TAG_LINGER_MS);
    session->link.deadline = clock_ms() + announced(PROSA_TAG_HANDSHAKE_MS);
    session->next = server.sessions;
    server.sessions = session;
}

static void sweep(void)
{
    for (struct session **at = &server.sessions; *at;) {
        struct session *session = *at;
        if (session->link.deadline && session->link.deadline <= clock_ms())
            expire(session);
        if (!session->link.is_over) {
            at = &session->next;
            continue;
        }
        *at = session->next;
        leave_room(session);
        link_close(&session->link);
        free(session);
    }
}

static void serve(int signals)
{
    while (!server.is_ending || server.sessions) {
        size_t count = FIXED;
        uint64_t deadline = 0;
        for (struct session *one = server.sessions; one; one = one->next, count++)
            if (one->link.deadline && (!deadline || one->link.deadline < deadline))
                deadline = one->link.deadline;
        struct pollfd *polled = calloc(count, sizeof *polled);
        if (!polled)
            die(1, "no memory");
        polled[0] = (struct pollfd){signals, POLLIN, 0};
        polled[1] = (struct pollfd){server.has_operator ? STDIN_FILENO : -1, POLLIN, 0};
        polled[2] = (struct pollfd){server.is_ending ? -1 : server.listener, POLLIN, 0};
        size_t at = FIXED;
        for (struct session *one = server.sessions; one; one = one->next)
            polled[at++] = (struct pollfd){one->link.fd, link_events(&one->link), 0};
        poll(polled, (nfds_t)count, poll_timeout(deadline));
        at = FIXED;
        for (struct session *one = server.sessions; one; one = one->next)
            link_ready(&one->link, polled[at++].revents);
        if (polled[2].revents)
            welcome_stranger();
        if (polled[1].revents && !console_read(&server.console, typed, NULL))
            lose_operator();
        if (polled[0].revents && !server.is_ending)
            end_all(PROSA_CODE_SHUTDOWN);
        free(polled);
        sweep();
    }
}

int main(void)
{
    sigset_t ends;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    check_level();
    read_timers(server.announced);
    if (sodium_init() < 0 || !library_is_good())
        die(1, "KEY-07: this Ed25519 library accepts what others refuse");
    if (!load_key(&server.key, data_path("server.key")))
        die(1, "no key in %s: %s", data_path("server.key"), strerror(errno));
    server.listener = listen_there();
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    tell_ready(server.listener, server.key.public);
    serve(signalfd(-1, &ends, SFD_CLOEXEC));
    return 0;
}
