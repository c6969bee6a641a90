/* SPDX-License-Identifier: MIT */
/* server: starts, turns and ends the server's rooms. */
#include "world.h"

#include <stdio.h>

enum { KIND_CLIENT = 1, KIND_WAKEUP, KIND_ALARM };

void server_start(struct world *world)
{
    static const struct clients_kinds kinds = {
        .client = KIND_CLIENT, .wakeup = KIND_WAKEUP, .alarm = KIND_ALARM};
    char why[200];
    world->loop.now_ms = world->now;
    if (!clients_init(&world->hub, &world->loop, &kinds, &world->settings, &world->keypair, "disk",
                      &world->answerer, why, sizeof why)) {
        world_violated(world, "the server does not start");
    }
}

void server_fini(struct world *world)
{
    clients_fini(&world->hub);
}

static void alarm_if_due(struct world *world, struct loop_source *source)
{
    if (source->deadline_ms <= world->now) {
        source->deadline_ms = LOOP_NEVER;
        clients_alarm(&world->hub, &(struct loop_event){.source = source, .ready = LOOP_TIMEOUT});
    }
}

/* A hang-up is told whatever one asks for. */
static unsigned ready(const struct world *world, const struct link *link)
{
    const unsigned asked = link->source->interest | (link->client_closed ? LOOP_READ : 0);
    const unsigned due = link->source->deadline_ms <= world->now ? LOOP_TIMEOUT : 0;
    return (cable_ready(link) & asked) | due;
}

static void pump(struct world *world, struct link *link)
{
    const unsigned what = ready(world, link);
    if (what == 0) {
        return;
    }
    if ((what & LOOP_TIMEOUT) != 0) {
        link->source->deadline_ms = LOOP_NEVER;
    }
    clients_pump(&world->hub, &(struct loop_event){.source = link->source, .ready = what});
}

/* 8.3: memory stays within the bound of 9.3. */
static void check_memory(struct world *world)
{
    const struct prosa_limits *limits = &world->settings.limits;
    const size_t fixed =
        limits->undecided_limit + limits->output_limit + (size_t)2 * limits->max_frame + 8192;
    LIST_EACH(at, &world->hub.clients)
    {
        const struct conn *conn = LIST_OF(at, struct conn, place);
        if (prosa_server_session_memory(&conn->session) > fixed + ROOMS * (256 + 48 * (size_t)ROOM_IDS)) {
            world_violated(world, "a connection takes more memory than it may [LIM-07]");
        }
    }
}

void server_turn(struct world *world)
{
    struct hub *hub = &world->hub;
    const size_t from = (size_t)world_random(world, LINKS);
    const bool all = world_random(world, 2) == 0;
    world->loop.now_ms = world->now;
    if (world_random(world, 2) == 0) {
        clients_accept(hub, &world->listening);
    }
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &world->links[(from + i) % LINKS];
        if (link->source != NULL && (all || world_random(world, 3) == 0)) {
            pump(world, link);
        }
    }
    alarm_if_due(world, &hub->announcer);
    alarm_if_due(world, &hub->keeper);
    clients_wake(hub, &(struct loop_event){.source = &hub->verdicts, .ready = LOOP_READ});
    clients_settle(hub);
    check_memory(world);
}

/* The kernel closes what the program leaves behind. */
static void forget_links(struct world *world)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *link = &world->links[i];
        if (link->used && link->waiting) {
            link->waiting = false;
            link->hub_closed = true;
            link->used = !link->client_closed;
        }
    }
}

void server_kill(struct world *world)
{
    world_happened(world, SERVER_KILLED);
    disk_kill(world);
    clients_fini(&world->hub);
    forget_links(world);
    server_start(world);
}

void server_stop(struct world *world)
{
    world_happened(world, SERVER_STOPPED);
    clients_goodbye(&world->hub, PROSA_CODE_SHUTDOWN);
    for (uint64_t turns = world_random(world, 4); turns > 0; turns--) {
        server_turn(world);
    }
    clients_fini(&world->hub);
    forget_links(world);
    server_start(world);
}
