/* SPDX-License-Identifier: MIT */
#include "world.h"

static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];

void hub_init(struct world *world)
{
    struct hub *hub = &world->hub;
    uint8_t seed[32] = {100}, epoch[PROSA_EPOCH_SIZE];

    prosa_keypair_from_seed(&hub->config.keypair, seed);
    world_random_octets(world, epoch, sizeof epoch);
    hub->config.features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME | PROSA_FEATURE_AUDIT;
    hub->config.limits = prosa_limits_default();
    hub->config.limits.handshake_ms = hub->config.limits.slow_ms = 600000; /* octets trickle here */
    hub->config.read_size = (uint32_t)(16 + world_random(world, 300));
    prosa_room_init(&hub->room, hub->config.keypair.key, epoch, prosa_bytes_of_string("general"), NULL);
    prosa_chain_start(hub->room.room_id, hub->chain);
}

size_t hub_accept(struct world *world, size_t client)
{
    struct hub *hub = &world->hub;
    uint8_t nonce[PROSA_NONCE_SIZE];
    size_t i = 0;

    while (i < LINKS && hub->links[i].used)
        i++;
    if (i == LINKS)
        return LINKS;
    world_random_octets(world, nonce, sizeof nonce);
    hub->links[i] = (struct link){.used = true, .client = client, .number = ++hub->link_numbers};
    if (prosa_server_session_init(&hub->links[i].session, &hub->config, nonce, world->now) != PROSA_OK)
        world_violated(world, "no memory");
    return i;
}

static void append(struct world *world, const struct pending *pending)
{
    struct hub *hub = &world->hub;
    uint64_t seq = hub->room.head_seq + 1;
    struct entry *entry = &hub->entries[seq - 1];
    struct prosa_bytes body =
        prosa_bytes(pending->octets + PROSA_HEADER_SIZE, pending->size - PROSA_HEADER_SIZE);

    if (seq > ENTRIES) {
        world_violated(world, "the log grows without end");
        return;
    }
    if (prosa_deliver_encode(body, seq, world->now, hub->chain, entry->octets, FRAME, &entry->size) !=
        PROSA_OK)
        world_violated(world, "DELIVER cannot be made");
    prosa_message_id(body, entry->id);
    prosa_chain_next(hub->chain, seq, world->now, entry->id, hub->chain);
    memcpy(entry->chain, hub->chain, PROSA_HASH_SIZE);
    entry->author = pending->client;
    entry->counter = pending->counter;
    hub->last_counter[pending->client] = pending->counter;
    hub->last_seq[pending->client] = seq;
    hub->room.head_seq = seq;
}

static bool alive(const struct link *link, unsigned number)
{
    return link->used && link->number == number;
}

static void take_pending(struct hub *hub, size_t i, struct pending *taken)
{
    *taken = hub->pending[i];
    hub->pending_count--;
    memmove(&hub->pending[i], &hub->pending[i + 1], (hub->pending_count - i) * sizeof *hub->pending);
}

static void commit(struct world *world, size_t i)
{
    struct hub *hub = &world->hub;
    struct pending pending;
    take_pending(hub, i, &pending);
    append(world, &pending);
    struct link *link = &hub->links[pending.link];
    if (world->variant != VARIANT_ACK_BEFORE_COMMIT && alive(link, pending.link_number))
        prosa_server_session_accepted(&link->session, &hub->room, pending.counter, hub->room.head_seq,
                                      world->now);
}

void hub_commit(struct world *world)
{
    bool lags = world->variant == VARIANT_LATE_COMMIT && world_random(world, 40) != 0;
    if (world->hub.pending_count > 0 && !lags)
        commit(world, 0);
}

/* What a link left behind: some of it reached the store, the rest never will. */
static void settle_pending(struct world *world, size_t at)
{
    struct hub *hub = &world->hub;
    struct link *link = &hub->links[at];
    bool reaches = world->variant != VARIANT_ACK_BEFORE_COMMIT;
    struct pending dropped;

    if (world->variant == VARIANT_LATE_COMMIT)
        return;
    for (size_t i = 0; i < hub->pending_count;) {
        if (hub->pending[i].link != at || hub->pending[i].link_number != link->number) {
            i++;
            continue;
        }
        reaches = reaches && world_random(world, 2) == 0;
        if (reaches) {
            commit(world, i);
            continue;
        }
        take_pending(hub, i, &dropped);
        prosa_server_session_dropped(&link->session, &hub->room, world->now);
    }
}

/* A session with the same key ends before the new one begins [END-14]. */
static void replace(struct world *world, size_t at)
{
    struct hub *hub = &world->hub;
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &hub->links[i];
        if (i == at || !link->used || link->client != hub->links[at].client)
            continue;
        prosa_server_session_bye(&link->session, PROSA_CODE_REPLACED, world->now);
        settle_pending(world, i);
    }
}

static void on_join(struct world *world, struct link *link)
{
    struct hub *hub = &world->hub;
    uint8_t ids[ENTRIES][PROSA_HASH_SIZE];
    size_t count = 0;
    uint64_t last = hub->last_counter[link->client];

    for (uint64_t n = 0; n < hub->room.head_seq; n++)
        if (hub->entries[n].author == link->client)
            memcpy(ids[count++], hub->entries[n].id, PROSA_HASH_SIZE);
    bool forgets = world->variant == VARIANT_FORGETFUL_HUB && last > 0;
    const struct prosa_join_answer answer = {
        .room = &hub->room,
        .last_counter = forgets ? last - 1 : last,
        .last_seq = hub->last_seq[link->client],
        .window = 4,
        .ids = (const uint8_t(*)[PROSA_HASH_SIZE])ids,
        .id_count = forgets ? 0 : count,
    };
    (void)prosa_server_session_joined(&link->session, &answer, world->now);
}

