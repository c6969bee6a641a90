/* SPDX-License-Identifier: MIT
 *
 * A PROSA/1 client of level L1: a line of stdin is a question, sent when the limit allows it. Events go to
 * stdout as JSON, one object a line (13.4); words for people go to stderr. The session is over when `exit` is
 * typed, when stdin ends and all is answered, or when the server says so or vanishes.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "link.h"
#include "reach.h"
#include "signing.h"

#define RECV_WINDOW 64

/* A line that was typed, and not sent. */
struct line {
    struct line *next;
    size_t size;
    uint8_t at[];
};

static struct client {
    struct link link; /* stands first: a link is a client */
    struct key key;
    const char *nick, *wished;
    char target[TARGET_SIZE];
    size_t hello_size;
    uint8_t hello[PROSA_HEADER_SIZE + PROSA_MAX_FRAME_HANDSHAKE], server_key[PROSA_KEY_SIZE];
    size_t max_frame;
    bool has_room, is_refused;
    uint8_t room_id[PROSA_HASH_SIZE];
    uint64_t sent, acked, limit;    /* counters of our own messages */
    uint64_t seen, told, limit_seq; /* places: the last that came, that an ACK told, that may come */
    struct line *lines;
    bool has_input_ended;
    struct console console;
    const char *how; /* NULL until it is known how it ends */
    uint16_t code;   /* of the BYE or ERROR that ended it; 0: none */
    int exit_code;
} client;

static struct body body; /* of the frame that is being written */

/* --- events ------------------------------------------------------------------------------ */

static void tell_fault(const char *from, uint16_t code, const char *reason, const struct frame *about)
{
    begin_event("error");
    json_string("from", from);
    json_code(code);
    json_string("reason", reason);
    if (about) {
        json_field(about, PROSA_TAG_ROOM);
        json_field(about, PROSA_TAG_COUNTER);
    }
    end_event();
}

/* --- the end ----------------------------------------------------------------------------- */

static int exit_code_of(uint16_t code) /* ERR-09, CON-12 */
{
    return code == PROSA_CODE_NORMAL ? 0 : code >> 8 == 2 ? 4 : code >> 8 == 6 ? 6 : 1;
}

static void decide_end(const char *how, uint16_t code, int exit_code)
{
    if (client.how)
        return;
    client.how = how;
    client.code = code;
    client.exit_code = exit_code;
}

static void finish_program(const char *reason) __attribute__((noreturn));

static void finish_program(const char *reason)
{
    note("the end: %s", reason);
    begin_event("disconnected");
    json_string("how", client.how);
    json_bool("again", false);
    end_event();
    begin_event("closed");
    printf(",\"exit\":%d", client.exit_code);
    json_code(client.code);
    json_string("reason", reason);
    end_event();
    exit(client.exit_code);
}

static void say_goodbye(uint16_t code, int exit_code)
{
    decide_end("goodbye", code, exit_code);
    // TODO 11: send BYE NORMAL (say_bye), with a reason if you like. END-07, END-13
    give_up(&client.link, "TODO 11 in client.c: say BYE; read END-07");
}

/* --- the handshake ----------------------------------------------------------------------- */

/* WIRE-27: a field that means nothing, so that nobody forgets to ignore what he does not know. */
static void put_grease(uint16_t tag)
{
    put_text(&body, tag, "grease");
}

static void send_hello(void)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    randombytes_buf(nonce, sizeof nonce);
    begin(&body);
    put(&body, PROSA_TAG_VERSIONS, &(uint8_t){PROSA_VERSION}, 1);
    put(&body, PROSA_TAG_NONCE, nonce, sizeof nonce);
    put(&body, PROSA_TAG_CLIENT_KEY, client.key.public, PROSA_KEY_SIZE);
    put_number(&body, PROSA_TAG_FEATURES, 0);
    put_text(&body, PROSA_TAG_TARGET, client.target);
    put_grease(prosa_registry_grease_tags[randombytes_uniform(3)]);
    struct prosa_bytes hello = finish(&body, PROSA_FRAME_HELLO);
    memcpy(client.hello, hello.at, hello.size);
    client.hello_size = hello.size;
    send_octets(&client.link, hello); /* AUTH-01 */
}

