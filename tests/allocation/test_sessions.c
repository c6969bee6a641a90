/* SPDX-License-Identifier: MIT */
/* Both sessions of the library, one across from the other, through a whole conversation and a second one that
 * goes on where the first ended, while memory runs out: once at every allocation of it, and from every one
 * on. Whoever has no memory says INTERNAL or just goes; nobody is accused of anything, nothing is waited for
 * in vain, nothing leaks, and the next conversation is like any other. */
#include "check.h"
#include "scarce.h"

#include <prosa/client_session.h>
#include <prosa/server_session.h>

#include <stdlib.h>

enum {
    ENTRIES = 64,
    ENTRY = 1024,
    PIPE = 1 << 16,
    ROUNDS = 1000,
    SAID = 12, /* messages in the group by one conversation */
    LIVES = 2, /* conversations */
    STEPS = PROSA_CLIENT_ENDED + 1
};

static const struct prosa_bytes host_name = {(const uint8_t *)"@host", 5};
static const struct prosa_bytes group_name = {(const uint8_t *)"general", 7};
static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];

struct log {
    struct prosa_room room;
    struct prosa_bytes entries[ENTRIES];
    uint8_t octets[ENTRIES][ENTRY];
    uint8_t chain[ENTRIES + 1][PROSA_HASH_SIZE];
    uint8_t ids[ENTRIES][PROSA_HASH_SIZE]; /* of the client's messages, in their order */
    uint64_t counter, counter_seq;         /* the client's last one */
    uint64_t host_counter;
};

/* Octets on their way, and the end behind them. */
struct pipe {
    uint8_t octets[PIPE];
    size_t size;
    bool is_shut;
};

/* What a client keeps from one conversation to the next. */
struct kept {
    bool has_pin, has_place;
    uint8_t pin[PROSA_KEY_SIZE];
    uint64_t seen_seq;
    uint8_t epoch[PROSA_EPOCH_SIZE], chain[PROSA_HASH_SIZE];
    bool has_chain;
};

struct scene {
    struct prosa_server_config server_config;
    struct prosa_client_config client_config;
    struct prosa_server_session server;
    struct prosa_client_session client;
    bool server_lives, client_lives; /* until ENDED */
    struct log host, group;
    struct pipe up, down;
    struct kept kept;
    uint64_t now;
    unsigned seen[STEPS];
    uint64_t said;
    bool has_left, has_asked;
    struct prosa_ended server_end, client_end;
};

static struct scene scene;

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "test_sessions: %s\n", what);
        exit(1);
    }
}

/* --- a server around its session -------------------------------------------------------------- */

static void log_init(struct log *log, struct prosa_bytes name, uint8_t epoch)
{
    const uint8_t octets[PROSA_EPOCH_SIZE] = {epoch};
    *log = (struct log){0};
    prosa_room_init(&log->room, scene.server_config.keypair.key, octets, name,
                    scene.client_config.keypair.key);
    prosa_chain_start(log->room.room_id, log->chain[0]);
}

static struct log *log_of(const struct prosa_room *room)
{
    return room == &scene.host.room ? &scene.host : &scene.group;
}

static uint64_t commit(struct log *log, struct prosa_bytes publish)
{
    const uint64_t seq = log->room.head_seq + 1;
    const struct prosa_bytes body =
        prosa_bytes(publish.at + PROSA_HEADER_SIZE, publish.size - PROSA_HEADER_SIZE);
    uint8_t id[PROSA_HASH_SIZE];
    size_t size = 0;
    need(seq <= ENTRIES && prosa_deliver_encode(body, seq, scene.now, log->chain[seq - 1],
                                                log->octets[seq - 1], ENTRY, &size) == PROSA_OK,
         "a longer log");
    prosa_message_id(body, id);
    prosa_chain_next(log->chain[seq - 1], seq, scene.now, id, log->chain[seq]);
    log->entries[seq - 1] = prosa_bytes(log->octets[seq - 1], size);
    log->room.head_seq = seq;
    return seq;
}

