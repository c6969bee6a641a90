/* SPDX-License-Identifier: MIT */
/* peer: a client, its person and its disk. */
#include "world.h"

const char *const nicks[CLIENTS] = {"ada", "bob", "eve", "kim"};
const char *const room_names[ROOMS] = {"general", "lab"};

static struct prosa_bytes name_of(size_t room)
{
    return prosa_bytes_of_string(room_names[room]);
}

static void init_place(struct world *world, struct place *place, bool wants)
{
    place->wants = wants;
    place->to_say = wants ? world_random(world, MESSAGES + 1) : 0;
}

void client_init(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    const uint8_t seed[32] = {(uint8_t)(1 + at)};
    const uint32_t audit = world_random(world, 2) == 0 ? PROSA_FEATURE_AUDIT : 0;

    prosa_keypair_from_seed(&client->config.keypair, seed);
    client->config.nick = prosa_bytes_of_string(nicks[at]);
    client->config.target = prosa_bytes_of_string("localhost:65432");
    client->config.pinned_key = world->keypair.key;
    client->config.features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME | audit;
    client->config.grease = world_random(world, 2) == 0;
    const size_t home = (size_t)world_random(world, ROOMS);
    for (size_t room = 0; room < ROOMS; room++) {
        init_place(world, &client->places[room], room == home || world_random(world, 2) == 0);
    }
}

struct link *client_link(struct world *world, const struct client *client)
{
    struct link *link = &world->links[client->link];
    return client->connected && link->used && link->number == client->link_number ? link : NULL;
}

/* --- a session begins and ends ---------------------------------------------------------------- */

void client_connect(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    uint8_t nonce[PROSA_NONCE_SIZE];

    client->link = cable_connect(world);
    if (client->link == LINKS) {
        return; /* the backlog is full: another time */
    }
    client->link_number = world->links[client->link].number;
    world_random_octets(world, nonce, sizeof nonce);
    if (prosa_client_session_init(&client->session, &client->config, nonce, world->now) != PROSA_OK) {
        world_violated(world, "HELLO cannot be made");
    }
    client->connected = true;
    client->leaves = false;
    for (size_t room = 0; room < ROOMS; room++) {
        struct place *place = &client->places[room];
        place->asked = place->joined = place->leaving = false;
    }
}

void client_kill(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    struct link *link = client_link(world, client);
    if (!client->connected) {
        return;
    }
    if (link != NULL && world_chance(world, 3)) {
        link->orphan = true; /* it hangs, and its person starts it a second time */
    } else if (link != NULL) {
        cable_close(world, link);
    }
    prosa_client_session_fini(&client->session);
    client->connected = false;
}

/* --- rooms ------------------------------------------------------------------------------------ */

static void join(struct world *world, struct client *client, size_t room)
{
    struct place *place = &client->places[room];
    const struct prosa_client_join wish = {
        .room = name_of(room),
        .send_window = (uint32_t)(1 + world_random(world, 4)),
        .recv_window = (uint32_t)(2 + world_random(world, 5)),
        .has_after_seq = true,
        .after_seq = place->seen,
        .epoch = place->has_epoch ? place->epoch : NULL,
        .chain = place->has_chain ? place->chain : NULL,
    };
    if (prosa_client_session_join(&client->session, &wish) != PROSA_OK) {
        world_violated(world, "JOIN cannot be sent");
    }
    place->asked = true;
    place->counts = false;
    memset(place->here, 0, sizeof place->here);
}

static struct place *place_of(struct client *client, const struct prosa_client_room *room)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (prosa_bytes_equal(prosa_bytes(room->name, room->name_size), name_of(i))) {
            return &client->places[i];
        }
    }
    return &client->places[0];
}

/* History is lost when it was pruned, and only then [RES-03]. */
static void check_history(struct world *world, const struct place *place,
                          const struct prosa_client_event *event)
{
    const bool lost = event->joined.oldest_seq > place->seen + 1;
    if (event->lost_history != lost || (place->has_epoch && !event->same_epoch) ||
        event->joined.head_seq < place->seen) {
        world_violated(world, "history is lost, or said to be, without a reason [RES-03]");
    }
    if (lost) {
        world_happened(world, HISTORY_LOST);
    }
}