/* AUTH-13: key, pin, signature, version, in this order. */
static bool take_challenge(const struct frame *frame)
{
    struct prosa_bytes key = field(frame, PROSA_TAG_SERVER_KEY), versions = field(frame, PROSA_TAG_VERSIONS);
    struct prosa_bytes hello = prosa_bytes(client.hello, client.hello_size);
    uint8_t pinned[PROSA_KEY_SIZE];
    bool is_pinned = read_pin(client.target, pinned);
    if (!key_is_good(key) || memcmp(key.at, client.key.public, PROSA_KEY_SIZE) == 0)
        return refuse(&client.link, PROSA_CODE_BAD_KEY, "AUTH-13");
    if (is_pinned && memcmp(key.at, pinned, PROSA_KEY_SIZE) != 0) {
        char came[40], kept[40];
        fingerprint(came, key.at);
        fingerprint(kept, pinned);
        note("this is not the key that was pinned: %s instead of %s", came, kept);
        return refuse(&client.link, PROSA_CODE_PIN_MISMATCH, "ID-05");
    }
    if (!challenge_is_signed(hello, frame))
        return refuse(&client.link, PROSA_CODE_BAD_SIG, "AUTH-13");
    if (number(frame, PROSA_TAG_VERSION) != PROSA_VERSION ||
        !memchr(versions.at, PROSA_VERSION, versions.size))
        return refuse(&client.link, PROSA_CODE_DOWNGRADE, "AUTH-13");
    memcpy(client.server_key, key.at, PROSA_KEY_SIZE);
    if (!is_pinned)
        keep_pin(client.target, client.server_key);
    client.link.linger_ms = number(frame, PROSA_TAG_LINGER_MS);
    client.max_frame = number(frame, PROSA_TAG_MAX_FRAME);
    client.link.due = PROSA_FRAME_WELCOME;
    begin(&body);
    // TODO 8: put_auth makes the fields of our key, both frames and our nick; send AUTH. AUTH-15
    give_up(&client.link, "TODO 8 in client.c: answer CHALLENGE with AUTH; read AUTH-15");
    return true;
}

static bool take_welcome(const struct frame *frame)
{
    (void)frame;
    client.link.due = 0;
    client.link.cap = client.max_frame;
    begin(&body);
    put_text(&body, PROSA_TAG_ROOM, client.wished);
    put_number(&body, PROSA_TAG_SEND_WINDOW, 1);
    put_number(&body, PROSA_TAG_RECV_WINDOW, RECV_WINDOW);
    send_frame(&client.link, PROSA_FRAME_JOIN, &body);
    return true;
}

/* --- what the person says ---------------------------------------------------------------- */

static void publish(const struct line *line)
{
    client.sent++;
    begin(&body);
    put_text(&body, PROSA_TAG_NICK, client.nick);
    put(&body, PROSA_TAG_ROOM_ID, client.room_id, PROSA_HASH_SIZE);
    put(&body, PROSA_TAG_AUTHOR_KEY, client.key.public, PROSA_KEY_SIZE);
    put_number(&body, PROSA_TAG_COUNTER, client.sent);
    put_number(&body, PROSA_TAG_SENT_AT, now_ms());
    put(&body, PROSA_TAG_TEXT, line->at, line->size);
    put_grease(prosa_registry_grease_tags[randombytes_uniform(3)]);
    sign_message(&body, &client.key);
    // TODO 10: send a PUBLISH with this body. FLOW-20, MSG-01
    give_up(&client.link, "TODO 10 in client.c: send the question in a PUBLISH; read FLOW-20");
}

/* Sends lines as far as the limit goes (FLOW-20); goodbye when stdin has ended and all is answered (END-13).
 */
static void go_on(void)
{
    while (client.has_room && client.lines && client.sent < client.limit && !client.link.is_closing) {
        struct line *line = client.lines;
        client.lines = line->next;
        publish(line);
        free(line);
    }
    bool is_answered = client.sent == client.acked && client.sent < client.limit;
    if (client.has_input_ended && client.has_room && is_answered && !client.lines && !client.link.is_closing)
        say_goodbye(PROSA_CODE_NORMAL, 0);
}

