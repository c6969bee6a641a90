/* SPDX-License-Identifier: MIT */
#include "client.h"

static const uint8_t versions[] = {PROSA_VERSION};
static const uint8_t grease[] = {0x0A, 0x0B, 0x00, 0x04, 'o', 'd', 'd', '!'}; /* [WIRE-27] */

enum prosa_status prosa_client_session_init(struct prosa_client_session *session,
                                            const struct prosa_client_config *config,
                                            const uint8_t nonce[static PROSA_NONCE_SIZE], uint64_t now_ms)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_HELLO,
        .hello =
            {
                .versions = prosa_bytes(versions, sizeof versions),
                .nonce = nonce,
                .client_key = config->keypair.key,
                .features = config->features,
                .target = config->target,
            },
    };
    struct prosa_bytes extra = prosa_bytes(grease, config->grease ? sizeof grease : 0);

    const struct prosa_limits limits = prosa_limits_default();

    *session = (struct prosa_client_session){.config = config,
                                             .state = CLIENT_OFFLINE,
                                             .heard_ms = now_ms,
                                             .deadline_ms = now_ms + limits.handshake_ms,
                                             .features = config->features,
                                             .limits = limits};
    enum prosa_status status = prosa_buffer_message(&session->out, &message, extra);
    if (status != PROSA_OK) {
        prosa_buffer_free(&session->out);
        return status;
    }
    prosa_sha256_init(&session->hello);
    prosa_sha256_add(&session->hello, prosa_buffer_view(&session->out));
    session->state = prosa_client_cell(session, CLIENT_ON_CONNECTED)->next;
    return PROSA_OK;
}

static uint8_t highest_common(struct prosa_bytes theirs)
{
    return memchr(theirs.at, PROSA_VERSION, theirs.size) != NULL ? PROSA_VERSION : 0;
}

/* [AUTH-13] in its order. */
static enum prosa_status check_challenge(const struct prosa_client_session *session,
                                         const struct prosa_frame *frame,
                                         const struct prosa_challenge *challenge)
{
    const struct prosa_client_config *config = session->config;
    const uint8_t *key = challenge->server_key;

    if (prosa_key_check(prosa_bytes(key, PROSA_KEY_SIZE)) != PROSA_OK)
        return PROSA_ERR_BAD_KEY;
    if (memcmp(key, config->keypair.key, PROSA_KEY_SIZE) == 0)
        return PROSA_ERR_BAD_KEY;
    if (config->pinned_key != NULL && memcmp(key, config->pinned_key, PROSA_KEY_SIZE) != 0)
        return PROSA_ERR_PIN_MISMATCH;
    if (prosa_challenge_verify(key, &session->hello, frame->octets) != PROSA_OK)
        return PROSA_ERR_BAD_SIG;
    return challenge->version == highest_common(challenge->versions) ? PROSA_OK : PROSA_ERR_DOWNGRADE;
}

static struct prosa_limits limits_of(const struct prosa_challenge *challenge)
{
    return (struct prosa_limits){
        .max_frame = challenge->max_frame,
        .max_rooms = challenge->max_rooms,
        .max_window = challenge->max_window,
        .token_rate = challenge->token_rate,
        .token_burst = challenge->token_burst,
        .member_limit = challenge->member_limit,
        .undecided_limit = challenge->undecided_limit,
        .output_limit = challenge->output_limit,
        .handshake_ms = challenge->handshake_ms,
        .ping_after_ms = challenge->ping_after_ms,
        .dead_after_ms = challenge->dead_after_ms,
        .slow_ms = challenge->slow_ms,
        .linger_ms = challenge->linger_ms,
    };
}

static void send_auth(struct prosa_client_session *session, uint64_t now_ms)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    const struct prosa_client_config *config = session->config;
    const struct prosa_message message = {
        .type = PROSA_FRAME_AUTH,
        .auth =
            {
                .nick = config->nick,
                .has_display = config->display.size > 0,
                .display = config->display,
                .handshake_sig = unsigned_yet,
            },
    };
    size_t before = prosa_buffer_size(&session->out);
    prosa_client_queue(session, &message, prosa_bytes(NULL, 0));
    size_t size = prosa_buffer_size(&session->out) - before;
    if (session->state != CLIENT_HELLO_SENT)
        return;
    session->state = prosa_client_cell(session, CLIENT_ON_CHALLENGE)->next;
    struct prosa_run *out = session->out.run;
    if (prosa_auth_sign(&config->keypair, session->th2, out->at + out->end - size, size) != PROSA_OK)
        prosa_client_session_fail(session, PROSA_ERR_INTERNAL, now_ms);
}

bool prosa_client_on_challenge(struct prosa_client_session *session, const struct prosa_frame *frame,
                               const struct prosa_challenge *challenge, struct prosa_client_event *event,
                               uint64_t now_ms)
{
    memcpy(session->server_key, challenge->server_key, PROSA_KEY_SIZE);
    prosa_client_set(session, CLIENT_HAS_KEY);
    enum prosa_status status = check_challenge(session, frame, challenge);
    if (status != PROSA_OK) {
        prosa_client_fault_of(session, frame, status, "AUTH-13", now_ms);
        return false;
    }
    session->features = session->config->features & challenge->features; /* [AUTH-11] */
    session->limits = limits_of(challenge);
    session->deadline_ms = now_ms + session->limits.handshake_ms; /* [AUTH-23] */
    prosa_transcript_th2(&session->hello, frame->octets, session->th2);
    if (session->config->pinned_key != NULL) {
        send_auth(session, now_ms);
        return false;
    }
    prosa_client_set(session, CLIENT_ASKS_TRUST);
    event->kind = PROSA_CLIENT_KEY;
    return true;
}

void prosa_client_session_trust(struct prosa_client_session *session, uint64_t now_ms)
{
    if (!prosa_client_has(session, CLIENT_ASKS_TRUST))
        return;
    prosa_client_clear(session, CLIENT_ASKS_TRUST);
    send_auth(session, now_ms);
}