/* The answer to a question in "@host". */
static void answer(struct log *log, uint64_t counter, const uint8_t *id)
{
    uint8_t octets[ENTRY];
    size_t size = 0;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish = {.nick = prosa_bytes_of_string("host"),
                    .room_id = log->room.room_id,
                    .author_key = scene.server_config.keypair.key,
                    .counter = ++log->host_counter,
                    .sent_at = scene.now,
                    .text = prosa_bytes_of_string("an answer"),
                    .has_reply_to = true,
                    .reply_to = id,
                    .author_sig = unsigned_yet},
    };
    need(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK &&
             prosa_publish_sign(&scene.server_config.keypair, octets, size) == PROSA_OK,
         "an answer");
    const uint64_t seq = commit(log, prosa_bytes(octets, size));
    prosa_server_session_answered(&scene.server, &log->room, counter, seq, scene.now);
}

static void on_publish(const struct prosa_server_event *event)
{
    struct log *log = log_of(event->room);
    const uint64_t counter = event->publish.counter;
    need(prosa_verify_job_run(&event->job) == PROSA_OK, "a good signature");
    need(counter == log->counter + 1, "each message once");
    memcpy(log->ids[counter - 1], event->id, PROSA_HASH_SIZE);
    log->counter = counter;
    log->counter_seq = commit(log, event->octets);
    prosa_server_session_accepted(&scene.server, event->room, counter, log->counter_seq, scene.now);
    if (log == &scene.host) {
        answer(log, counter, log->ids[counter - 1]);
    }
}

