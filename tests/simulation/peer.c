/* SPDX-License-Identifier: MIT */
#include "world.h"

static const char *const nicks[CLIENTS] = {"ada", "bob", "eve"};

void client_init(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    uint8_t seed[32] = {(uint8_t)(1 + at)};
    uint32_t audit = world_random(world, 2) == 0 ? PROSA_FEATURE_AUDIT : 0;

    prosa_keypair_from_seed(&client->config.keypair, seed);
    client->config.nick = prosa_bytes_of_string(nicks[at]);
    client->config.target = prosa_bytes_of_string("localhost:65432");
    client->config.pinned_key = world->hub.config.keypair.key;
    client->config.features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME | audit;
    client->config.grease = world_random(world, 2) == 0;
}

void client_connect(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    uint8_t nonce[PROSA_NONCE_SIZE];

    client->link = hub_accept(world, at);
    if (client->link == LINKS)
        return; /* the backlog is full: another time */
    client->link_number = world->hub.links[client->link].number;
    world_random_octets(world, nonce, sizeof nonce);
    if (prosa_client_session_init(&client->session, &client->config, nonce, world->now) != PROSA_OK)
        world_violated(world, "HELLO cannot be made");
    client->connected = true;
    client->joined = client->leaves = false;
}

/* NULL: the hub has closed it. */
static struct link *link_of(struct world *world, const struct client *client)
{
    struct link *link = &world->hub.links[client->link];
    return link->used && link->number == client->link_number ? link : NULL;
}

void client_break(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    if (!client->connected)
        return;
    struct link *link = link_of(world, client);
    if (link != NULL) {
        link->client_gone = true;
        link->up.size = (size_t)world_random(world, link->up.size + 1); /* the rest is lost on the way */
    }
    prosa_client_session_fini(&client->session);
    client->connected = false;
}

static void join(struct world *world, struct client *client)
{
    const struct prosa_client_join wish = {
        .room = prosa_bytes_of_string("general"),
        .send_window = (uint32_t)(1 + world_random(world, 4)),
        .recv_window = (uint32_t)(2 + world_random(world, 5)),
        .has_after_seq = true,
        .after_seq = client->seen,
        .epoch = client->has_epoch ? client->epoch : NULL,
        .chain = client->has_epoch ? client->chain : NULL,
    };
    if (prosa_client_session_join(&client->session, &wish) != PROSA_OK)
        world_violated(world, "JOIN cannot be sent");
}

static void on_joined(struct world *world, struct client *client, const struct prosa_client_event *event)
{
    if (event->lost_history || (client->has_epoch && !event->same_epoch))
        world_violated(world, "history is lost though nothing was pruned");
    client->joined = true;
    client->has_epoch = true;
    memcpy(client->epoch, event->room->epoch, PROSA_EPOCH_SIZE);
    if (event->room->acked_counter > client->composed || event->room->acked_counter < client->acked)
        world_violated(world, "last_counter is not between acknowledged and sent");
    client->acked = event->room->acked_counter;
}

static void on_message(struct world *world, struct client *client, const struct prosa_client_event *event)
{
    if (event->seq != client->seen + 1 || event->seq > ENTRIES) {
        world_violated(world, "a client's log has a gap or a repetition");
        return;
    }
    memcpy(client->log[client->seen], event->id, PROSA_HASH_SIZE);
    memcpy(client->chain, event->room->chain, PROSA_HASH_SIZE);
    client->seen = event->seq;
}