/* A client without a spool believes that what has no ACK was never sent. */
static void sign_again(struct place *place, uint64_t last)
{
    place->again += last - place->acked;
    place->composed = last;
}

static void on_joined(struct world *world, struct place *place, const struct prosa_client_event *event)
{
    const uint64_t last = event->room->acked_counter;
    check_history(world, place, event);
    if (last > place->composed || last < place->acked) {
        world_violated(world, "last_counter is not between acknowledged and sent");
    }
    if (world->variant == VARIANT_SIGNED_AGAIN) {
        sign_again(place, last);
    }
    place->acked = last;
    place->seen = event->joined.start_seq - 1;
    place->has_chain = event->room->chain_known;
    memcpy(place->chain, event->room->chain, PROSA_HASH_SIZE);
    memcpy(place->epoch, event->room->epoch, PROSA_EPOCH_SIZE);
    place->has_epoch = place->joined = true;
    place->head_at_join = event->joined.head_seq;
}

/* MEMBERs go out before any DELIVER behind what they tell of [MEM-02]. */
static void on_member(struct world *world, struct place *place, const struct prosa_member *member)
{
    size_t who = 0;
    if (place->leaving) {
        return;
    }
    if (member->at_seq < place->seen) {
        world_violated(world, "a MEMBER comes late [MEM-02]");
    }
    while (who < CLIENTS - 1 && member->has_nick &&
           !prosa_bytes_equal(member->nick, prosa_bytes_of_string(nicks[who]))) {
        who++;
    }
    switch (member->event) {
    case PROSA_EVENT_HERE:
        place->counts = false;
        place->here[who] = true;
        break;
    case PROSA_EVENT_JOINED:
        if (place->here[who]) {
            world_violated(world, "a member joins who is there already [MEM-09]");
        }
        place->here[who] = true;
        break;
    case PROSA_EVENT_LEFT:
        place->here[who] = false;
        break;
    case PROSA_EVENT_RESYNC:
        memset(place->here, 0, sizeof place->here);
        break;
    case PROSA_EVENT_COUNT:
        world_happened(world, COUNTED);
        place->counts = true;
        place->count = member->count;
        break;
    default:
        break;
    }
}

/* --- messages --------------------------------------------------------------------------------- */

/* What the server took is what the author sent, octet by octet [MSG-11]. */
static bool is_verbatim(const struct place *place, const struct prosa_client_event *event)
{
    const uint64_t at = event->deliver.counter - 1;
    const size_t size = place->outbox_size[at] - PROSA_HEADER_SIZE;
    return event->octets.size > place->outbox_size[at] &&
           memcmp(event->octets.at + PROSA_HEADER_SIZE, place->outbox[at] + PROSA_HEADER_SIZE, size) == 0;
}

static void on_message(struct world *world, struct place *place, const struct prosa_client_event *event)
{
    const struct history *history =
        history_find(world, prosa_bytes(event->room->name, event->room->name_size));
    if (place->leaving) {
        return;
    }
    if (event->seq > history->count) {
        world_violated(world, "a client is shown what is not committed [FLOW-26]");
        return;
    }
    if (event->seq != place->seen + 1 || place->has[event->seq - 1]) {
        world_violated(world, "a client's log has a gap or a repetition [RES-10]");
        return;
    }
    if (memcmp(history->ids[event->seq - 1], event->id, PROSA_HASH_SIZE) != 0) {
        world_violated(world, "two logs differ [FLOW-43]");
    }
    if (event->own && world->variant != VARIANT_SIGNED_AGAIN && !is_verbatim(place, event)) {
        world_violated(world, "a message is not what its author sent [MSG-11]");
    }
    memcpy(place->log[event->seq - 1], event->id, PROSA_HASH_SIZE);
    place->has[event->seq - 1] = true;
    place->has_chain = event->room->chain_known;
    memcpy(place->chain, event->room->chain, PROSA_HASH_SIZE);
    place->seen = event->seq;
    if (world->variant == VARIANT_MISCOUNTED && world_chance(world, 20)) {
        place->seen--;
    }
}