static void on_publish(struct world *world, size_t at, const struct prosa_server_event *event)
{
    struct hub *hub = &world->hub;
    struct link *link = &hub->links[at];

    if (hub->pending_count == PENDING || event->octets.size > FRAME) {
        world_violated(world, "more is in flight than windows allow");
        return;
    }
    struct pending *pending = &hub->pending[hub->pending_count++];
    *pending = (struct pending){.link_number = link->number,
                                .link = at,
                                .client = link->client,
                                .counter = event->publish.counter,
                                .size = event->octets.size};
    memcpy(pending->octets, event->octets.at, event->octets.size);
    if (world->variant == VARIANT_ACK_BEFORE_COMMIT)
        prosa_server_session_accepted(&link->session, &hub->room, pending->counter, hub->room.head_seq,
                                      world->now);
}

static void on_checkpoint(struct world *world, struct link *link, uint64_t seq)
{
    struct hub *hub = &world->hub;
    uint8_t octets[512], start[PROSA_HASH_SIZE];
    size_t size = 0;
    prosa_chain_start(hub->room.room_id, start);
    const struct prosa_message message = {
        .type = PROSA_FRAME_CHECKPOINT,
        .checkpoint = {.time = world->now,
                       .room_id = hub->room.room_id,
                       .seq = seq,
                       .chain = seq == 0 ? start : hub->entries[seq - 1].chain,
                       .server_sig = unsigned_yet},
    };
    if (prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) != PROSA_OK ||
        prosa_checkpoint_sign(&hub->config.keypair, octets, size) != PROSA_OK)
        world_violated(world, "CHECKPOINT cannot be made");
    prosa_server_session_checkpoint(&link->session, &hub->room, prosa_bytes(octets, size), world->now);
}

static void on_event(struct world *world, size_t at, const struct prosa_server_event *event)
{
    struct link *link = &world->hub.links[at];
    switch (event->kind) {
    case PROSA_SERVER_HELLO:
        prosa_server_session_challenge(&link->session, world->now);
        break;
    case PROSA_SERVER_AUTH:
        if (prosa_verify_job_run(&event->job) != PROSA_OK)
            world_violated(world, "AUTH does not verify");
        replace(world, at);
        prosa_server_session_welcome(&link->session, link->number, world->now, world->now);
        break;
    case PROSA_SERVER_JOIN:
        on_join(world, link);
        break;
    case PROSA_SERVER_PUBLISH:
        on_publish(world, at, event);
        break;
    case PROSA_SERVER_CHECKPOINT:
        on_checkpoint(world, link, event->seq);
        break;
    case PROSA_SERVER_SHUT:
        link->hub_shut = true;
        break;
    case PROSA_SERVER_ENDED:
        if (event->ended.how == PROSA_ENDING_ERROR)
            world_violated(world, "a session of the hub ended with an ERROR");
        settle_pending(world, at);
        prosa_server_session_fini(&link->session);
        link->used = false;
        break;
    default:
        break;
    }
}

static void read_some(struct world *world, struct link *link)
{
    uint8_t *to = NULL;
    size_t space = prosa_server_session_recv_space(&link->session, &to);
    size_t size = (size_t)world_random(world, link->up.size + 1);

    if (size > space)
        size = space;
    if (size > 0) {
        memcpy(to, link->up.octets, size);
        link->up.size -= size;
        memmove(link->up.octets, link->up.octets + size, link->up.size);
        prosa_server_session_recv_commit(&link->session, size, world->now);
    }
    if (link->up.size == 0 && link->client_gone)
        prosa_server_session_recv_reset(&link->session, world->now);
    else if (link->up.size == 0 && link->client_shut)
        prosa_server_session_recv_eof(&link->session, world->now);
}

static size_t write_some(struct world *world, struct link *link, const struct prosa_batch *batch)
{
    size_t room = (size_t)world_random(world, PIPE - link->down.size + 1), written = 0;
    for (size_t i = 0; i < batch->count; i++) {
        size_t size = batch->slices[i].size < room ? batch->slices[i].size : room;
        memcpy(link->down.octets + link->down.size, batch->slices[i].at, size);
        link->down.size += size;
        written += size;
        room -= size;
    }
    return written;
}

void hub_turn(struct world *world, size_t at)
{
    static struct prosa_batch batch;
    struct hub *hub = &world->hub;
    struct link *link = &hub->links[at];
    struct prosa_server_event event;
    struct prosa_room *room;
    uint64_t seq;

    if (!link->used)
        return;
    read_some(world, link);
    prosa_server_session_tick(&link->session, world->now);
    while (link->used && prosa_server_session_next(&link->session, &event, world->now) == PROSA_OK)
        on_event(world, at, &event);
    if (!link->used)
        return;
    prosa_server_session_batch(&link->session, &batch, world->now);
    while (prosa_server_session_want(&link->session, &batch, &room, &seq))
        prosa_server_session_lend(&batch,
                                  prosa_bytes(hub->entries[seq - 1].octets, hub->entries[seq - 1].size));
    size_t written = link->client_gone ? 0 : write_some(world, link, &batch);
    prosa_server_session_sent(&link->session, &batch, written, world->now);
}

void hub_fini(struct world *world)
{
    for (size_t i = 0; i < LINKS; i++)
        if (world->hub.links[i].used)
            prosa_server_session_fini(&world->hub.links[i].session);
}
