/* SPDX-License-Identifier: MIT */
#include "server_rig.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t nonce[PROSA_NONCE_SIZE] = {7};
static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "server rig: %s\n", what);
    exit(1);
}

/* --- life ------------------------------------------------------------------------------------- */

static void log_init(struct rig *rig, struct rig_log *log, const char *name, uint8_t epoch)
{
    const uint8_t octets[PROSA_EPOCH_SIZE] = {epoch};
    prosa_room_init(&log->room, rig->config.keypair.key, octets, prosa_bytes_of_string(name),
                    rig->client.key);
    prosa_chain_start(log->room.room_id, log->chain[0]);
}

void rig_init(struct rig *rig)
{
    const uint8_t server_seed[32] = {1}, client_seed[32] = {2};
    need(prosa_sign_init() == PROSA_OK, "libsodium");
    *rig = (struct rig){.now = 1000,
                        .nick = "ada",
                        .features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME,
                        .window = 64,
                        .write_at_most = SIZE_MAX};
    prosa_keypair_from_seed(&rig->config.keypair, server_seed);
    prosa_keypair_from_seed(&rig->client, client_seed);
    rig->config.features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME | PROSA_FEATURE_AUDIT;
    rig->config.limits = prosa_limits_default();
    rig->config.read_size = 4096;
    log_init(rig, &rig->host, "@host", 1);
    log_init(rig, &rig->group, "general", 2);
    need(prosa_server_session_init(&rig->session, &rig->config, nonce, rig->now) == PROSA_OK, "memory");
}

void rig_restart(struct rig *rig)
{
    prosa_server_session_fini(&rig->session);
    memset(rig->seen, 0, sizeof rig->seen);
    rig->out_size = rig->out_read = 0;
    need(prosa_server_session_init(&rig->session, &rig->config, nonce, rig->now) == PROSA_OK, "memory");
}

void rig_fini(struct rig *rig)
{
    struct rig_log *logs[] = {&rig->host, &rig->group};
    prosa_server_session_fini(&rig->session);
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < logs[i]->room.head_seq; n++)
            free(logs[i]->memory[n]);
}

static struct rig_log *log_of(struct rig *rig, const struct prosa_room *room)
{
    return room == &rig->host.room ? &rig->host : &rig->group;
}

/* --- the small server ------------------------------------------------------------------------- */

uint64_t rig_commit(struct rig *rig, struct rig_log *log, struct prosa_bytes publish)
{
    uint64_t seq = log->room.head_seq + 1;
    struct prosa_bytes body = prosa_bytes(publish.at + PROSA_HEADER_SIZE, publish.size - PROSA_HEADER_SIZE);
    size_t cap = publish.size + PROSA_PUBLISH_HEADROOM, size = 0;
    uint8_t *octets = malloc(cap), id[PROSA_HASH_SIZE];

    need(octets != NULL && seq <= RIG_ENTRIES, "a longer log");
    need(prosa_deliver_encode(body, seq, rig->now, log->chain[seq - 1], octets, cap, &size) == PROSA_OK,
         "DELIVER");
    prosa_message_id(body, id);
    prosa_chain_next(log->chain[seq - 1], seq, rig->now, id, log->chain[seq]);
    log->memory[seq - 1] = octets;
    log->entries[seq - 1] = prosa_bytes(octets, size);
    log->room.head_seq = seq;
    return seq;
}

void rig_checkpoint(struct rig *rig, struct rig_log *log, uint64_t seq)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_CHECKPOINT,
        .checkpoint = {.time = rig->now,
                       .room_id = log->room.room_id,
                       .seq = seq,
                       .chain = log->chain[seq],
                       .server_sig = unsigned_yet},
    };
    uint8_t octets[512];
    size_t size = 0;
    need(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK &&
             prosa_checkpoint_sign(&rig->config.keypair, octets, size) == PROSA_OK,
         "CHECKPOINT");
    prosa_server_session_checkpoint(&rig->session, &log->room, prosa_bytes(octets, size), rig->now);
}