static void on_acked(struct world *world, const struct client *client, struct place *place,
                     const struct prosa_client_event *event)
{
    const struct history *history =
        history_find(world, prosa_bytes(event->room->name, event->room->name_size));
    const size_t at = (size_t)(client - world->clients);
    place->acked = event->room->acked_counter;
    if (place->acked > history->counters[at]) {
        world_violated(world, "an acknowledged message is not committed [FLOW-09]");
    }
}

static void compose(struct world *world, struct client *client, size_t room, uint64_t counter)
{
    struct place *place = &client->places[room];
    char line[] = "0 is a line of text";
    line[0] = (char)('0' + (counter - place->again));
    const struct prosa_client_text text = {
        .counter = counter, .sent_at = world->now, .text = prosa_bytes_of_string(line)};
    if (prosa_client_session_compose(&client->session, name_of(room), &text, place->outbox[counter - 1],
                                     FRAME, &place->outbox_size[counter - 1]) != PROSA_OK) {
        world_violated(world, "PUBLISH cannot be made");
    }
    place->composed = counter;
}

/* Sends the next message, stored or new, if the window is open. */
static void speak(struct world *world, struct client *client, size_t at)
{
    struct place *place = &client->places[at];
    const struct prosa_client_room *room = prosa_client_session_room(&client->session, name_of(at));
    const uint64_t last = place->to_say + place->again < COUNTERS ? place->to_say + place->again : COUNTERS;

    if (room == NULL || room->sent_counter >= last) {
        return;
    }
    const uint64_t counter = room->sent_counter + 1;
    if (counter > place->composed) {
        compose(world, client, at, counter);
    }
    const enum prosa_status status =
        prosa_client_session_send(&client->session, name_of(at),
                                  prosa_bytes(place->outbox[counter - 1], place->outbox_size[counter - 1]));
    if (status != PROSA_OK && status != PROSA_PARTIAL) {
        world_violated(world, "PUBLISH cannot be sent");
    }
    if (room->sent_counter - room->acked_counter > room->granted_window) {
        world_violated(world, "more is in flight than the window allows");
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* What may end a session, in a world in which things go wrong. */
static void on_ended(struct world *world, const struct prosa_ended *ended)
{
    const bool pressed = ended->code == PROSA_CODE_TIMEOUT || ended->code == PROSA_CODE_BUSY ||
                         (ended->code == PROSA_CODE_INTERNAL && world->failed_commits);
    if (ended->how == PROSA_ENDING_ERROR && !(pressed && ended->from_peer)) {
        world_violated(world, "a session ends with an ERROR");
    }
    if (ended->code == PROSA_CODE_SLOW_CONSUMER) {
        world_happened(world, SLOW_EVICTED);
    } else if (ended->code == PROSA_CODE_IDLE || ended->how == PROSA_ENDING_SILENCE) {
        world_happened(world, FELL_SILENT);
    }
}

static void on_room_event(struct world *world, struct client *client, const struct prosa_client_event *event)
{
    struct place *place = place_of(client, event->room);
    switch (event->kind) {
    case PROSA_CLIENT_JOINED:
        on_joined(world, place, event);
        break;
    case PROSA_CLIENT_MESSAGE:
        on_message(world, place, event);
        break;
    case PROSA_CLIENT_ACKED:
        on_acked(world, client, place, event);
        break;
    case PROSA_CLIENT_MEMBER:
        on_member(world, place, &event->member);
        break;
    case PROSA_CLIENT_COVERED:
        world_happened(world, COVERED);
        place->covered = event->seq > place->covered ? event->seq : place->covered;
        break;
    case PROSA_CLIENT_LEFT:
        world_happened(world, ROOM_LEFT);
        place->asked = place->joined = place->leaving = false;
        break;
    case PROSA_CLIENT_UNSHOWN:
        world_violated(world, "a client is given what it cannot show [MSG-11]");
        break;
    case PROSA_CLIENT_CONFLICT:
        world_violated(world, "a client finds two histories [AUD-05]");
        break;
    default:
        break;
    }
}

static void on_event(struct world *world, struct client *client, const struct prosa_client_event *event)
{
    struct link *link = client_link(world, client);
    if (event->kind == PROSA_CLIENT_SHUT && link != NULL) {
        link->client_shut = true;
    } else if (event->kind == PROSA_CLIENT_ERROR || event->kind == PROSA_CLIENT_REFUSED) {
        world_violated(world, "a client is refused something");
    } else if (event->kind == PROSA_CLIENT_ENDED) {
        on_ended(world, &event->ended);
    } else if (event->room != NULL) {
        on_room_event(world, client, event);
    }
}

/* --- octets ----------------------------------------------------------------------------------- */

static void send_some(struct world *world, struct client *client, struct link *link)
{
    const struct prosa_bytes out = prosa_client_session_send_peek(&client->session);
    size_t size = (size_t)world_random(world, PIPE - link->up.size + 1);
    size = size < out.size ? size : out.size;
    if (size > 0) {
        memcpy(link->up.octets + link->up.size, out.at, size);
        link->up.size += size;
        prosa_client_session_send_consume(&client->session, size, world->now);
    }
}

static void read_some(struct world *world, struct client *client, struct link *link)
{
    uint8_t *to = NULL;
    const size_t space = prosa_client_session_recv_space(&client->session, &to);
    size_t size =
        world_random(world, 2) == 0 ? link->down.size : (size_t)world_random(world, link->down.size + 1);
    size = size < space ? size : space;
    if (size > 0) {
        memcpy(to, link->down.octets, size);
        link->down.size -= size;
        memmove(link->down.octets, link->down.octets + size, link->down.size);
        prosa_client_session_recv_commit(&client->session, size, world->now);
    }
    if (link->down.size == 0 && link->hub_reset) {
        prosa_client_session_recv_reset(&client->session, world->now);
    } else if (link->down.size == 0 && (link->hub_shut || link->hub_closed)) {
        prosa_client_session_recv_eof(&client->session, world->now);
    }
}

static void exchange(struct world *world, struct client *client)
{
    struct link *link = client_link(world, client);
    if (link == NULL) {
        prosa_client_session_recv_eof(&client->session, world->now);
    } else if (!link->cut) {
        if (!link->hub_closed) {
            send_some(world, client, link);
        }
        read_some(world, client, link);
    }
}

/* --- what its person does --------------------------------------------------------------------- */

static void act(struct world *world, struct client *client, size_t room)
{
    struct place *place = &client->places[room];
    if (!prosa_client_session_ready(&client->session)) {
        return;
    }
    if (!place->asked && (place->wants || world_chance(world, 20))) {
        join(world, client, room);
    } else if (place->joined && !place->leaving && world_chance(world, 150)) {
        place->leaving = prosa_client_session_leave(&client->session, name_of(room)) == PROSA_OK;
    } else if (place->joined && !place->leaving) {
        speak(world, client, room);
    }
}

/* Takes what the session has to tell. False: it is over. */
static bool take_events(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    struct prosa_client_event event;
    while (prosa_client_session_next(&client->session, &event, world->now) == PROSA_OK) {
        if (world_chance(world, 400)) { /* killed before the event is on its disk */
            world_happened(world, CLIENT_KILLED);
            return false;
        }
        on_event(world, client, &event);
        if (event.kind == PROSA_CLIENT_ENDED || world_chance(world, 400)) { /* or just behind it */
            return false;
        }
    }
    return true;
}

void client_turn(struct world *world, size_t at)
{
    struct client *client = &world->clients[at];
    if (!client->connected || client->stalled_until > world->now) {
        return;
    }
    exchange(world, client);
    prosa_client_session_tick(&client->session, world->now);
    if (!take_events(world, at)) {
        client_kill(world, at);
        return;
    }
    for (size_t room = 0; room < ROOMS && !client->leaves; room++) {
        act(world, client, room);
    }
    if (!client->leaves && world_chance(world, 300)) {
        client->leaves = true;
        prosa_client_session_bye(&client->session, world->now);
    }
}
