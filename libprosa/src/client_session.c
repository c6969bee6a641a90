/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdlib.h>

enum { READ_SIZE = 16384 }; /* octets that recv_space offers beyond a partial frame */

static const struct prosa_bytes alive = {(const uint8_t *)"alive", 5};

/* --- ending ----------------------------------------------------------------------------------- */

/* Whether a client may come back by itself after this code [RES-13] [ERR-05]. */
static bool code_allows_retry(uint16_t code)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++)
        if (prosa_registry_codes[i].code == code && prosa_code_class(code) == PROSA_CLASS_GOING_AWAY)
            return prosa_registry_codes[i].retry;
    return prosa_code_class(code) != PROSA_CLASS_MALFORMED &&
           prosa_code_class(code) != PROSA_CLASS_AUTHENTICATION;
}

/* The first cause of the end is the one that is told. */
static void note_end(struct prosa_client_session *session, enum prosa_ending how, uint16_t code,
                     bool from_peer)
{
    if (prosa_client_has(session, CLIENT_END_NOTED))
        return;
    bool left = how == PROSA_ENDING_QUIET || (how == PROSA_ENDING_GOODBYE && !from_peer);
    bool resumes = (session->features & PROSA_FEATURE_RESUME) != 0;
    prosa_client_set(session, CLIENT_END_NOTED);
    session->end = (struct prosa_ended){
        .how = how,
        .code = code,
        .from_peer = from_peer,
        .retry = resumes && !left && (code == 0 || code_allows_retry(code)),
    };
}

static void note_words(struct prosa_client_session *session, struct prosa_bytes reason, uint32_t after_ms)
{
    if (reason.size > 0)
        memcpy(session->reason, reason.at, reason.size);
    session->end.reason = prosa_bytes(session->reason, reason.size);
    session->end.after_ms = after_ms;
}

void prosa_client_over(struct prosa_client_session *session, uint8_t next, enum prosa_ending how,
                       uint16_t code)
{
    note_end(session, how, code, false);
    session->state = next;
}

static bool is_over(const struct prosa_client_session *session)
{
    return session->state == CLIENT_BACKOFF || session->state == CLIENT_STOPPED;
}

static void begin_closing(struct prosa_client_session *session, uint64_t now_ms)
{
    session->state = CLIENT_CLOSING;
    session->deadline_ms = now_ms + session->limits.linger_ms;
    prosa_client_clear(session, CLIENT_ASKS_TRUST);
}