static void on_event(struct world *world, struct client *client, const struct prosa_client_event *event)
{
    switch (event->kind) {
    case PROSA_CLIENT_READY:
        join(world, client);
        break;
    case PROSA_CLIENT_JOINED:
        on_joined(world, client, event);
        break;
    case PROSA_CLIENT_MESSAGE:
        on_message(world, client, event);
        break;
    case PROSA_CLIENT_ACKED:
        client->acked = event->room->acked_counter;
        break;
    case PROSA_CLIENT_COVERED:
        client->covered = event->seq;
        break;
    case PROSA_CLIENT_SHUT: {
        struct link *link = link_of(world, client);
        if (link != NULL)
            link->client_shut = true;
        break;
    }
    case PROSA_CLIENT_UNSHOWN:
    case PROSA_CLIENT_CONFLICT:
    case PROSA_CLIENT_ERROR:
    case PROSA_CLIENT_REFUSED:
        world_violated(world, "a client has something to complain about");
        break;
    case PROSA_CLIENT_ENDED:
        if (event->ended.how == PROSA_ENDING_ERROR)
            world_violated(world, "a session of a client ended with an ERROR");
        break;
    default:
        break;
    }
}

static void compose(struct world *world, struct client *client, uint64_t counter)
{
    const struct prosa_client_text text = {
        .counter = counter, .sent_at = world->now, .text = prosa_bytes_of_string("a line of text")};
    if (prosa_client_session_compose(&client->session, prosa_bytes_of_string("general"), &text,
                                     client->outbox[counter - 1], FRAME,
                                     &client->outbox_size[counter - 1]) != PROSA_OK)
        world_violated(world, "PUBLISH cannot be made");
    if (counter > client->composed)
        client->composed = counter;
}

/* Sends the next message, stored or new, if the window is open. */
static void speak(struct world *world, struct client *client)
{
    struct prosa_bytes name = prosa_bytes_of_string("general");
    const struct prosa_client_room *room = prosa_client_session_room(&client->session, name);

    if (room == NULL || room->sent_counter == MESSAGES)
        return;
    uint64_t counter = room->sent_counter + 1;
    if (counter > client->composed)
        compose(world, client, counter);
    enum prosa_status status = prosa_client_session_send(
        &client->session, name, prosa_bytes(client->outbox[counter - 1], client->outbox_size[counter - 1]));
    if (status != PROSA_OK && status != PROSA_PARTIAL)
        world_violated(world, "PUBLISH cannot be sent");
    if (room->sent_counter - room->acked_counter > room->granted_window)
        world_violated(world, "more is in flight than the window allows");
}

static void exchange(struct world *world, struct client *client)
{
    struct link *link = link_of(world, client);
    if (link == NULL) {
        prosa_client_session_recv_eof(&client->session, world->now);
        return;
    }
    struct prosa_bytes out = prosa_client_session_send_peek(&client->session);
    size_t size = (size_t)world_random(world, PIPE - link->up.size + 1);
    if (size > out.size)
        size = out.size;
    if (size > 0) {
        memcpy(link->up.octets + link->up.size, out.at, size);
        link->up.size += size;
        prosa_client_session_send_consume(&client->session, size, world->now);
    }
    uint8_t *to = NULL;
    size_t space = prosa_client_session_recv_space(&client->session, &to);
    size = (size_t)world_random(world, link->down.size + 1);
    if (size > space)
        size = space;
    if (size > 0) {
        memcpy(to, link->down.octets, size);
        link->down.size -= size;
        memmove(link->down.octets, link->down.octets + size, link->down.size);
        prosa_client_session_recv_commit(&client->session, size, world->now);
    }
    if (link->down.size == 0 && link->hub_shut)
        prosa_client_session_recv_eof(&client->session, world->now);
}

void client_turn(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    struct prosa_client_event event;
    bool ended = false;

    if (!client->connected)
        return;
    exchange(world, client);
    prosa_client_session_tick(&client->session, world->now);
    while (prosa_client_session_next(&client->session, &event, world->now) == PROSA_OK) {
        on_event(world, client, &event);
        ended = event.kind == PROSA_CLIENT_ENDED;
    }
    if (ended) {
        client_break(world, at);
        return;
    }
    if (client->joined && !client->leaves)
        speak(world, client);
    if (!world->calm && client->joined && world_random(world, 200) == 0) {
        client->leaves = true;
        prosa_client_session_bye(&client->session, world->now);
    }
}

void client_fini(struct world *world, size_t at)
{
    if (world->clients[at].connected)
        prosa_client_session_fini(&world->clients[at].session);
}
