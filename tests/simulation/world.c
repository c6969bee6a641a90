/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdlib.h>

uint64_t world_random(struct world *world, uint64_t below)
{
    world->random ^= world->random >> 12; /* xorshift64* */
    world->random ^= world->random << 25;
    world->random ^= world->random >> 27;
    return (world->random * UINT64_C(2685821657736338717) >> 33) % below;
}

bool world_chance(struct world *world, uint64_t many)
{
    return !world->calm && world_random(world, many) == 0;
}

void world_random_octets(struct world *world, uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)world_random(world, 256);
    }
}

void world_violated(struct world *world, const char *what)
{
    if (world->violated == NULL) {
        world->violated = what;
    }
}

void world_happened(struct world *world, enum happening what)
{
    world->happened[what]++;
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static void cut_cable(struct world *world, struct client *client)
{
    struct link *link = client_link(world, client);
    if (link != NULL && !link->cut) {
        world_happened(world, CABLE_CUT);
        link->cut = true;
    }
}

/* Nothing moves for a while: somebody's program is frozen, and time goes on. */
static void stall(struct world *world, struct client *client)
{
    client->stalled_until = world->now + 500 + world_random(world, 3000);
}

static void trouble(struct world *world, size_t client)
{
    switch (world_random(world, 40)) {
    case 0:
    case 1:
    case 2:
        world_happened(world, CLIENT_KILLED);
        client_kill(world, client);
        break;
    case 3:
        cut_cable(world, &world->clients[client]);
        break;
    case 4:
        stall(world, &world->clients[client]);
        break;
    case 5:
        server_kill(world);
        break;
    case 6:
        if (world_random(world, 3) == 0) {
            server_stop(world);
        }
        break;
    case 7:
        world->skew = (int64_t)world_random(world, 4000) - 2000;
        break;
    case 8:
        world->hub.keeper.deadline_ms = world->now; /* the server looks for what is too old */
        break;
    case 9:
        world->disk.slow_until = world->now + world_random(world, 1000);
        break;
    default:
        break;
    }
}

/* Something happens somewhere. */
static void step(struct world *world)
{
    const size_t client = (size_t)world_random(world, CLIENTS);

    world->now += world_random(world, 4);
    switch (world_random(world, 16)) {
    case 0:
        disk_commit(world);
        break;
    case 1:
        if (!world->calm) {
            trouble(world, client);
        }
        break;
    case 2:
        if (!world->clients[client].connected) {
            client_connect(world, client);
        }
        break;
    case 3:
    case 4:
        machine_verify(world);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        server_turn(world);
        break;
    default:
        client_turn(world, client);
        break;
    }
    cable_bury(world, world_random(world, 300) == 0);
}

/* --- rest ------------------------------------------------------------------------------------- */

/* With audit a CHECKPOINT comes at JOIN, of all that there is then [AUD-04]. */
static bool is_covered(const struct world *world, const struct client *client, const struct place *place)
{
    const bool audit = world->settings.audit && (client->config.features & PROSA_FEATURE_AUDIT) != 0;
    return !audit || place->covered >= place->head_at_join;
}

/* Everything is said, acknowledged and seen. */
static bool place_rests(struct world *world, const struct place *place, size_t room)
{
    const uint64_t said = place->to_say + place->again < COUNTERS ? place->to_say + place->again : COUNTERS;
    if (!place->asked) {
        return !place->wants;
    }
    return place->joined && !place->leaving && place->acked >= said &&
           place->seen >= world->histories[room].count;
}

/* Whom the server has in a room, as members see it. */
static bool knows_members(struct world *world, const struct place *place, size_t room)
{
    const struct prosa_bytes name = prosa_bytes_of_string(room_names[room]);
    const struct room *found = rooms_find(&world->hub.rooms, name, NULL);
    bool here[CLIENTS] = {false};
    if (found == NULL || found->roster.counted != place->counts) {
        return false;
    }
    if (place->counts) {
        return place->count == found->roster.count;
    }
    LIST_EACH(at, &found->roster.members)
    {
        const struct member *member = LIST_OF(at, struct member, place);
        for (size_t i = 0; i < CLIENTS; i++) {
            here[i] = here[i] || prosa_bytes_equal(member->nick, prosa_bytes_of_string(nicks[i]));
        }
    }
    return memcmp(here, place->here, sizeof here) == 0;
}

static bool is_at_rest(struct world *world)
{
    if (!list_is_empty(&world->hub.journal) || world->disk.record_count > 0) {
        return false;
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        for (size_t room = 0; room < ROOMS; room++) {
            const struct place *place = &client->places[room];
            if (!client->connected || client->leaves || !place_rests(world, place, room) ||
                (place->joined && !(knows_members(world, place, room) && is_covered(world, client, place)))) {
                return false;
            }
        }
    }
    return true;
}

/* An acknowledged message is in the log, once: history_add has seen to the second half [RES-10]. */
static void check_acked(struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t room = 0; room < ROOMS; room++) {
            if (world->clients[i].places[room].acked > world->histories[room].counters[i]) {
                world_violated(world, "an acknowledged message is not in the log [FLOW-09]");
            }
        }
    }
}