static void on_auth(struct rig *rig, const struct prosa_server_event *event)
{
    enum prosa_status status = prosa_verify_job_run(&event->job);
    if (status != PROSA_OK)
        prosa_server_session_fail(&rig->session, status, rig->now);
    else
        prosa_server_session_welcome(&rig->session, 42, 1700000000000, rig->now);
}

static void on_join(struct rig *rig, const struct prosa_server_event *event)
{
    struct rig_log *log = event->join.room.at[0] == '@' ? &rig->host : &rig->group;
    struct prosa_bytes name = prosa_bytes(log->room.name, log->room.name_size);
    const struct prosa_join_answer answer = {
        .room = &log->room,
        .last_counter = rig->last_counter,
        .last_seq = rig->last_seq,
        .window = rig->window,
        .ids = (const uint8_t(*)[PROSA_HASH_SIZE])rig->ids,
        .id_count = rig->id_count,
    };
    if (prosa_bytes_equal(name, event->join.room))
        prosa_server_session_joined(&rig->session, &answer, rig->now);
    else
        prosa_server_session_refuse_join(&rig->session, PROSA_ERR_NO_ROOM, rig->now);
}

static void on_publish(struct rig *rig, const struct prosa_server_event *event)
{
    uint64_t counter = event->publish.counter;
    enum prosa_status status = prosa_verify_job_run(&event->job);
    if (status != PROSA_OK) {
        prosa_server_session_refused(&rig->session, event->room, counter, status, rig->now);
        return;
    }
    uint64_t seq = rig_commit(rig, log_of(rig, event->room), event->octets);
    prosa_server_session_accepted(&rig->session, event->room, counter, seq, rig->now);
}

static void on_event(struct rig *rig, const struct prosa_server_event *event)
{
    rig->seen[event->kind]++;
    switch (event->kind) {
    case PROSA_SERVER_HELLO:
        if (!rig->hold_hello)
            prosa_server_session_challenge(&rig->session, rig->now);
        break;
    case PROSA_SERVER_AUTH:
        if (!rig->hold_auth)
            on_auth(rig, event);
        break;
    case PROSA_SERVER_JOIN:
        if (!rig->hold_join)
            on_join(rig, event);
        break;
    case PROSA_SERVER_LEAVE:
        rig->left = event->room;
        break;
    case PROSA_SERVER_PUBLISH:
        rig->publish_counter = event->publish.counter;
        if (!rig->hold_publish)
            on_publish(rig, event);
        break;
    case PROSA_SERVER_CHECKPOINT:
        rig->checkpoint_seq = event->seq;
        rig_checkpoint(rig, log_of(rig, event->room), event->seq);
        break;
    case PROSA_SERVER_ENDED:
        rig->ended = event->ended;
        break;
    default:
        break;
    }
}

static size_t write_some(struct rig *rig, const struct prosa_batch *batch)
{
    size_t written = 0;
    for (size_t i = 0; i < batch->count; i++) {
        size_t size = batch->slices[i].size;
        if (size > rig->write_at_most - written)
            size = rig->write_at_most - written;
        need(rig->out_size + size <= sizeof rig->out, "a smaller output");
        memcpy(rig->out + rig->out_size, batch->slices[i].at, size);
        rig->out_size += size;
        written += size;
    }
    return written;
}

void rig_turn(struct rig *rig)
{
    static struct prosa_batch batch;
    struct prosa_server_event event;
    struct prosa_room *room;
    uint64_t seq;
    size_t written;

    do {
        while (prosa_server_session_next(&rig->session, &event, rig->now) == PROSA_OK)
            on_event(rig, &event);
        prosa_server_session_batch(&rig->session, &batch, rig->now);
        while (prosa_server_session_want(&rig->session, &batch, &room, &seq))
            prosa_server_session_lend(&batch, log_of(rig, room)->entries[seq - 1]);
        written = write_some(rig, &batch);
        prosa_server_session_sent(&rig->session, &batch, written, rig->now);
    } while (written > 0);
    while (prosa_server_session_next(&rig->session, &event, rig->now) == PROSA_OK)
        on_event(rig, &event);
}

