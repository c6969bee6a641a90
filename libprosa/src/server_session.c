/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <stdlib.h>

/* --- ending ----------------------------------------------------------------------------------- */

/* The first cause of the end is the one that is told. */
static void note_end(struct prosa_server_session *session, enum prosa_ending how, uint16_t code)
{
    if (session->ending != 0)
        return;
    session->ending = (uint8_t)(how + 1);
    session->end_code = code;
}

/* Room for the words of an end; NULL without memory: then the end has fewer words. */
static struct prosa_server_words *end_words(struct prosa_server_session *session)
{
    if (session->words == NULL)
        session->words = calloc(1, sizeof *session->words);
    return session->words;
}

void prosa_server_over(struct prosa_server_session *session, enum prosa_ending how, uint16_t code)
{
    note_end(session, how, code);
    session->state = SERVER_CLOSED;
    session->waiting = WAIT_NOTHING;
}

static void begin_end(struct prosa_server_session *session, unsigned flags, uint64_t now_ms)
{
    session->state = SERVER_CLOSING;
    session->waiting = WAIT_NOTHING;
    session->deadline_ms = now_ms + session->config->limits.linger_ms;
    prosa_server_clear(session, FLAG_THIRSTY);
    prosa_server_set(session, FLAG_END_DUE | flags);
}

void prosa_server_fatal(struct prosa_server_session *session, const struct prosa_fault *fault,
                        uint64_t now_ms)
{
    if (session->state >= SERVER_CLOSING)
        return;
    note_end(session, PROSA_ENDING_ERROR, fault->code);
    struct prosa_server_words *words = end_words(session);
    if (words != NULL)
        *words = (struct prosa_server_words){.fault = *fault};
    prosa_server_set_barriers(session); /* the messages before it still count [FLOW-21] [FLOW-25] */
    begin_end(session, FLAG_END_ERROR | FLAG_END_DECIDED | FLAG_END_DELIVERED | FLAG_DISCARD, now_ms);
}

void prosa_server_fault_of(struct prosa_server_session *session, const struct prosa_frame *frame,
                           enum prosa_status status, const char *clause, uint64_t now_ms)
{
    const struct prosa_fault fault = {
        .code = prosa_status_code(status),
        .ref_type = frame == NULL ? 0 : frame->type,
        .clause = clause,
    };
    prosa_server_fatal(session, &fault, now_ms);
}

void prosa_server_recall_end(struct prosa_server_session *session)
{
    if (session->state != SERVER_CLOSING || !prosa_server_has(session, FLAG_END_DUE) ||
        !prosa_server_has(session, FLAG_FROM_PEER | FLAG_END_ERROR))
        return;
    session->state = SERVER_READY;
    session->ending = 0;
    prosa_server_clear(session, FLAG_END_DUE | FLAG_END_ERROR | FLAG_FROM_PEER);
}

void prosa_server_goodbye(struct prosa_server_session *session, uint16_t code, unsigned gates,
                          uint64_t now_ms)
{
    note_end(session, code == PROSA_CODE_IDLE ? PROSA_ENDING_SILENCE : PROSA_ENDING_GOODBYE, code);
    prosa_server_set_barriers(session);
    begin_end(session, gates, now_ms);
}

void prosa_server_session_bye(struct prosa_server_session *session, uint16_t code, uint64_t now_ms)
{
    switch (prosa_server_cell(session, SERVER_ON_GOODBYE)->action) {
    case DO_GOODBYE:
        if (code == PROSA_CODE_REPLACED) /* its places are another's: no MEMBER comes any more [MEM-09] */
            prosa_server_let_go(session);
        prosa_server_goodbye(session, code, FLAG_END_DECIDED | FLAG_END_DELIVERED, now_ms);
        break;
    case DO_FINISH: /* before READY nobody waits for a BYE */
        prosa_server_over(session, PROSA_ENDING_GOODBYE, code);
        break;
    default:
        break;
    }
}