static void typed(void *who, struct prosa_bytes text)
{
    (void)who;
    const char *fault = line_fault(text);
    if (prosa_bytes_equal(text, prosa_bytes_of_string("exit"))) {
        size_t unsent = 0;
        for (struct line *line = client.lines; line; line = line->next)
            unsent++;
        if (unsent)
            note("%zu lines were not sent", unsent);
        if (!client.link.is_closing)
            say_goodbye(PROSA_CODE_NORMAL, 0);
        return;
    }
    if (fault) {
        note("not sent: %s", fault);
        return;
    }
    struct line *line = malloc(sizeof *line + text.size), **last = &client.lines;
    if (!line)
        die(1, "no memory");
    *line = (struct line){NULL, text.size};
    memcpy(line->at, text.at, text.size);
    while (*last)
        last = &(*last)->next;
    *last = line;
    go_on();
}

/* --- what the server says ---------------------------------------------------------------- */

static bool take_joined(const struct frame *frame)
{
    uint8_t id[PROSA_HASH_SIZE];
    struct prosa_bytes epoch = field(frame, PROSA_TAG_EPOCH);
    if (client.has_room || client.is_refused ||
        !is(frame, PROSA_TAG_ROOM, client.wished, strlen(client.wished)))
        return refuse(&client.link, PROSA_CODE_BAD_STATE, "FLOW-01");
    room_id(id, client.server_key, epoch.at, client.wished, client.key.public);
    if (!is(frame, PROSA_TAG_ROOM_ID, id, sizeof id))
        return refuse(&client.link, PROSA_CODE_WRONG_ROOM, "MSG-23");
    memcpy(client.room_id, id, sizeof id);
    client.has_room = true;
    client.sent = client.acked = number(frame, PROSA_TAG_LAST_COUNTER);
    client.limit = number(frame, PROSA_TAG_LIMIT_COUNTER);
    client.seen = client.told = number(frame, PROSA_TAG_START_SEQ) - 1;
    client.limit_seq = client.seen + RECV_WINDOW;
    begin_event("joined");
    json_field(frame, PROSA_TAG_ROOM);
    json_field(frame, PROSA_TAG_ROOM_ID);
    json_field(frame, PROSA_TAG_EPOCH);
    json_hex("server_key", client.server_key, PROSA_KEY_SIZE);
    json_field(frame, PROSA_TAG_LAST_COUNTER);
    json_field(frame, PROSA_TAG_START_SEQ);
    json_bool("lost_history", false);
    end_event();
    go_on();
    return true;
}

static bool is_in_room(const struct frame *frame)
{
    return client.has_room && is(frame, PROSA_TAG_ROOM_ID, client.room_id, PROSA_HASH_SIZE);
}

static void tell_seen(void)
{
    client.told = client.seen;
    client.limit_seq = client.seen + RECV_WINDOW;
    begin(&body);
    put(&body, PROSA_TAG_ROOM_ID, client.room_id, PROSA_HASH_SIZE);
    // TODO 9: put seen_seq and limit_seq, and send an ACK. FLOW-17, WIRE-31
    give_up(&client.link, "TODO 9 in client.c: acknowledge what was delivered; read FLOW-17 and WIRE-31");
}

static void show(const struct frame *frame)
{
    static const uint16_t tags[] = {PROSA_TAG_ROOM_SEQ, PROSA_TAG_NICK,    PROSA_TAG_AUTHOR_KEY,
                                    PROSA_TAG_COUNTER,  PROSA_TAG_SENT_AT, PROSA_TAG_SERVER_TIME,
                                    PROSA_TAG_TEXT,     PROSA_TAG_DISPLAY, PROSA_TAG_REPLY_TO};
    uint8_t id[PROSA_HASH_SIZE];
    message_id(id, frame);
    begin_event("message");
    json_string("room", client.wished);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        json_field(frame, tags[i]);
    json_hex("id", id, sizeof id);
    json_bool("own", is(frame, PROSA_TAG_AUTHOR_KEY, client.key.public, PROSA_KEY_SIZE));
    end_event();
}