void rig_advance(struct rig *rig, uint64_t ms)
{
    rig->now += ms;
    prosa_server_session_tick(&rig->session, rig->now);
    rig_turn(rig);
}

/* --- the peer --------------------------------------------------------------------------------- */

void rig_feed(struct rig *rig, struct prosa_bytes octets)
{
    while (octets.size > 0) {
        uint8_t *at = NULL;
        size_t space = prosa_server_session_recv_space(&rig->session, &at);
        if (space == 0)
            break;
        if (space > octets.size)
            space = octets.size;
        memcpy(at, octets.at, space);
        prosa_server_session_recv_commit(&rig->session, space, rig->now);
        octets = prosa_bytes(octets.at + space, octets.size - space);
        rig_turn(rig);
    }
}

void rig_say(struct rig *rig, const struct prosa_message *message)
{
    uint8_t octets[8192];
    size_t size = 0;
    need(prosa_message_encode(message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK,
         "message");
    rig_feed(rig, prosa_bytes(octets, size));
}

uint8_t rig_take(struct rig *rig)
{
    struct prosa_frame frame;
    struct prosa_bytes left = prosa_bytes(rig->out + rig->out_read, rig->out_size - rig->out_read);
    if (prosa_frame_parse(left, RIG_FRAME, &frame) != PROSA_OK)
        return 0;
    memcpy(rig->frame_octets, frame.octets.at, frame.octets.size);
    rig->out_read += frame.octets.size;
    need(prosa_frame_parse(prosa_bytes(rig->frame_octets, frame.octets.size), RIG_FRAME, &rig->frame) ==
                 PROSA_OK &&
             prosa_message_decode(&rig->frame, PROSA_FROM_SERVER, &rig->message) == PROSA_OK,
         "a frame of the server that decodes");
    return frame.type;
}

void rig_skip(struct rig *rig)
{
    rig->out_read = rig->out_size = 0;
}

bool rig_took_error(struct rig *rig, uint16_t code, const char *clause)
{
    if (rig_take(rig) != PROSA_FRAME_ERROR)
        return false;
    const struct prosa_error *error = &rig->message.error;
    if (error->code != code)
        return false;
    return clause == NULL ||
           (error->has_clause && prosa_bytes_equal(error->clause, prosa_bytes_of_string(clause)));
}

bool rig_took_bye(struct rig *rig, uint16_t code)
{
    return rig_take(rig) == PROSA_FRAME_BYE && rig->message.bye.code == code;
}

bool rig_took_ack(struct rig *rig, uint64_t acked, uint64_t limit, uint64_t seq)
{
    return rig_take(rig) == PROSA_FRAME_ACK && rig->message.ack.acked_counter == acked &&
           rig->message.ack.limit_counter == limit && rig->message.ack.acked_seq == seq;
}

bool rig_took_deliver(struct rig *rig, uint64_t seq)
{
    return rig_take(rig) == PROSA_FRAME_DELIVER && rig->message.deliver.room_seq == seq;
}

bool rig_ended(const struct rig *rig, enum prosa_ending how, uint16_t code)
{
    return rig->seen[PROSA_SERVER_ENDED] == 1 && rig->ended.how == how && rig->ended.code == code;
}

static struct prosa_message hello_of(const struct rig *rig)
{
    static const uint8_t one = 1;
    return (struct prosa_message){
        .type = PROSA_FRAME_HELLO,
        .hello = {.versions = prosa_bytes(&one, 1),
                  .nonce = nonce,
                  .client_key = rig->client.key,
                  .features = rig->features,
                  .target = prosa_bytes_of_string("localhost:65432")},
    };
}

void rig_hello(struct rig *rig)
{
    const struct prosa_message message = hello_of(rig);
    rig_say(rig, &message);
}

void rig_auth(struct rig *rig)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_AUTH,
        .auth = {.nick = prosa_bytes_of_string(rig->nick), .handshake_sig = unsigned_yet},
    };
    uint8_t octets[512], hello[512];
    struct prosa_sha256 hash;
    size_t size = 0;

    const struct prosa_message said = hello_of(rig); /* again, for the transcript */
    need(prosa_message_encode(&said, prosa_bytes(NULL, 0), hello, sizeof hello, &size) == PROSA_OK, "HELLO");
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(hello, size));
    uint8_t th2[PROSA_HASH_SIZE];
    prosa_transcript_th2(&hash, rig->frame.octets, th2);
    need(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK &&
             prosa_auth_sign(&rig->client, th2, octets, size) == PROSA_OK,
         "AUTH");
    rig_feed(rig, prosa_bytes(octets, size));
}