void prosa_server_session_fail(struct prosa_server_session *session, enum prosa_status status,
                               uint64_t now_ms)
{
    const char *clause = status == PROSA_ERR_BAD_SIG ? "AUTH-16" : NULL;
    const struct prosa_fault fault = {
        .code = prosa_status_code(status),
        .ref_type = session->waiting == WAIT_WELCOME ? PROSA_FRAME_AUTH : 0,
        .clause = clause,
    };
    prosa_server_fatal(session, &fault, now_ms);
    prosa_server_clear(session, FLAG_END_DELIVERED); /* what is owed may be what the caller does not have */
}

void prosa_server_queue(struct prosa_server_session *session, const struct prosa_message *message)
{
    if (prosa_buffer_message(&session->out, message, prosa_bytes(NULL, 0)) != PROSA_OK)
        prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
}

void prosa_server_queue_error(struct prosa_server_session *session, const struct prosa_fault *fault)
{
    if (prosa_buffer_error(&session->out, fault) != PROSA_OK)
        prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
}

/* --- octets in -------------------------------------------------------------------------------- */

static size_t frame_cap(const struct prosa_server_session *session)
{
    bool ready = session->state == SERVER_READY || session->handshake == NULL;
    return ready ? session->config->limits.max_frame : PROSA_MAX_FRAME_HANDSHAKE; /* [WIRE-07] [WIRE-08] */
}

/* Whether the next frame, if whole, would be parsed. */
static bool parses(const struct prosa_server_session *session)
{
    if (session->state == SERVER_CLOSING)
        return !prosa_server_has(session, FLAG_DISCARD);
    if (prosa_buffer_size(&session->out) > session->config->limits.output_limit)
        return false; /* [FLOW-36] */
    return session->state != SERVER_CLOSED && session->waiting == WAIT_NOTHING &&
           !prosa_server_has(session, FLAG_PONG_DUE | FLAG_THIRSTY);
}

/* How many octets may be held unparsed. A partial frame alone is never in the way. */
static size_t input_cap(const struct prosa_server_session *session)
{
    if (session->state < SERVER_READY)
        return 2 * (size_t)(PROSA_HEADER_SIZE + PROSA_MAX_FRAME_HANDSHAKE);
    size_t cap = session->config->limits.undecided_limit; /* [FLOW-36] */
    if (parses(session) && session->undecided == 0)
        return cap + PROSA_HEADER_SIZE + session->config->limits.max_frame;
    return cap > session->undecided ? cap - session->undecided : 0;
}

size_t prosa_server_session_recv_space(struct prosa_server_session *session, uint8_t **at)
{
    struct prosa_buffer *in = &session->in;
    size_t space = session->config->read_size;

    if (session->state == SERVER_CLOSED || prosa_server_has(session, FLAG_EOF))
        return 0;
    if (session->state == SERVER_READY &&
        prosa_buffer_size(&session->out) > session->config->limits.output_limit)
        return 0; /* [FLOW-36] */
    if (session->state == SERVER_CLOSING && prosa_server_has(session, FLAG_DISCARD))
        prosa_buffer_consume(in, prosa_buffer_size(in));
    size_t cap = input_cap(session);
    size_t held = prosa_buffer_size(in);
    if (held >= cap)
        return 0;
    if (space > cap - held)
        space = cap - held;
    if (!prosa_buffer_reserve(in, space)) { /* nothing wakes a session that does not read */
        if (session->state == SERVER_CLOSING)
            prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
        else
            prosa_server_session_fail(session, PROSA_ERR_INTERNAL, session->heard_ms);
        return 0;
    }
    *at = in->run->at + in->run->end;
    return space;
}

void prosa_server_session_recv_commit(struct prosa_server_session *session, size_t size, uint64_t now_ms)
{
    if (size == 0)
        return;
    prosa_buffer_commit(&session->in, size);
    session->heard_ms = now_ms; /* [LIVE-06] */
    prosa_server_clear(session, FLAG_PING_SENT);
}

void prosa_server_session_recv_eof(struct prosa_server_session *session, uint64_t now_ms)
{
    (void)now_ms;
    prosa_server_set(session, FLAG_EOF); /* it stands behind the octets that came before it */
}

void prosa_server_session_recv_reset(struct prosa_server_session *session, uint64_t now_ms)
{
    (void)now_ms;
    prosa_server_over(session, PROSA_ENDING_RESET, 0);
}

/* --- parsing and dispatch --------------------------------------------------------------------- */