static bool take_deliver(const struct frame *frame)
{
    uint64_t seq = number(frame, PROSA_TAG_ROOM_SEQ);
    if (!is_in_room(frame))
        return refuse(&client.link, PROSA_CODE_WRONG_ROOM, "MSG-18");
    if (seq != client.seen + 1)
        return refuse(&client.link, PROSA_CODE_SEQ_GAP, "MSG-17");
    if (seq > client.limit_seq)
        return refuse(&client.link, PROSA_CODE_FLOW_VIOLATION, "FLOW-19");
    client.seen = seq;
    if (!message_is_signed(frame)) /* MSG-16, CON-11 */
        tell_fault("client", PROSA_CODE_BAD_SIG, "a message is not signed by its author", frame);
    else if (!frame->is_displayable) /* MSG-14 */
        tell_fault("client", PROSA_CODE_UNSUPPORTED, "a message cannot be displayed", frame);
    else
        show(frame);
    if (client.seen - client.told >= RECV_WINDOW / 2) /* FLOW-17 */
        tell_seen();
    return true;
}

static bool take_ack(const struct frame *frame)
{
    uint64_t acked = number(frame, PROSA_TAG_ACKED_COUNTER), limit = number(frame, PROSA_TAG_LIMIT_COUNTER);
    if (!is_in_room(frame))
        return refuse(&client.link, PROSA_CODE_WRONG_ROOM, "FLOW-15");
    if (acked > client.sent)
        return refuse(&client.link, PROSA_CODE_ACK_TOO_HIGH, "FLOW-14");
    while (client.acked < acked) { /* FLOW-12 */
        begin_event("acked");
        json_string("room", client.wished);
        json_number("counter", ++client.acked);
        json_number("room_seq", number(frame, PROSA_TAG_ACKED_SEQ));
        end_event();
    }
    client.limit = limit > client.limit ? limit : client.limit;
    go_on();
    return true;
}

static bool take_member(const struct frame *frame)
{
    uint64_t event = number(frame, PROSA_TAG_EVENT);
    if (!is_in_room(frame))
        return refuse(&client.link, PROSA_CODE_WRONG_ROOM, "MSG-18");
    for (size_t i = 0; i < PROSA_EVENTS_COUNT; i++) {
        if (prosa_registry_events[i].value != event)
            continue;
        begin_event("member");
        json_string("room", client.wished);
        json_string("change", prosa_registry_events[i].name);
        json_field(frame, PROSA_TAG_NICK);
        json_field(frame, PROSA_TAG_MEMBER_KEY);
        if (has(frame, PROSA_TAG_COUNT))
            printf(",\"count\":%llu", (unsigned long long)number(frame, PROSA_TAG_COUNT));
        end_event();
    }
    return true;
}

static bool take_error(const struct frame *frame)
{
    uint16_t code = (uint16_t)number(frame, PROSA_TAG_CODE);
    struct prosa_bytes reason = field(frame, PROSA_TAG_REASON);
    char words[256] = "";
    memcpy(words, reason.at, reason.size);
    tell_fault("server", code, words, frame);
    if (client.link.due || is_fatal(code)) { /* ERR-03, ERR-09 */
        decide_end("error", code, exit_code_of(code));
        client.link.is_deaf = true;
        end_in_order(&client.link);
    } else if (code >> 8 == 4 && !client.has_room &&
               is(frame, PROSA_TAG_ROOM, client.wished, strlen(client.wished))) {
        client.is_refused = true; /* CON-12: the only room is refused */
        say_goodbye(code, 1);
    }
    return true;
}

static bool take_bye(const struct frame *frame)
{
    uint16_t code = (uint16_t)number(frame, PROSA_TAG_CODE);
    decide_end("goodbye", code, exit_code_of(code));
    note("the server says goodbye: %s",
         code_name(code) ? code_name(code) : "with a code of its own"); /* END-09, END-11 */
    client.link.is_deaf = true;
    if (client.link.due)
        end_in_order(&client.link); /* END-06 */
    else
        say_bye(&client.link, PROSA_CODE_NORMAL, NULL); /* END-02 */
    return true;
}