void prosa_client_queue(struct prosa_client_session *session, const struct prosa_message *message,
                        struct prosa_bytes extra)
{
    if (prosa_buffer_message(&session->out, message, extra) != PROSA_OK)
        prosa_client_over(session, CLIENT_STOPPED, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
}

void prosa_client_fatal(struct prosa_client_session *session, const struct prosa_fault *fault,
                        uint64_t now_ms)
{
    if (is_over(session))
        return;
    prosa_client_set(session, CLIENT_DISCARD);
    if (session->state == CLIENT_CLOSING)
        return;
    note_end(session, PROSA_ENDING_ERROR, fault->code, false);
    begin_closing(session, now_ms);
    if (prosa_buffer_error(&session->out, fault) != PROSA_OK)
        prosa_client_over(session, CLIENT_STOPPED, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
}

void prosa_client_fault_of(struct prosa_client_session *session, const struct prosa_frame *frame,
                           enum prosa_status status, const char *clause, uint64_t now_ms)
{
    const struct prosa_fault fault = {
        .code = prosa_status_code(status),
        .ref_type = frame == NULL ? 0 : frame->type,
        .clause = clause,
    };
    prosa_client_fatal(session, &fault, now_ms);
}

void prosa_client_session_fail(struct prosa_client_session *session, enum prosa_status status,
                               uint64_t now_ms)
{
    prosa_client_fault_of(session, NULL, status, NULL, now_ms);
}

static void send_bye(struct prosa_client_session *session, uint64_t now_ms)
{
    const struct prosa_message bye = {.type = PROSA_FRAME_BYE, .bye = {.code = PROSA_CODE_NORMAL}};
    begin_closing(session, now_ms);
    prosa_client_queue(session, &bye, prosa_bytes(NULL, 0));
}

void prosa_client_session_bye(struct prosa_client_session *session, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_client_cell(session, CLIENT_ON_GOODBYE);
    if (is_over(session) || cell->action == DO_IGNORE)
        return;
    note_end(session, PROSA_ENDING_GOODBYE, PROSA_CODE_NORMAL, false);
    if (cell->action == DO_FINISH) { /* before READY [END-06] */
        session->state = cell->next;
        return;
    }
    prosa_client_acknowledge(session, true);
    send_bye(session, now_ms);
}

/* --- octets in -------------------------------------------------------------------------------- */

static size_t frame_cap(const struct prosa_client_session *session)
{
    bool handshake = session->state < CLIENT_READY;
    return handshake ? PROSA_MAX_FRAME_HANDSHAKE : session->limits.max_frame; /* [WIRE-07] [WIRE-08] */
}

size_t prosa_client_session_recv_space(struct prosa_client_session *session, uint8_t **at)
{
    struct prosa_buffer *in = &session->in;
    if (is_over(session) || prosa_client_has(session, CLIENT_EOF))
        return 0;
    if (prosa_client_has(session, CLIENT_DISCARD))
        prosa_buffer_consume(in, prosa_buffer_size(in));
    size_t cap = PROSA_HEADER_SIZE + frame_cap(session) + READ_SIZE;
    size_t held = prosa_buffer_size(in);
    if (held >= cap || prosa_buffer_size(&session->out) > PROSA_LIMIT_OUTPUT_LIMIT_DEFAULT)
        return 0;
    size_t space = cap - held < READ_SIZE ? cap - held : READ_SIZE;
    if (!prosa_buffer_reserve(in, space)) { /* nothing wakes a session that does not read */
        if (session->state == CLIENT_CLOSING)
            prosa_client_over(session, CLIENT_STOPPED, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
        else
            prosa_client_session_fail(session, PROSA_ERR_INTERNAL, session->heard_ms);
        return 0;
    }
    *at = in->run->at + in->run->end;
    return space;
}

void prosa_client_session_recv_commit(struct prosa_client_session *session, size_t size, uint64_t now_ms)
{
    if (size == 0)
        return;
    prosa_buffer_commit(&session->in, size);
    session->heard_ms = now_ms; /* [LIVE-06] */
    prosa_client_clear(session, CLIENT_PING_SENT);
}

void prosa_client_session_recv_eof(struct prosa_client_session *session, uint64_t now_ms)
{
    (void)now_ms;
    prosa_client_set(session, CLIENT_EOF);
}

void prosa_client_session_recv_reset(struct prosa_client_session *session, uint64_t now_ms)
{
    (void)now_ms;
    prosa_client_set(session, CLIENT_EOF | CLIENT_RESET);
}

/* --- parsing and dispatch --------------------------------------------------------------------- */

static enum prosa_client_input input_of(uint8_t type)
{
    switch (type) {
    case PROSA_FRAME_CHALLENGE:
        return CLIENT_ON_CHALLENGE;
    case PROSA_FRAME_WELCOME:
        return CLIENT_ON_WELCOME;
    case PROSA_FRAME_JOINED:
        return CLIENT_ON_JOINED;
    case PROSA_FRAME_DELIVER:
        return CLIENT_ON_DELIVER;
    case PROSA_FRAME_ACK:
        return CLIENT_ON_ACK;
    case PROSA_FRAME_MEMBER:
        return CLIENT_ON_MEMBER;
    case PROSA_FRAME_CHECKPOINT:
        return CLIENT_ON_CHECKPOINT;
    case PROSA_FRAME_PING:
        return CLIENT_ON_PING;
    case PROSA_FRAME_PONG:
        return CLIENT_ON_PONG;
    case PROSA_FRAME_ERROR:
        return CLIENT_ON_ERROR;
    case PROSA_FRAME_BYE:
        return CLIENT_ON_BYE;
    default:
        return CLIENT_ON_CLIENT_FRAME;
    }
}

/* ERROR and BYE of the peer, and malformed ones [ERR-10]. True: *event is set. */
static bool on_farewell(struct prosa_client_session *session, const struct prosa_message *message,
                        enum prosa_status decoded, struct prosa_client_event *event, uint64_t now_ms)
{
    bool bye = message->type == PROSA_FRAME_BYE;
    const struct prosa_cell *cell = prosa_client_cell(session, bye ? CLIENT_ON_BYE : CLIENT_ON_ERROR);
    bool first = !prosa_client_has(session, CLIENT_END_NOTED);

    if (decoded != PROSA_OK) {
        note_end(session, PROSA_ENDING_ERROR, prosa_status_code(decoded), false);
    } else if (bye) {
        note_end(session, PROSA_ENDING_GOODBYE, message->bye.code, true);
        if (first)
            note_words(session, message->bye.reason, message->bye.after_ms);
    } else if (session->state == CLIENT_READY && !prosa_code_closes(message->error.code)) {
        return prosa_client_on_error(session, &message->error, event); /* [ERR-04] */
    } else {
        note_end(session, PROSA_ENDING_ERROR, message->error.code, true);
        if (first)
            note_words(session, message->error.reason, message->error.after_ms);
    }
    if (cell->action == DO_BYE && decoded == PROSA_OK)
        send_bye(session, now_ms); /* [END-02] */
    else if (session->state == CLIENT_CLOSING)
        prosa_client_set(session, CLIENT_FINISH);
    else
        session->state = session->end.retry ? CLIENT_BACKOFF : CLIENT_STOPPED; /* [ERR-03] */
    return false;
}

static void on_ping(struct prosa_client_session *session, const struct prosa_ping *ping)
{
    const struct prosa_message pong = {.type = PROSA_FRAME_PONG, .pong = {.opaque = ping->opaque}};
    prosa_client_queue(session, &pong, prosa_bytes(NULL, 0));
}

/* Applies a frame that its cell allows. True: *event is set. */
static bool apply(struct prosa_client_session *session, const struct prosa_frame *frame,
                  const struct prosa_message *message, struct prosa_client_event *event, uint64_t now_ms)
{
    switch (frame->type) {
    case PROSA_FRAME_CHALLENGE:
        return prosa_client_on_challenge(session, frame, &message->challenge, event, now_ms);
    case PROSA_FRAME_WELCOME:
        session->state = prosa_client_cell(session, CLIENT_ON_WELCOME)->next;
        event->kind = PROSA_CLIENT_READY;
        event->welcome = message->welcome;
        return true;
    case PROSA_FRAME_JOINED:
        return prosa_client_on_joined(session, frame, &message->joined, event, now_ms);
    case PROSA_FRAME_DELIVER:
        return prosa_client_on_deliver(session, frame, message, event, now_ms);
    case PROSA_FRAME_ACK:
        return prosa_client_on_ack(session, frame, &message->ack, event, now_ms);
    case PROSA_FRAME_MEMBER:
        return prosa_client_on_member(session, frame, &message->member, event, now_ms);
    case PROSA_FRAME_CHECKPOINT:
        return prosa_client_on_checkpoint(session, frame, &message->checkpoint, event, now_ms);
    case PROSA_FRAME_PONG:
        return prosa_client_on_pong(session, &message->pong, event);
    default:
        on_ping(session, &message->ping);
        return false;
    }
}

static bool on_frame(struct prosa_client_session *session, const struct prosa_frame *frame,
                     struct prosa_client_event *event, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_client_cell(session, input_of(frame->type));
    struct prosa_message message = {.type = frame->type};

    if (cell->action == DO_FATAL) {
        prosa_client_fault_of(session, frame, (enum prosa_status) - (int)cell->code, cell->clause, now_ms);
        return false;
    }
    if (cell->action == DO_IGNORE && frame->type != PROSA_FRAME_PONG)
        return false;
    enum prosa_status decoded = prosa_message_decode(frame, PROSA_FROM_SERVER, &message);
    *event = (struct prosa_client_event){.octets = frame->octets};
    if (frame->type == PROSA_FRAME_BYE || frame->type == PROSA_FRAME_ERROR)
        return on_farewell(session, &message, decoded, event, now_ms);
    if (decoded != PROSA_OK) {
        prosa_client_fault_of(session, frame, decoded, prosa_clause_of_fields(decoded), now_ms);
        return false;
    }
    return apply(session, frame, &message, event, now_ms);
}

/* Input that is no frame of this protocol, by its cell. */
static void on_oddity(struct prosa_client_session *session, enum prosa_client_input input,
                      enum prosa_status status, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_client_cell(session, input);
    if (cell->action == DO_CLOSE)
        prosa_client_over(session, cell->next, PROSA_ENDING_QUIET, 0); /* [WIRE-03] */
    else if (cell->action == DO_FATAL)
        prosa_client_fault_of(session, NULL, cell->code == 0 ? status : (enum prosa_status) - (int)cell->code,
                              cell->code == 0 ? prosa_clause_of_header(status) : cell->clause, now_ms);
    else if (input != CLIENT_ON_UNKNOWN_ODD)
        prosa_client_set(session, CLIENT_DISCARD);
}

static void on_eof(struct prosa_client_session *session)
{
    if (session->state == CLIENT_CLOSING) {
        prosa_client_set(session, CLIENT_FINISH);
        return;
    }
    note_end(session, prosa_client_has(session, CLIENT_RESET) ? PROSA_ENDING_RESET : PROSA_ENDING_EOF, 0,
             false);
    session->state = session->end.retry ? CLIENT_BACKOFF : CLIENT_STOPPED; /* [END-15] */
}

/* Takes one frame off the input. PROSA_OK: *event is set. PROSA_IGNORED: go on. PROSA_END: wait. */
static enum prosa_status step(struct prosa_client_session *session, struct prosa_client_event *event,
                              uint64_t now_ms)
{
    struct prosa_frame frame;
    enum prosa_status status;
    bool given = false;

    switch (prosa_find_frame(prosa_buffer_view(&session->in), frame_cap(session), &frame, &status)) {
    case PROSA_FOUND_PARTIAL:
        if (!prosa_client_has(session, CLIENT_EOF) || prosa_client_has(session, CLIENT_FINISH))
            return PROSA_END;
        on_eof(session);
        return PROSA_IGNORED;
    case PROSA_FOUND_FRAME:
        given = on_frame(session, &frame, event, now_ms);
        break;
    case PROSA_FOUND_UNKNOWN_ODD:
        on_oddity(session, CLIENT_ON_UNKNOWN_ODD, status, now_ms);
        break;
    case PROSA_FOUND_UNKNOWN_EVEN:
        on_oddity(session, CLIENT_ON_UNKNOWN_EVEN, status, now_ms);
        return PROSA_IGNORED;
    case PROSA_FOUND_MALFORMED:
        on_oddity(session, CLIENT_ON_MALFORMED, status, now_ms);
        return PROSA_IGNORED;
    case PROSA_FOUND_NOT_MAGIC:
        on_oddity(session, CLIENT_ON_NOT_MAGIC, status, now_ms);
        return PROSA_IGNORED;
    }
    prosa_buffer_consume(&session->in, frame.octets.size);
    return given ? PROSA_OK : PROSA_IGNORED;
}

static enum prosa_status read_input(struct prosa_client_session *session, struct prosa_client_event *event,
                                    uint64_t now_ms)
{
    enum prosa_status status = PROSA_IGNORED;
    while (status == PROSA_IGNORED) {
        if (is_over(session) || prosa_client_has(session, CLIENT_ASKS_TRUST))
            return PROSA_END;
        if (prosa_client_has(session, CLIENT_DISCARD)) {
            prosa_buffer_consume(&session->in, prosa_buffer_size(&session->in));
            if (prosa_client_has(session, CLIENT_EOF))
                on_eof(session);
            return PROSA_END;
        }
        status = step(session, event, now_ms);
    }
    return status;
}

/* SHUT and ENDED. */
static bool closing_event(struct prosa_client_session *session, struct prosa_client_event *event,
                          uint64_t now_ms)
{
    bool sent = prosa_buffer_size(&session->out) == 0 || prosa_client_has(session, CLIENT_RESET);
    if (session->state == CLIENT_CLOSING && sent) {
        if (!prosa_client_has(session, CLIENT_SHUT)) {
            prosa_client_set(session, CLIENT_SHUT);
            session->deadline_ms = now_ms + session->limits.linger_ms;
            *event = (struct prosa_client_event){.kind = PROSA_CLIENT_SHUT};
            return true;
        }
        if (prosa_client_has(session, CLIENT_FINISH))
            session->state = CLIENT_STOPPED;
    }
    if (!is_over(session) || prosa_client_has(session, CLIENT_ENDED))
        return false;
    prosa_client_set(session, CLIENT_ENDED);
    prosa_buffer_free(&session->in);
    prosa_buffer_free(&session->out);
    *event = (struct prosa_client_event){.kind = PROSA_CLIENT_ENDED};
    event->ended = session->end;
    return true;
}

enum prosa_status prosa_client_session_next(struct prosa_client_session *session,
                                            struct prosa_client_event *event, uint64_t now_ms)
{
    if (prosa_client_has(session, CLIENT_ENDED))
        return PROSA_END;
    prosa_client_acknowledge(session, false);
    if (prosa_client_chain_reached(session, event, now_ms))
        return PROSA_OK;
    if (read_input(session, event, now_ms) == PROSA_OK)
        return PROSA_OK;
    prosa_client_acknowledge(session, true);
    prosa_buffer_release(&session->in);
    return closing_event(session, event, now_ms) ? PROSA_OK : PROSA_END;
}

/* --- octets out, time ------------------------------------------------------------------------- */

struct prosa_bytes prosa_client_session_send_peek(const struct prosa_client_session *session)
{
    return is_over(session) ? prosa_bytes(NULL, 0) : prosa_buffer_view(&session->out);
}

void prosa_client_session_send_consume(struct prosa_client_session *session, size_t size, uint64_t now_ms)
{
    (void)now_ms;
    prosa_buffer_consume(&session->out, size);
    prosa_buffer_release(&session->out);
}

uint64_t prosa_client_session_deadline_ms(const struct prosa_client_session *session)
{
    const struct prosa_limits *limits = &session->limits;
    if (is_over(session))
        return prosa_client_has(session, CLIENT_ENDED) ? PROSA_NEVER : 0; /* next() has ENDED */
    if (session->state == CLIENT_CLOSING || session->state < CLIENT_READY)
        return session->deadline_ms;
    if ((session->features & PROSA_FEATURE_LIVENESS) == 0)
        return PROSA_NEVER;
    bool pinged =
        prosa_client_has(session, CLIENT_PING_SENT) || limits->dead_after_ms < limits->ping_after_ms;
    return session->heard_ms + (pinged ? limits->dead_after_ms : limits->ping_after_ms);
}

static void give_up(struct prosa_client_session *session, uint32_t silence_ms)
{
    prosa_client_over(session, CLIENT_BACKOFF, PROSA_ENDING_SILENCE, 0);
    session->end.silence_ms = silence_ms;
}

void prosa_client_session_tick(struct prosa_client_session *session, uint64_t now_ms)
{
    const struct prosa_message ping = {.type = PROSA_FRAME_PING, .ping = {.opaque = alive}};

    if (is_over(session) || now_ms < prosa_client_session_deadline_ms(session))
        return;
    if (session->state == CLIENT_CLOSING) {
        session->state = prosa_client_cell(session, CLIENT_ON_LINGER_DEADLINE)->next;
        session->end.reset = !prosa_client_has(session, CLIENT_SHUT);
    } else if (session->state < CLIENT_READY) {
        give_up(session, session->limits.handshake_ms); /* [AUTH-23] */
    } else if (now_ms >= session->heard_ms + session->limits.dead_after_ms) {
        give_up(session, session->limits.dead_after_ms); /* [LIVE-05] */
    } else {
        prosa_client_set(session, CLIENT_PING_SENT);
        prosa_client_queue(session, &ping, prosa_bytes(NULL, 0)); /* [LIVE-04] */
    }
}

/* --- what is known ---------------------------------------------------------------------------- */

void prosa_client_session_fini(struct prosa_client_session *session)
{
    prosa_buffer_free(&session->in);
    prosa_buffer_free(&session->out);
    free(session->slots);
    *session = (struct prosa_client_session){.state = CLIENT_STOPPED, .flags = CLIENT_ENDED};
}

bool prosa_client_session_ready(const struct prosa_client_session *session)
{
    return session->state == CLIENT_READY;
}

uint32_t prosa_client_session_features(const struct prosa_client_session *session)
{
    return session->features;
}

const uint8_t *prosa_client_session_server_key(const struct prosa_client_session *session)
{
    return prosa_client_has(session, CLIENT_HAS_KEY) ? session->server_key : NULL;
}

const struct prosa_limits *prosa_client_session_limits(const struct prosa_client_session *session)
{
    return &session->limits;
}