static void on_join(const struct prosa_server_event *event)
{
    struct log *log = event->join.room.at[0] == '@' ? &scene.host : &scene.group;
    const struct prosa_join_answer answer = {.room = &log->room,
                                             .last_counter = log->counter,
                                             .last_seq = log->counter_seq,
                                             .window = log == &scene.host ? 1 : 4,
                                             .ids = (const uint8_t(*)[PROSA_HASH_SIZE])log->ids,
                                             .id_count = (size_t)log->counter};
    uint8_t octets[256];
    size_t size = 0;
    const struct prosa_message here = {.type = PROSA_FRAME_MEMBER,
                                       .member = {.has_nick = true,
                                                  .nick = scene.client_config.nick,
                                                  .room_id = log->room.room_id,
                                                  .event = PROSA_EVENT_HERE,
                                                  .has_member_key = true,
                                                  .member_key = scene.client_config.keypair.key,
                                                  .at_seq = log->room.head_seq}};
    if (!prosa_server_session_joined(&scene.server, &answer, scene.now) || log == &scene.host) {
        return;
    }
    need(prosa_message_encode(&here, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK,
         "MEMBER");
    (void)!prosa_server_session_member(&scene.server, &log->room, prosa_bytes(octets, size),
                                       log->room.head_seq, scene.now);
}

static void on_checkpoint(const struct prosa_server_event *event)
{
    struct log *log = log_of(event->room);
    uint8_t octets[256];
    size_t size = 0;
    const struct prosa_message message = {.type = PROSA_FRAME_CHECKPOINT,
                                          .checkpoint = {.time = scene.now,
                                                         .room_id = log->room.room_id,
                                                         .seq = event->seq,
                                                         .chain = log->chain[event->seq],
                                                         .server_sig = unsigned_yet}};
    need(prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK &&
             prosa_checkpoint_sign(&scene.server_config.keypair, octets, size) == PROSA_OK,
         "CHECKPOINT");
    prosa_server_session_checkpoint(&scene.server, &log->room, prosa_bytes(octets, size), scene.now);
}

static void server_hears(const struct prosa_server_event *event)
{
    switch (event->kind) {
    case PROSA_SERVER_HELLO:
        prosa_server_session_challenge(&scene.server, scene.now);
        break;
    case PROSA_SERVER_AUTH:
        need(prosa_verify_job_run(&event->job) == PROSA_OK, "a good AUTH");
        prosa_server_session_welcome(&scene.server, 1, scene.now, scene.now);
        break;
    case PROSA_SERVER_JOIN:
        on_join(event);
        break;
    case PROSA_SERVER_PUBLISH:
        on_publish(event);
        break;
    case PROSA_SERVER_CHECKPOINT:
        on_checkpoint(event);
        break;
    case PROSA_SERVER_SHUT:
        scene.down.is_shut = true;
        break;
    case PROSA_SERVER_ENDED:
        scene.server_end = event->ended;
        scene.server_lives = false;
        scene.down.is_shut = true;
        break;
    default:
        break;
    }
}

static void drain_server(void)
{
    struct prosa_server_event event;
    while (prosa_server_session_next(&scene.server, &event, scene.now) == PROSA_OK) {
        server_hears(&event);
    }
}

/* The socket takes little: so entries are cut, and their rest is kept. */
static size_t write_some(const struct prosa_batch *batch)
{
    size_t left = 300;
    size_t written = 0;
    for (size_t i = 0; i < batch->count && left > 0; i++) {
        const struct prosa_bytes slice = batch->slices[i];
        const size_t size = slice.size < left ? slice.size : left;
        need(scene.down.size + size <= PIPE, "a smaller output");
        memcpy(scene.down.octets + scene.down.size, slice.at, size);
        scene.down.size += size;
        written += size;
        left -= size;
    }
    return written;
}

/* --- octets, from one side to the other ------------------------------------------------------- */

static void drop(struct pipe *pipe, size_t size)
{
    memmove(pipe->octets, pipe->octets + size, pipe->size - size);
    pipe->size -= size;
}

/* True: some went over. */
static bool read_up(void)
{
    uint8_t *at = NULL;
    const size_t space = prosa_server_session_recv_space(&scene.server, &at);
    const size_t size = space < scene.up.size ? space : scene.up.size;
    if (size > 0) {
        memcpy(at, scene.up.octets, size);
        drop(&scene.up, size);
        prosa_server_session_recv_commit(&scene.server, size, scene.now);
    } else if (space > 0 && scene.up.is_shut && scene.up.size == 0) {
        scene.up.is_shut = false;
        prosa_server_session_recv_eof(&scene.server, scene.now);
        return true;
    }
    return size > 0;
}

static bool read_down(void)
{
    uint8_t *at = NULL;
    const size_t space = prosa_client_session_recv_space(&scene.client, &at);
    const size_t size = space < scene.down.size ? space : scene.down.size;
    if (size > 0) {
        memcpy(at, scene.down.octets, size);
        drop(&scene.down, size);
        prosa_client_session_recv_commit(&scene.client, size, scene.now);
    } else if (space > 0 && scene.down.is_shut && scene.down.size == 0) {
        scene.down.is_shut = false;
        prosa_client_session_recv_eof(&scene.client, scene.now);
        return true;
    }
    return size > 0;
}

static bool serve(void)
{
    static struct prosa_batch batch;
    struct prosa_room *room;
    uint64_t seq;
    if (!scene.server_lives) {
        scene.up.size = 0;
        return false;
    }
    bool moved = read_up();
    if (prosa_server_session_deadline_ms(&scene.server) <= scene.now) {
        prosa_server_session_tick(&scene.server, scene.now);
        moved = true;
    }
    drain_server();
    prosa_server_session_batch(&scene.server, &batch, scene.now);
    while (prosa_server_session_want(&scene.server, &batch, &room, &seq)) {
        prosa_server_session_lend(&batch, log_of(room)->entries[seq - 1]);
    }
    const size_t written = write_some(&batch);
    prosa_server_session_sent(&scene.server, &batch, written, scene.now);
    drain_server();
    return moved || written > 0;
}

/* --- the client's part ------------------------------------------------------------------------ */

/* A call for which there is no memory: the caller ends the session. */
static void try(enum prosa_status status)
{
    if (status != PROSA_OK) {
        need(status == PROSA_ERR_NO_SPACE, "a good call");
        prosa_client_session_fail(&scene.client, PROSA_ERR_INTERNAL, scene.now);
    }
}

static void join_both(void)
{
    struct prosa_client_join wish = {.room = host_name, .send_window = 1, .recv_window = 8};
    try(prosa_client_session_join(&scene.client, &wish));
    wish = (struct prosa_client_join){.room = group_name, .send_window = 4, .recv_window = 4};
    if (scene.kept.has_place) {
        wish.has_after_seq = true;
        wish.after_seq = scene.kept.seen_seq;
        wish.epoch = scene.kept.epoch;
        wish.chain = scene.kept.has_chain ? scene.kept.chain : NULL;
    }
    if (prosa_client_session_ready(&scene.client)) {
        try(prosa_client_session_join(&scene.client, &wish));
    }
}

static void publish(struct prosa_bytes room, const char *words)
{
    const struct prosa_client_room *now = prosa_client_session_room(&scene.client, room);
    uint8_t octets[ENTRY];
    size_t size = 0;
    const struct prosa_client_text text = {
        .counter = now->sent_counter + 1, .sent_at = scene.now, .text = prosa_bytes_of_string(words)};
    try(prosa_client_session_compose(&scene.client, room, &text, octets, sizeof octets, &size));
    if (prosa_client_session_ready(&scene.client)) {
        try(prosa_client_session_send(&scene.client, room, prosa_bytes(octets, size)));
    }
}

static void keep(const struct prosa_client_room *room)
{
    if (prosa_bytes_equal(prosa_bytes(room->name, room->name_size), group_name)) {
        scene.kept.has_place = true;
        scene.kept.seen_seq = room->seen_seq;
        memcpy(scene.kept.epoch, room->epoch, PROSA_EPOCH_SIZE);
        memcpy(scene.kept.chain, room->chain, PROSA_HASH_SIZE);
        scene.kept.has_chain = room->chain_known;
    }
}

/* The conversation: a question, then messages as far as credit goes, a barrier, goodbye to a room and to all.
 */
static void talk(void)
{
    const struct prosa_client_room *group = prosa_client_session_room(&scene.client, group_name);
    const struct prosa_client_room *host = prosa_client_session_room(&scene.client, host_name);
    if (!prosa_client_session_ready(&scene.client)) {
        return;
    }
    if (host != NULL && host->sent_counter < host->limit_counter && !scene.has_asked) {
        scene.has_asked = true;
        publish(host_name, "a question");
    }
    while (prosa_client_session_ready(&scene.client) && group != NULL && scene.said < SAID &&
           group->sent_counter < group->limit_counter) {
        scene.said++;
        publish(group_name, "a message to all of them");
    }
    if (prosa_client_session_ready(&scene.client) && group != NULL && host != NULL && !scene.has_left &&
        scene.said == SAID && group->acked_counter == group->sent_counter &&
        group->seen_seq == scene.group.room.head_seq && host->seen_seq == scene.host.room.head_seq) {
        scene.has_left = true;
        try(prosa_client_session_ping(&scene.client, prosa_bytes_of_string("barrier")));
    }
}

static void client_hears(const struct prosa_client_event *event)
{
    scene.seen[event->kind]++;
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        memcpy(scene.kept.pin, prosa_client_session_server_key(&scene.client), PROSA_KEY_SIZE);
        scene.kept.has_pin = true;
        prosa_client_session_trust(&scene.client, scene.now);
        break;
    case PROSA_CLIENT_READY:
        join_both();
        break;
    case PROSA_CLIENT_JOINED:
    case PROSA_CLIENT_COVERED:
    case PROSA_CLIENT_MESSAGE:
        keep(event->room);
        break;
    case PROSA_CLIENT_PONG:
        try(prosa_client_session_leave(&scene.client, group_name));
        break;
    case PROSA_CLIENT_LEFT:
        prosa_client_session_bye(&scene.client, scene.now);
        break;
    case PROSA_CLIENT_SHUT:
        scene.up.is_shut = true;
        break;
    case PROSA_CLIENT_ENDED:
        scene.client_end = event->ended;
        scene.client_lives = false;
        scene.up.is_shut = true;
        break;
    default:
        break;
    }
}