static bool take_checkpoint(const struct frame *frame)
{
    (void)frame; /* for clients with audit */
    return true;
}

typedef bool take_fn(const struct frame *frame);
static take_fn *const takers[] = {[PROSA_FRAME_CHALLENGE] = take_challenge,
                                  [PROSA_FRAME_WELCOME] = take_welcome,
                                  [PROSA_FRAME_JOINED] = take_joined,
                                  [PROSA_FRAME_DELIVER] = take_deliver,
                                  [PROSA_FRAME_ACK] = take_ack,
                                  [PROSA_FRAME_MEMBER] = take_member,
                                  [PROSA_FRAME_CHECKPOINT] = take_checkpoint,
                                  [PROSA_FRAME_ERROR] = take_error,
                                  [PROSA_FRAME_BYE] = take_bye};

static bool take(struct link *link, const struct frame *frame) /* link.c lets nothing else through */
{
    (void)link;
    return takers[frame->type](frame);
}

static void failed(struct link *link, struct fault fault)
{
    (void)link;
    tell_fault("client", fault.code, fault.clause, NULL);
    client.how = NULL; /* whatever was to come: this is how it ends */
    decide_end("error", fault.code, exit_code_of(fault.code));
}

static void ended(struct link *link, const char *how)
{
    if (link->is_deaf && !client.how) /* something is left to write */
        decide_end("error", 0, 1);
    decide_end(how, 0, 5); /* END-15, END-16 */
}

static void idle(struct link *link)
{
    (void)link;
    if (client.seen > client.told) /* one ACK for many messages (FLOW-16) */
        tell_seen();
}

static const struct program program = {take, failed, ended, idle};

static void check_words(void)
{
    const struct {
        uint16_t tag;
        const char *word;
    } words[] = {
        {PROSA_TAG_TARGET, client.target}, {PROSA_TAG_NICK, client.nick}, {PROSA_TAG_ROOM, client.wished}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (value_fault(field_row(words[i].tag), prosa_bytes_of_string(words[i].word)))
            die(2, "this is no %s: %s", field_row(words[i].tag)->name, words[i].word);
}

static void converse(void)
{
    struct link *link = &client.link;
    while (!link->is_over) {
        struct pollfd polled[] = {{link->fd, link_events(link), 0},
                                  {client.has_input_ended ? -1 : STDIN_FILENO, POLLIN, 0}};
        int count = poll(polled, 2, poll_timeout(link->deadline));
        if (count == 0 && link->deadline && clock_ms() >= link->deadline)
            return; /* the linger is over */
        if (polled[0].revents)
            link_ready(link, polled[0].revents);
        if (polled[1].revents && !link->is_over && !console_read(&client.console, typed, NULL)) {
            client.has_input_ended = true;
            go_on();
        }
    }
}

int main(void)
{
    char host[256];
    const char *typed_host = setting("PROSA_HOST", "127.0.0.1"), *port = read_port();
    signal(SIGPIPE, SIG_IGN);
    check_level();
    client.nick = setting("PROSA_NICK", "student");
    client.wished = setting("PROSA_ROOM", HOST);
    snprintf(host, sizeof host, "%s", typed_host + (*typed_host == '['));
    host[strcspn(host, "]")] = '\0';
    name_target(client.target, host, port);
    check_words();
    if (sodium_init() < 0 || !library_is_good())
        die(1, "KEY-07: this Ed25519 library accepts what others refuse");
    if (!load_key(&client.key, data_path("client.key")))
        die(1, "no key in %s: %s", data_path("client.key"), strerror(errno));
    const char *how, *why;
    int fd = connect_there(host, port, &how, &why);
    if (fd < 0) {
        decide_end(how, 0, 3);
        finish_program(why);
    }
    link_open(&client.link, &program, fd, PROSA_FROM_SERVER, PROSA_FRAME_CHALLENGE);
    send_hello();
    converse();
    ended(&client.link, "eof"); /* it is known by now, but for a server that outlasts the linger */
    link_close(&client.link);
    finish_program(client.exit_code == 5 ? "the server vanished without a goodbye"
                                         : "the conversation is over");
}