static enum prosa_server_input input_of(uint8_t type)
{
    switch (type) {
    case PROSA_FRAME_HELLO:
        return SERVER_ON_HELLO;
    case PROSA_FRAME_AUTH:
        return SERVER_ON_AUTH;
    case PROSA_FRAME_JOIN:
        return SERVER_ON_JOIN;
    case PROSA_FRAME_LEAVE:
        return SERVER_ON_LEAVE;
    case PROSA_FRAME_PUBLISH:
        return SERVER_ON_PUBLISH;
    case PROSA_FRAME_ACK:
        return SERVER_ON_ACK;
    case PROSA_FRAME_PING:
        return SERVER_ON_PING;
    case PROSA_FRAME_PONG:
        return SERVER_ON_PONG;
    case PROSA_FRAME_ERROR:
        return SERVER_ON_ERROR;
    case PROSA_FRAME_BYE:
        return SERVER_ON_BYE;
    default:
        return SERVER_ON_SERVER_FRAME;
    }
}

/* The peer ends: remember its words. */
static void note_peer_end(struct prosa_server_session *session, enum prosa_ending how, uint16_t code,
                          struct prosa_bytes reason)
{
    if (session->ending != 0)
        return;
    note_end(session, how, code);
    prosa_server_set(session, FLAG_FROM_PEER);
    struct prosa_server_words *words = reason.size > 0 ? end_words(session) : NULL;
    if (words == NULL)
        return;
    words->reason_size = (uint8_t)reason.size;
    memcpy(words->reason, reason.at, reason.size);
}

/* ERROR and BYE of the peer, and malformed ones [ERR-10]. */
static void on_farewell(struct prosa_server_session *session, const struct prosa_message *message,
                        enum prosa_status decoded, const struct prosa_cell *cell, uint64_t now_ms)
{
    bool bye = message->type == PROSA_FRAME_BYE;

    if (decoded != PROSA_OK)
        note_end(session, PROSA_ENDING_ERROR, prosa_status_code(decoded));
    else if (bye)
        note_peer_end(session, PROSA_ENDING_GOODBYE, message->bye.code, message->bye.reason);
    else if (session->state == SERVER_READY && !prosa_code_closes(message->error.code))
        return; /* [ERR-04] */
    else
        note_peer_end(session, PROSA_ENDING_ERROR, message->error.code, message->error.reason);

    if (cell->action == DO_BYE && decoded == PROSA_OK) {
        prosa_server_set_barriers(session);
        begin_end(session, FLAG_END_DECIDED | FLAG_END_DELIVERED, now_ms); /* [END-02] [END-03] */
    } else if (session->state == SERVER_CLOSING) {
        prosa_server_set(session, FLAG_FINISH);
    } else {
        prosa_server_over(session, PROSA_ENDING_ERROR, 0);
    }
}

static void on_ping(struct prosa_server_session *session, const struct prosa_ping *ping)
{
    session->opaque_size = (uint8_t)ping->opaque.size;
    if (ping->opaque.size > 0)
        memcpy(session->opaque, ping->opaque.at, ping->opaque.size);
    prosa_server_set_barriers(session);
    prosa_server_set(session, FLAG_PONG_DUE);
}

/* Applies a frame that its cell allows. True: *event is set. */
static bool apply(struct prosa_server_session *session, const struct prosa_frame *frame,
                  const struct prosa_message *message, struct prosa_server_event *event, uint64_t now_ms)
{
    switch (frame->type) {
    case PROSA_FRAME_HELLO:
        return prosa_server_on_hello(session, frame, &message->hello, event, now_ms);
    case PROSA_FRAME_AUTH:
        return prosa_server_on_auth(session, frame, &message->auth, event);
    case PROSA_FRAME_JOIN:
        return prosa_server_on_join(session, frame, &message->join, event, now_ms);
    case PROSA_FRAME_LEAVE:
        return prosa_server_on_leave(session, frame, &message->leave, event, now_ms);
    case PROSA_FRAME_PUBLISH:
        return prosa_server_on_publish(session, frame, &message->publish, event, now_ms);
    case PROSA_FRAME_ACK:
        prosa_server_on_ack(session, frame, &message->ack, now_ms);
        return false;
    default:
        on_ping(session, &message->ping);
        return false;
    }
}

