/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <stdlib.h>

static const uint8_t versions[] = {PROSA_VERSION};

bool prosa_server_on_hello(struct prosa_server_session *session, const struct prosa_frame *frame,
                           const struct prosa_hello *hello, struct prosa_server_event *event, uint64_t now_ms)
{
    const uint8_t *own_key = session->config->keypair.key;

    if (memchr(hello->versions.at, PROSA_VERSION, hello->versions.size) == NULL) {
        prosa_server_fault_of(session, frame, PROSA_ERR_UNSUPPORTED, "AUTH-05", now_ms);
        return false;
    }
    if (prosa_key_check(prosa_bytes(hello->client_key, PROSA_KEY_SIZE)) != PROSA_OK ||
        memcmp(hello->client_key, own_key, PROSA_KEY_SIZE) == 0) {
        prosa_server_fault_of(session, frame, PROSA_ERR_BAD_KEY, "AUTH-06", now_ms);
        return false;
    }
    memcpy(session->client_key, hello->client_key, PROSA_KEY_SIZE);
    session->features = hello->features & session->config->features; /* [AUTH-11] */
    prosa_sha256_init(&session->handshake->hello);
    prosa_sha256_add(&session->handshake->hello, frame->octets);
    session->state = prosa_server_cell(session, SERVER_ON_HELLO)->next;
    session->waiting = WAIT_CHALLENGE;
    event->kind = PROSA_SERVER_HELLO;
    event->hello = *hello;
    return true;
}

static struct prosa_message challenge_of(const struct prosa_server_session *session)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    const struct prosa_limits *limits = &session->config->limits;

    return (struct prosa_message){
        .type = PROSA_FRAME_CHALLENGE,
        .challenge =
            {
                .versions = prosa_bytes(versions, sizeof versions),
                .nonce = session->handshake->nonce,
                .features = session->config->features,
                .version = PROSA_VERSION, /* [AUTH-10] */
                .server_key = session->config->keypair.key,
                .max_frame = limits->max_frame,
                .max_rooms = limits->max_rooms,
                .max_window = limits->max_window,
                .token_rate = limits->token_rate,
                .token_burst = limits->token_burst,
                .member_limit = limits->member_limit,
                .undecided_limit = limits->undecided_limit,
                .output_limit = limits->output_limit,
                .handshake_ms = limits->handshake_ms,
                .ping_after_ms = limits->ping_after_ms,
                .dead_after_ms = limits->dead_after_ms,
                .slow_ms = limits->slow_ms,
                .linger_ms = limits->linger_ms,
                .handshake_sig = unsigned_yet,
            },
    };
}

void prosa_server_session_challenge(struct prosa_server_session *session, uint64_t now_ms)
{
    if (session->waiting != WAIT_CHALLENGE)
        return;
    session->waiting = WAIT_NOTHING;
    struct prosa_server_handshake *handshake = session->handshake;
    const struct prosa_message message = challenge_of(session);
    prosa_server_queue(session, &message);
    struct prosa_bytes frame = prosa_buffer_view(&session->out); /* nothing else is in the output yet */
    if (session->state == SERVER_CLOSED)
        return;
    struct prosa_run *out = session->out.run;
    if (prosa_challenge_sign(&session->config->keypair, &handshake->hello, out->at + out->start,
                             frame.size) != PROSA_OK) {
        prosa_server_fault_of(session, NULL, PROSA_ERR_INTERNAL, NULL, now_ms);
        return;
    }
    prosa_transcript_th2(&handshake->hello, frame, handshake->signed_octets);
}

bool prosa_server_on_auth(struct prosa_server_session *session, const struct prosa_frame *frame,
                          const struct prosa_auth *auth, struct prosa_server_event *event)
{
    struct prosa_server_handshake *handshake = session->handshake;
    struct prosa_bytes fields = prosa_fields_before(frame->body, PROSA_HANDSHAKE_SIG_TAG);

    memcpy(handshake->signed_octets + PROSA_HASH_SIZE, fields.at, fields.size);
    session->nick_size = (uint8_t)auth->nick.size;
    memcpy(session->nick, auth->nick.at, auth->nick.size);
    session->state = prosa_server_cell(session, SERVER_ON_AUTH)->next;
    session->waiting = WAIT_WELCOME;
    event->kind = PROSA_SERVER_AUTH;
    event->auth = *auth;
    event->job = (struct prosa_verify_job){
        .key = prosa_bytes(session->client_key, PROSA_KEY_SIZE),
        .label = PROSA_LABEL(CLIENT_AUTH),
        .message = prosa_bytes(handshake->signed_octets, PROSA_HASH_SIZE + fields.size), /* [AUTH-15] */
        .signature = prosa_bytes(auth->handshake_sig, PROSA_SIGNATURE_SIZE),
    };
    return true;
}

void prosa_server_session_welcome(struct prosa_server_session *session, uint64_t number, uint64_t time_ms,
                                  uint64_t now_ms)
{
    if (session->waiting != WAIT_WELCOME)
        return;
    if (prosa_bytes_equal(prosa_server_session_nick(session), prosa_bytes_of_string("host"))) {
        const struct prosa_fault fault = {
            .code = PROSA_CODE_NICK_TAKEN, .ref_type = PROSA_FRAME_AUTH, .clause = "ID-09"};
        prosa_server_fatal(session, &fault, now_ms);
        return;
    }
    session->waiting = WAIT_NOTHING;
    session->state = prosa_server_cell(session, SERVER_ON_VERDICT_GOOD)->next;
    free(session->handshake);
    session->handshake = NULL;
    session->heard_ms = now_ms;
    session->progress_ms = now_ms;
    session->token_ms = now_ms;
    session->tokens = (uint64_t)session->config->limits.token_burst * 1000;
    const struct prosa_message message = {
        .type = PROSA_FRAME_WELCOME,
        .welcome = {.session = number, .time = time_ms},
    };
    prosa_server_queue(session, &message);
}