void rig_ready(struct rig *rig)
{
    rig_hello(rig);
    need(rig_take(rig) == PROSA_FRAME_CHALLENGE, "CHALLENGE");
    rig_auth(rig);
    need(rig_take(rig) == PROSA_FRAME_WELCOME, "WELCOME");
}

void rig_join(struct rig *rig, const char *room, uint32_t send_window, uint32_t recv_window)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOIN,
        .join = {.room = prosa_bytes_of_string(room), .send_window = send_window, .recv_window = recv_window},
    };
    rig_say(rig, &message);
}

struct prosa_bytes rig_publish_octets(struct rig *rig, const struct rig_log *log, uint64_t counter,
                                      const char *text, uint8_t out[static 8192])
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string(rig->nick),
                    .room_id = log->room.room_id,
                    .author_key = rig->client.key,
                    .counter = counter,
                    .sent_at = rig->now,
                    .text = prosa_bytes_of_string(text),
                    .author_sig = unsigned_yet},
    };
    size_t size = 0;
    need(prosa_message_encode(&message, prosa_bytes(NULL, 0), out, 8192, &size) == PROSA_OK &&
             prosa_publish_sign(&rig->client, out, size) == PROSA_OK,
         "PUBLISH");
    return prosa_bytes(out, size);
}

void rig_publish(struct rig *rig, const struct rig_log *log, uint64_t counter, const char *text)
{
    uint8_t octets[8192];
    rig_feed(rig, rig_publish_octets(rig, log, counter, text, octets));
}

uint64_t rig_host_says(struct rig *rig, struct rig_log *log, uint64_t counter, const char *text)
{
    struct rig host = {.nick = "host", .now = rig->now, .client = rig->config.keypair};
    uint8_t octets[8192];
    return rig_commit(rig, log, rig_publish_octets(&host, log, counter, text, octets));
}

void rig_ack(struct rig *rig, const struct rig_log *log, uint64_t seen_seq, uint64_t limit_seq)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ACK,
        .ack = {.room_id = log->room.room_id,
                .has_seen_seq = true,
                .has_limit_seq = true,
                .seen_seq = seen_seq,
                .limit_seq = limit_seq},
    };
    rig_say(rig, &message);
}

void rig_ping(struct rig *rig, const char *opaque)
{
    const struct prosa_message message = {.type = PROSA_FRAME_PING,
                                          .ping = {.opaque = prosa_bytes_of_string(opaque)}};
    rig_say(rig, &message);
}

void rig_leave(struct rig *rig, const struct rig_log *log)
{
    const struct prosa_message message = {.type = PROSA_FRAME_LEAVE, .leave = {.room_id = log->room.room_id}};
    rig_say(rig, &message);
}

void rig_bye(struct rig *rig)
{
    const struct prosa_message message = {.type = PROSA_FRAME_BYE, .bye = {.code = PROSA_CODE_NORMAL}};
    rig_say(rig, &message);
}
