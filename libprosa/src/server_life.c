/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <stdlib.h>

enum prosa_status prosa_server_session_init(struct prosa_server_session *session,
                                            const struct prosa_server_config *config,
                                            const uint8_t nonce[static PROSA_NONCE_SIZE], uint64_t now_ms)
{
    *session = (struct prosa_server_session){
        .config = config, .state = SERVER_NEW, .heard_ms = now_ms, .progress_ms = now_ms};
    session->handshake = calloc(1, sizeof *session->handshake);
    if (session->handshake == NULL)
        return PROSA_ERR_NO_SPACE;
    memcpy(session->handshake->nonce, nonce, PROSA_NONCE_SIZE);
    session->handshake->deadline_ms = now_ms + config->limits.handshake_ms;
    return PROSA_OK;
}

void prosa_server_session_fini(struct prosa_server_session *session)
{
    prosa_server_slots_free(session);
    prosa_buffer_free(&session->in);
    prosa_buffer_free(&session->out);
    free(session->handshake);
    free(session->words);
    *session = (struct prosa_server_session){.state = SERVER_CLOSED, .flags = FLAG_ENDED};
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Silence counts only while we listen: a full input is of our own making. */
static bool listens(const struct prosa_server_session *session)
{
    size_t held = prosa_buffer_size(&session->in) + session->undecided;
    return !prosa_server_has(session, FLAG_THIRSTY) && held < session->config->limits.undecided_limit &&
           prosa_buffer_size(&session->out) <= session->config->limits.output_limit;
}

static uint64_t liveness_deadline(const struct prosa_server_session *session)
{
    const struct prosa_limits *limits = &session->config->limits;
    if ((session->features & PROSA_FEATURE_LIVENESS) == 0)
        return PROSA_NEVER;
    uint64_t dead = session->heard_ms + limits->dead_after_ms;
    return prosa_server_has(session, FLAG_PING_SENT) ? dead
                                                     : lower(dead, session->heard_ms + limits->ping_after_ms);
}

static uint64_t thirst_deadline(const struct prosa_server_session *session)
{
    uint64_t rate = session->config->limits.token_rate; /* thousandths of a token in 1 ms */
    if (!prosa_server_has(session, FLAG_THIRSTY))
        return PROSA_NEVER;
    return session->token_ms + (1000 - session->tokens + rate - 1) / rate;
}

uint64_t prosa_server_session_deadline_ms(const struct prosa_server_session *session)
{
    uint64_t slow = prosa_server_has(session, FLAG_OWED)
                        ? session->progress_ms + session->config->limits.slow_ms
                        : PROSA_NEVER;
    switch (session->state) {
    case SERVER_NEW:
    case SERVER_CHALLENGED:
    case SERVER_VERIFYING:
        return session->handshake->deadline_ms;
    case SERVER_READY:
        return lower(lower(liveness_deadline(session), slow), thirst_deadline(session));
    case SERVER_CLOSING:
        return session->deadline_ms;
    default:
        return prosa_server_has(session, FLAG_ENDED) ? PROSA_NEVER : 0; /* next() has ENDED */
    }
}

static void tick_handshake(struct prosa_server_session *session, uint64_t now_ms)
{
    const struct prosa_cell *cell = prosa_server_cell(session, SERVER_ON_HANDSHAKE_DEADLINE);
    if (cell->action == DO_CLOSE)
        prosa_server_over(session, PROSA_ENDING_QUIET, 0);
    else
        prosa_server_fault_of(session, NULL, PROSA_ERR_TIMEOUT, cell->clause, now_ms);
}

static void tick_ready(struct prosa_server_session *session, uint64_t now_ms)
{
    const struct prosa_message ping = {.type = PROSA_FRAME_PING};

    if (!listens(session))
        session->heard_ms = now_ms;
    if (prosa_server_has(session, FLAG_OWED) &&
        now_ms >= session->progress_ms + session->config->limits.slow_ms) {
        prosa_server_goodbye(session, PROSA_CODE_SLOW_CONSUMER, 0, now_ms);
        return;
    }
    if (now_ms < liveness_deadline(session))
        return;
    if (now_ms >= session->heard_ms + session->config->limits.dead_after_ms) {
        prosa_server_goodbye(session, PROSA_CODE_IDLE, 0, now_ms); /* [LIVE-05] */
        return;
    }
    prosa_server_set(session, FLAG_PING_SENT);
    prosa_server_queue(session, &ping); /* [LIVE-04] */
}

static void tick_closing(struct prosa_server_session *session, uint64_t now_ms)
{
    if (prosa_server_has(session, FLAG_END_DUE) && session->pending > 0) {
        session->deadline_ms =
            now_ms + session->config->limits.linger_ms; /* it is not the peer that is slow */
        return;
    }
    if (!prosa_server_has(session, FLAG_SHUT) || session->end_code == PROSA_CODE_SLOW_CONSUMER)
        prosa_server_set(session, FLAG_RESET); /* [FLOW-39] */
    prosa_server_over(session, PROSA_ENDING_RESET, 0);
}

void prosa_server_session_tick(struct prosa_server_session *session, uint64_t now_ms)
{
    if (session->state == SERVER_CLOSED || now_ms < prosa_server_session_deadline_ms(session))
        return;
    if (session->state == SERVER_READY)
        tick_ready(session, now_ms);
    else if (session->state == SERVER_CLOSING)
        tick_closing(session, now_ms);
    else
        tick_handshake(session, now_ms);
}

/* --- what is known ---------------------------------------------------------------------------- */

size_t prosa_server_session_pending(const struct prosa_server_session *session)
{
    return session->pending;
}

bool prosa_server_session_ready(const struct prosa_server_session *session)
{
    return session->state == SERVER_READY;
}

bool prosa_server_session_saw_hello(const struct prosa_server_session *session)
{
    return session->state != SERVER_NEW;
}

const struct prosa_server_config *prosa_server_session_config(const struct prosa_server_session *session)
{
    return session->config;
}

uint32_t prosa_server_session_features(const struct prosa_server_session *session)
{
    return session->features;
}

const uint8_t *prosa_server_session_client_key(const struct prosa_server_session *session)
{
    return session->client_key;
}

struct prosa_bytes prosa_server_session_nick(const struct prosa_server_session *session)
{
    return prosa_bytes(session->nick, session->nick_size);
}

struct prosa_room *prosa_server_session_room(const struct prosa_server_session *session, size_t i)
{
    return i < session->slot_count ? session->slots[i].room : NULL;
}

uint64_t prosa_server_session_delivered(const struct prosa_server_session *session,
                                        const struct prosa_room *room)
{
    const struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    return slot == NULL ? 0 : slot->cursor;
}

uint64_t prosa_server_session_limit(const struct prosa_server_session *session, const struct prosa_room *room)
{
    const struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    return slot == NULL ? 0 : slot->limit_seq;
}

size_t prosa_server_session_memory(const struct prosa_server_session *session)
{
    return sizeof *session + (session->handshake != NULL ? sizeof *session->handshake : 0) +
           (session->words != NULL ? sizeof *session->words : 0) + prosa_buffer_memory(&session->in) +
           prosa_buffer_memory(&session->out) + prosa_server_slots_memory(session);
}
