/* SPDX-License-Identifier: MIT */
#include "world.h"

uint64_t world_random(struct world *world, uint64_t below)
{
    world->random ^= world->random >> 12; /* xorshift64* */
    world->random ^= world->random << 25;
    world->random ^= world->random >> 27;
    return (world->random * UINT64_C(2685821657736338717) >> 33) % below;
}

void world_random_octets(struct world *world, uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)world_random(world, 256);
}

void world_violated(struct world *world, const char *what)
{
    if (world->violated == NULL)
        world->violated = what;
}

/* One that is in use, if there is any. */
static size_t some_link(struct world *world)
{
    size_t start = (size_t)world_random(world, LINKS);
    for (size_t i = 0; i < LINKS; i++)
        if (world->hub.links[(start + i) % LINKS].used)
            return (start + i) % LINKS;
    return start;
}

/* Something happens somewhere. */
static void step(struct world *world)
{
    size_t client = (size_t)world_random(world, CLIENTS);

    world->now += world_random(world, 3);
    switch (world_random(world, 12)) {
    case 0:
        hub_commit(world);
        break;
    case 1:
        if (!world->calm && world_random(world, 6) == 0)
            client_break(world, client);
        break;
    case 2:
        if (!world->clients[client].connected)
            client_connect(world, client);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        client_turn(world, client);
        break;
    default:
        hub_turn(world, some_link(world));
        break;
    }
}

static bool at_rest(const struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        if (client->acked < MESSAGES || client->seen < world->hub.room.head_seq)
            return false;
    }
    return world->hub.pending_count == 0;
}

/* Counters of each author are contiguous in the order of the room [MSG-06]. */
static void check_hub(struct world *world)
{
    uint64_t last[CLIENTS] = {0};
    const struct hub *hub = &world->hub;
    for (uint64_t n = 0; n < hub->room.head_seq; n++) {
        const struct entry *entry = &hub->entries[n];
        if (entry->counter != last[entry->author] + 1)
            world_violated(world, "the counters of an author are not contiguous");
        last[entry->author] = entry->counter;
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (last[i] < world->clients[i].acked)
            world_violated(world, "an acknowledged message is not in the log");
}

/* Each log is a prefix of the one order [FLOW-43] [RES-10]. */
static void check_clients(struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        if (client->seen > world->hub.room.head_seq)
            world_violated(world, "a client saw what was never committed");
        for (uint64_t n = 0; n < client->seen && world->violated == NULL; n++)
            if (memcmp(client->log[n], world->hub.entries[n].id, PROSA_HASH_SIZE) != 0)
                world_violated(world, "two logs differ");
    }
}

const char *world_run(struct world *world, enum variant variant, uint64_t seed)
{
    unsigned steps = 0;
    *world =
        (struct world){.variant = variant, .random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1, .now = 1000};
    hub_init(world);
    for (size_t i = 0; i < CLIENTS; i++)
        client_init(world, i);
    uint64_t storm = 300 + world_random(world, 1200); /* steps in which links break */

    while (world->violated == NULL && !(world->calm && at_rest(world)) && steps < MANY_STEPS) {
        world->calm = ++steps > storm;
        step(world);
    }
    if (steps == MANY_STEPS)
        world_violated(world, "it never comes to rest");
    check_hub(world);
    check_clients(world);
    for (size_t i = 0; i < CLIENTS; i++)
        client_fini(world, i);
    hub_fini(world);
    return world->violated;
}