/* Each log is a prefix of the one order, but for what was pruned before it came [FLOW-43]. */
static void check_log(struct world *world, const struct place *place, const struct history *history)
{
    for (uint64_t n = 0; n < place->seen; n++) {
        if (n >= history->count ||
            (place->has[n] && memcmp(place->log[n], history->ids[n], PROSA_HASH_SIZE) != 0)) {
            world_violated(world, "a log is no prefix of the order [FLOW-43]");
            return;
        }
    }
}

/* The log on the disk is the history, from its oldest entry on [RES-09]. */
static void check_disk(struct world *world)
{
    for (size_t room = 0; room < ROOMS; room++) {
        const struct history *history = &world->histories[room];
        const struct disk_room *disk =
            disk_find(world, (const uint8_t *)room_names[room], strlen(room_names[room]));
        if ((disk == NULL ? 0 : disk->record.head_seq) != history->count) {
            world_violated(world, "the log is not what was committed [RES-09]");
        }
    }
}

static void check_all(struct world *world)
{
    check_acked(world);
    check_disk(world);
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t room = 0; room < ROOMS; room++) {
            check_log(world, &world->clients[i].places[room], &world->histories[room]);
        }
    }
}

/* --- a schedule ------------------------------------------------------------------------------- */

static void begin(struct world *world, enum variant variant, uint64_t seed)
{
    static const uint8_t key_seed[32] = {100};
    *world = (struct world){.variant = variant,
                            .random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1,
                            .now = 1000,
                            .happened = world->happened};
    prosa_keypair_from_seed(&world->keypair, key_seed);
    world->settings.level = 4;
    world->settings.audit = world_random(world, 4) != 0;
    world->settings.keep_ms = world_random(world, 2) == 0 ? 300 + world_random(world, 1000) : 0;
    world->settings.limits = prosa_limits_default();
    world->settings.limits.handshake_ms = 3000;
    world->settings.limits.ping_after_ms = 1500;
    world->settings.limits.dead_after_ms = 4000;
    world->settings.limits.slow_ms = 1000;
    world->settings.limits.linger_ms = 500;
    world->settings.limits.member_limit = (uint32_t)(2 + world_random(world, CLIENTS));
    machine_init(world);
    cable_init(world);
    disk_init(world);
    server_start(world);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_init(world, i);
    }
}

const char *world_run(struct world *world, enum variant variant, uint64_t seed,
                      uint64_t happened[static HAPPENINGS])
{
    unsigned steps = 0;
    world->happened = happened;
    begin(world, variant, seed);
    const uint64_t storm = 500 + world_random(world, 3000); /* steps in which things go wrong */

    while (world->violated == NULL && !(world->calm && is_at_rest(world)) && steps < MANY_STEPS) {
        world->calm = ++steps > storm;
        step(world);
    }
    if (steps == MANY_STEPS) {
        world_violated(world, "it never comes to rest");
    }
    check_all(world);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_kill(world, i);
    }
    server_fini(world);
    return world->violated;
}