static bool on_frame(struct prosa_server_session *session, const struct prosa_frame *frame,
                     struct prosa_server_event *event, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_server_cell(session, input_of(frame->type));
    struct prosa_message message = {.type = frame->type};

    if (cell->action == DO_FATAL) {
        prosa_server_fault_of(session, frame, (enum prosa_status) - (int)cell->code, cell->clause, now_ms);
        return false;
    }
    if (cell->action == DO_DISCARD)
        return false;
    enum prosa_status decoded = prosa_message_decode(frame, PROSA_FROM_CLIENT, &message);
    if (frame->type == PROSA_FRAME_BYE || frame->type == PROSA_FRAME_ERROR) {
        on_farewell(session, &message, decoded, cell, now_ms);
        return false;
    }
    if (decoded != PROSA_OK) {
        prosa_server_fault_of(session, frame, decoded, prosa_clause_of_fields(decoded), now_ms);
        return false;
    }
    if (cell->action == DO_IGNORE)
        return false;
    *event = (struct prosa_server_event){.octets = frame->octets, .body = frame->body};
    return apply(session, frame, &message, event, now_ms);
}

/* Input that is no frame of this protocol, by its cell. */
static void on_oddity(struct prosa_server_session *session, enum prosa_server_input input,
                      enum prosa_status status, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_server_cell(session, input);
    if (cell->action == DO_CLOSE)
        prosa_server_over(session, PROSA_ENDING_QUIET, 0); /* [WIRE-03] */
    else if (cell->action == DO_FATAL)
        prosa_server_fault_of(session, NULL, cell->code == 0 ? status : (enum prosa_status) - (int)cell->code,
                              cell->code == 0 ? prosa_clause_of_header(status) : cell->clause, now_ms);
    else if (cell->action == DO_DISCARD && input != SERVER_ON_UNKNOWN_ODD)
        prosa_server_set(session, FLAG_DISCARD);
}

static void on_eof(struct prosa_server_session *session)
{
    if (session->state == SERVER_CLOSING)
        prosa_server_set(session, FLAG_FINISH);
    else
        prosa_server_over(session, PROSA_ENDING_EOF, 0); /* [END-15] */
}

/* JOIN, LEAVE and PING cost a token [FLOW-37]; false: none is left. */
static bool pay_token(struct prosa_server_session *session, uint8_t type, uint64_t now_ms)
{
    const struct prosa_limits *limits = &session->config->limits;
    uint64_t burst = (uint64_t)limits->token_burst * 1000; /* tokens are counted in thousandths */

    if (type != PROSA_FRAME_JOIN && type != PROSA_FRAME_LEAVE && type != PROSA_FRAME_PING)
        return true;
    uint64_t missing = burst - session->tokens;
    uint64_t waited = now_ms - session->token_ms;
    session->tokens =
        waited > missing / limits->token_rate ? burst : session->tokens + waited * limits->token_rate;
    session->token_ms = now_ms;
    if (session->tokens < 1000) {
        prosa_server_set(session, FLAG_THIRSTY);
        return false;
    }
    session->tokens -= 1000;
    return true;
}

/* A frame that has to wait for something else than octets. */
static bool must_wait(struct prosa_server_session *session, const struct prosa_frame *frame, uint64_t now_ms)
{
    if (session->state != SERVER_READY)
        return false;
    if (frame->type == PROSA_FRAME_LEAVE && session->pending > 0)
        return true; /* its answer is the last frame about the room [MEM-07] */
    return !pay_token(session, frame->type, now_ms);
}