static bool chat(void)
{
    struct prosa_client_event event;
    if (!scene.client_lives) {
        scene.down.size = 0;
        return false;
    }
    bool moved = read_down();
    if (prosa_client_session_deadline_ms(&scene.client) <= scene.now) {
        prosa_client_session_tick(&scene.client, scene.now);
        moved = true;
    }
    while (prosa_client_session_next(&scene.client, &event, scene.now) == PROSA_OK) {
        client_hears(&event);
    }
    talk();
    const struct prosa_bytes out = prosa_client_session_send_peek(&scene.client);
    need(scene.up.size + out.size <= PIPE, "a smaller input");
    if (out.size > 0) {
        memcpy(scene.up.octets + scene.up.size, out.at, out.size);
        scene.up.size += out.size;
        prosa_client_session_send_consume(&scene.client, out.size, scene.now);
    }
    while (prosa_client_session_next(&scene.client, &event, scene.now) == PROSA_OK) {
        client_hears(&event);
    }
    return moved || out.size > 0;
}

/* --- one conversation ------------------------------------------------------------------------- */

static void begin_life(unsigned number)
{
    const uint8_t nonce[PROSA_NONCE_SIZE] = {(uint8_t)number};
    scene.up = scene.down = (struct pipe){0};
    scene.client_config.pinned_key = scene.kept.has_pin ? scene.kept.pin : NULL;
    scene.said = 0;
    scene.has_left = scene.has_asked = false;
    memset(scene.seen, 0, sizeof scene.seen);
    scene.server_end = scene.client_end = (struct prosa_ended){0};
    scene.server_lives =
        prosa_server_session_init(&scene.server, &scene.server_config, nonce, scene.now) == PROSA_OK;
    scene.client_lives =
        prosa_client_session_init(&scene.client, &scene.client_config, nonce, scene.now) == PROSA_OK;
    scene.up.is_shut = !scene.client_lives;
    scene.down.is_shut = !scene.server_lives;
}

/* Until both have ended. False: one of them waits for a time to come, though nothing is on its way. */
static bool live(unsigned number)
{
    bool moves = true;
    begin_life(number);
    for (int round = 0; round < ROUNDS && moves; round++) {
        const bool heard = serve();
        const bool said = chat();
        moves = heard || said;
    }
    const bool is_over = !scene.server_lives && !scene.client_lives;
    prosa_server_session_fini(&scene.server);
    prosa_client_session_fini(&scene.client);
    return is_over;
}

static bool is_innocent(const struct prosa_ended *ended)
{
    return ended->how != PROSA_ENDING_SILENCE && ended->how != PROSA_ENDING_QUIET &&
           (ended->code == 0 || ended->code == PROSA_CODE_NORMAL || ended->code == PROSA_CODE_INTERNAL);
}

/* A life in which memory suffices. */
static void check_whole_life(void)
{
    CHECK(scene.client_end.how == PROSA_ENDING_GOODBYE && scene.client_end.code == PROSA_CODE_NORMAL);
    CHECK(scene.server_end.how == PROSA_ENDING_GOODBYE && scene.server_end.code == PROSA_CODE_NORMAL);
    CHECK(scene.seen[PROSA_CLIENT_READY] == 1 && scene.seen[PROSA_CLIENT_JOINED] == 2);
    CHECK(scene.seen[PROSA_CLIENT_COVERED] > 0 && scene.seen[PROSA_CLIENT_MEMBER] == 1);
    CHECK(scene.seen[PROSA_CLIENT_UNSHOWN] + scene.seen[PROSA_CLIENT_CONFLICT] +
              scene.seen[PROSA_CLIENT_ERROR] ==
          0);
    CHECK(scene.kept.seen_seq == scene.group.room.head_seq);
}

static void set_scene(void)
{
    const uint8_t server_seed[32] = {1}, client_seed[32] = {2};
    const uint32_t features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME | PROSA_FEATURE_AUDIT;
    memset(&scene, 0, sizeof scene);
    scene.now = 1000;
    scene.server_config = (struct prosa_server_config){
        .features = features, .limits = prosa_limits_default(), .read_size = 4096};
    prosa_keypair_from_seed(&scene.server_config.keypair, server_seed);
    scene.client_config = (struct prosa_client_config){.nick = prosa_bytes_of_string("ada"),
                                                       .target = prosa_bytes_of_string("localhost:65432"),
                                                       .features = features,
                                                       .grease = true};
    prosa_keypair_from_seed(&scene.client_config.keypair, client_seed);
    log_init(&scene.host, host_name, 1);
    log_init(&scene.group, group_name, 2);
}

/* The first conversation while allocations `from` to `to` fail, and a second one; how many there were. */
static size_t play(size_t from, size_t to)
{
    set_scene();
    const size_t before = scarce_blocks();
    size_t count = 0;
    for (unsigned life = 1; life <= LIVES; life++) {
        scarce_begin(life < LIVES ? from : SCARCE_NEVER, to);
        const bool is_over = live(life);
        count = life < LIVES ? scarce_end() : count;
        (void)scarce_end();
        CHECK(is_over);
        CHECK(is_innocent(&scene.server_end) && is_innocent(&scene.client_end));
    }
    check_whole_life();
    CHECK(scarce_blocks() == before);
    return count;
}

int main(void)
{
    need(prosa_sign_init() == PROSA_OK, "libsodium");
    const size_t count = play(SCARCE_NEVER, 0);
    CHECK(count > 20);
    for (size_t k = 1; k <= count && check_failures == 0; k++) {
        (void)play(k, k);
        if (check_failures == 0) {
            (void)play(k, SCARCE_NEVER);
        }
        if (check_failures > 0) {
            fprintf(stderr, "with allocation %zu of %zu failing: server %d/%#x, client %d/%#x\n", k, count,
                    scene.server_end.how, (unsigned)scene.server_end.code, scene.client_end.how,
                    (unsigned)scene.client_end.code);
        }
    }
    printf("%zu allocations\n", count);
    return check_result();
}