/* Takes one frame off the input. PROSA_OK: *event is set. PROSA_IGNORED: go on. PROSA_END: wait. */
static enum prosa_status step(struct prosa_server_session *session, struct prosa_server_event *event,
                              uint64_t now_ms)
{
    struct prosa_frame frame;
    enum prosa_status status;
    bool given = false;
    enum prosa_found found =
        prosa_find_frame(prosa_buffer_view(&session->in), frame_cap(session), &frame, &status);

    switch (found) {
    case PROSA_FOUND_PARTIAL:
        if (!prosa_server_has(session, FLAG_EOF) || prosa_server_has(session, FLAG_FINISH))
            return PROSA_END;
        on_eof(session);
        return PROSA_IGNORED;
    case PROSA_FOUND_FRAME:
        if (must_wait(session, &frame, now_ms))
            return PROSA_END;
        given = on_frame(session, &frame, event, now_ms);
        break;
    case PROSA_FOUND_UNKNOWN_ODD:
        on_oddity(session, SERVER_ON_UNKNOWN_ODD, status, now_ms);
        break;
    case PROSA_FOUND_UNKNOWN_EVEN:
        on_oddity(session, SERVER_ON_UNKNOWN_EVEN, status, now_ms);
        return PROSA_IGNORED;
    case PROSA_FOUND_MALFORMED:
        on_oddity(session, SERVER_ON_MALFORMED, status, now_ms);
        return PROSA_IGNORED;
    case PROSA_FOUND_NOT_MAGIC:
        on_oddity(session, SERVER_ON_NOT_MAGIC, status, now_ms);
        return PROSA_IGNORED;
    }
    if (session->waiting != WAIT_JOINED) /* a JOIN is read again for its answer */
        prosa_buffer_consume(&session->in, frame.octets.size);
    return given ? PROSA_OK : PROSA_IGNORED;
}

/* Steps as far as they go. PROSA_OK: *event is set. */
static enum prosa_status read_input(struct prosa_server_session *session, struct prosa_server_event *event,
                                    uint64_t now_ms)
{
    enum prosa_status status = PROSA_IGNORED;
    if (prosa_server_has(session, FLAG_THIRSTY))
        prosa_server_clear(session, FLAG_THIRSTY); /* the step asks again */
    while (status == PROSA_IGNORED) {
        if (session->state == SERVER_CLOSING && prosa_server_has(session, FLAG_DISCARD)) {
            prosa_buffer_consume(&session->in, prosa_buffer_size(&session->in));
            if (prosa_server_has(session, FLAG_EOF))
                on_eof(session);
            return PROSA_END;
        }
        if (!parses(session))
            return PROSA_END;
        status = step(session, event, now_ms);
        prosa_server_settle(session);
    }
    return status;
}

/* SHUT and ENDED. */
static bool closing_event(struct prosa_server_session *session, struct prosa_server_event *event,
                          uint64_t now_ms)
{
    if (session->state == SERVER_CLOSING && !prosa_server_has(session, FLAG_END_DUE) &&
        prosa_buffer_size(&session->out) == 0) {
        if (!prosa_server_has(session, FLAG_SHUT)) {
            prosa_server_set(session, FLAG_SHUT);
            session->deadline_ms = now_ms + session->config->limits.linger_ms;
            *event = (struct prosa_server_event){.kind = PROSA_SERVER_SHUT};
            return true;
        }
        if (prosa_server_has(session, FLAG_FINISH))
            session->state = SERVER_CLOSED;
    }
    if (session->state != SERVER_CLOSED || prosa_server_has(session, FLAG_ENDED))
        return false;

    prosa_server_set(session, FLAG_ENDED);
    prosa_buffer_free(&session->in);
    prosa_buffer_free(&session->out);
    *event = (struct prosa_server_event){.kind = PROSA_SERVER_ENDED};
    event->ended = (struct prosa_ended){
        .how = (enum prosa_ending)(session->ending - 1),
        .code = session->end_code,
        .from_peer = prosa_server_has(session, FLAG_FROM_PEER),
        .reset = prosa_server_has(session, FLAG_RESET),
    };
    if (session->words != NULL)
        event->ended.reason = prosa_bytes(session->words->reason, session->words->reason_size);
    return true;
}

enum prosa_status prosa_server_session_next(struct prosa_server_session *session,
                                            struct prosa_server_event *event, uint64_t now_ms)
{
    if (prosa_server_has(session, FLAG_ENDED))
        return PROSA_END;
    prosa_server_settle(session);
    if (prosa_server_ask_checkpoint(session, event))
        return PROSA_OK;
    if (read_input(session, event, now_ms) == PROSA_OK)
        return PROSA_OK;
    prosa_buffer_release(&session->in);
    if (prosa_server_ask_checkpoint(session, event))
        return PROSA_OK;
    return closing_event(session, event, now_ms) ? PROSA_OK : PROSA_END;
}
