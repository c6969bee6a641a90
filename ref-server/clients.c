/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include "admission.h"
#include "clock.h"
#include "ending.h"
#include "joining.h"
#include "log.h"
#include "publishing.h"
#include "strangers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Newcomers taken in at one readiness, so that those who are here have their turns. */
#define ACCEPT_BATCH 16

/* How long verdicts wait for more of them while there are signatures to check: so many times what the turns
 * took that the last ones led to. A turn costs about the same for one message as for many; but who comes
 * while it lasts waits for its end, so turns are short as long as some come who are in a hurry. */
#define PATIENCE_TURNS   16u
#define PATIENCE_LEAST   2u
#define PATIENCE_MOST_NS 8000000u

/* How often entries that are too old are looked for. */
#define KEEPER_MS 60000u

/* --- beginning -------------------------------------------------------------------------------- */

static struct terms *terms_new(const struct prosa_keypair *keypair, uint32_t features,
                               const struct prosa_limits *limits)
{
    struct terms *terms = calloc(1, sizeof *terms);
    if (terms != NULL) {
        terms->users = 1;
        terms->config = (struct prosa_server_config){
            .keypair = *keypair, .features = features, .limits = *limits, .read_size = CONN_READ_SIZE};
    }
    return terms;
}

static void terms_release(struct terms *terms)
{
    terms->users--;
    if (terms->users == 0) {
        prosa_keypair_wipe(&terms->config.keypair);
        free(terms);
    }
}

static uint32_t features_of(const struct settings *settings, bool durable)
{
    if (settings->level == 1) {
        return PROSA_FEATURE_LIVENESS;
    }
    return PROSA_FEATURE_LIVENESS | (durable ? PROSA_FEATURE_RESUME : 0) |
           (settings->audit ? PROSA_FEATURE_AUDIT : 0);
}

static void init_lists(struct hub *hub)
{
    list_init(&hub->strangers);
    list_init(&hub->clients);
    list_init(&hub->parted);
    list_init(&hub->dirty);
    list_init(&hub->resting);
    list_init(&hub->journal);
    list_init(&hub->counted);
    list_init(&hub->grown);
    admission_init(hub);
    rooms_init(&hub->rooms);
}

static bool open_log(struct hub *hub, const uint8_t *key, const char *folder, char *why, size_t why_size)
{
    hub->store = store_open(folder, key, hub->settings->restored, why, why_size);
    if (hub->store == NULL) {
        return false;
    }
    hub->pages = pages_new(hub->store);
    if (hub->pages == NULL || !admission_load(hub)) {
        snprintf(why, why_size, "the names in the log in %s cannot be read, or there is no memory", folder);
        return false;
    }
    return true;
}

/* Watches what wakes the loop. 0 or -errno. */
static int watch(struct hub *hub, const struct clients_kinds *kinds)
{
    hub->client_kind = kinds->client;
    hub->verdicts.kind = hub->outcomes.kind = kinds->wakeup;
    hub->announcer.kind = hub->keeper.kind = kinds->alarm;
    int problem = verifier_init(&hub->verifier, hub->settings->verifiers);
    if (problem != 0) {
        return problem;
    }
    problem = loop_add(hub->loop, &hub->verdicts, hub->verifier.wake, LOOP_READ);
    if (problem == 0 && hub->store != NULL) {
        problem = loop_add(hub->loop, &hub->outcomes, store_fd(hub->store), LOOP_READ);
    }
    problem = problem != 0 ? problem : loop_add(hub->loop, &hub->announcer, -1, 0);
    problem = problem != 0 ? problem : loop_add(hub->loop, &hub->keeper, -1, 0);
    if (problem != 0) {
        verifier_fini(&hub->verifier);
    } else {
        loop_set_deadline(hub->loop, &hub->keeper, hub->loop->now_ms);
    }
    return problem;
}

static void close_log(struct hub *hub)
{
    pages_free(hub->pages);
    store_close(hub->store);
}

bool clients_init(struct hub *hub, struct loop *loop, const struct clients_kinds *kinds,
                  const struct settings *settings, const struct prosa_keypair *keypair, const char *folder,
                  struct answerer *answerer, char *why, size_t why_size)
{
    *hub = (struct hub){.loop = loop, .settings = settings, .answerer = answerer};
    hub->stats.started_ms = clock_unix_ms();
    init_lists(hub);
    if (folder != NULL && !open_log(hub, keypair->key, folder, why, why_size)) {
        close_log(hub);
        return false;
    }
    hub->terms = terms_new(keypair, features_of(settings, folder != NULL), &settings->limits);
    const int problem = hub->terms == NULL ? -ENOMEM : watch(hub, kinds);
    if (problem != 0) {
        snprintf(why, why_size, "the server cannot begin: %s", strerror(-problem));
        close_log(hub);
    }
    return problem == 0;
}

/* --- connections ------------------------------------------------------------------------------ */

static void free_conn(struct hub *hub, struct conn *conn)
{
    struct terms *terms = hub_terms_of(conn);
    admission_forget(hub, conn);
    conn_free(conn);
    terms_release(terms);
}

/* The connection is closed; the rest of it goes when nothing of it is on its way any more. */
static void part(struct hub *hub, struct conn *conn, bool reset)
{
    conn_drop_tasks(conn, &hub->verifier);
    answerer_forget(hub->answerer, conn); /* [FLOW-30] */
    joining_on_ended(hub, conn);
    hub->stats.strangers -= conn->number == 0 ? 1 : 0;
    hub->stats.clients -= conn->number == 0 ? 0 : 1;
    list_remove(&conn->place);
    list_remove(&conn->dirty);
    conn_part(conn, hub->loop, reset);
    list_append(&hub->parted, &conn->place);
}

/* Those of whom nothing is on its way any more are gone. */
static void bury(struct hub *hub)
{
    LIST_EACH(at, &hub->parted)
    {
        struct conn *conn = LIST_OF(at, struct conn, place);
        if (conn->in_flight == 0) {
            list_remove(&conn->place);
            free_conn(hub, conn);
        }
    }
}

static void part_all(struct hub *hub, struct list *list)
{
    LIST_EACH(at, list)
    {
        part(hub, LIST_OF(at, struct conn, place), false);
    }
}

void clients_fini(struct hub *hub)
{
    part_all(hub, &hub->strangers);
    part_all(hub, &hub->clients);
    verifier_fini(&hub->verifier);
    pages_free(hub->pages);
    store_close(hub->store); /* entries are lent to it until here */
    LIST_EACH(at, &hub->journal)
    {
        free(LIST_OF(at, struct journal_item, place));
    }
    LIST_EACH(at, &hub->parted)
    {
        free_conn(hub, LIST_OF(at, struct conn, place));
    }
    rooms_fini(&hub->rooms);
    admission_fini(hub);
    terms_release(hub->terms);
}

static void admit(struct hub *hub, const struct newcomer *newcomer)
{
    char address[ADDRESS_TEXT_SIZE];
    struct conn *evicted = NULL;
    const char *refusal = strangers_judge(hub, newcomer, &evicted);
    if (refusal != NULL) {
        log_flood(LOG_LEVEL_WARN, refusal, "address=%s", endpoint_format(&newcomer->from, address));
        hub->stats.refused_connections++;
        close(newcomer->fd);
        return;
    }
    if (evicted != NULL) {
        log_flood(LOG_LEVEL_WARN, "stranger-evicted", "address=%s", endpoint_format(&evicted->from, address));
        hub->stats.evicted_connections++;
        part(hub, evicted, false);
    }
    struct conn *conn = conn_new(hub->loop, hub->client_kind, newcomer, &hub->terms->config);
    if (conn == NULL) {
        log_flood(LOG_LEVEL_ERROR, "no-memory", "address=%s", endpoint_format(&newcomer->from, address));
        return;
    }
    hub->terms->users++;
    list_append(&hub->strangers, &conn->place);
    hub->stats.strangers++;
    hub->stats.accepted_connections++;
    hub_mark(hub, conn);
    if (log_shows(LOG_LEVEL_DEBUG)) {
        log_event(LOG_LEVEL_DEBUG, "accepted", "address=%s", endpoint_format(&newcomer->from, address));
    }
}

void clients_accept(struct hub *hub, struct loop_source *listening)
{
    struct newcomer newcomer;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        const int problem = listener_accept(hub->loop, listening, &newcomer);
        if (problem == -EMFILE) {
            log_flood(LOG_LEVEL_WARN, "no-descriptors", "why=\"newcomers wait\"");
        }
        if (problem != 0) {
            return;
        }
        admit(hub, &newcomer);
    }
}

void clients_pump(struct hub *hub, const struct loop_event *event)
{
    struct conn *conn = event->source->owner;
    /* Before silence is judged, too: we may have been late, and it has come [LIVE-06]. */
    if ((event->ready & (LOOP_READ | LOOP_TIMEOUT)) != 0) {
        hub->stats.octets_in += conn_receive(conn, hub->loop->now_ms);
    }
    hub_mark(hub, conn);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* True when the session has ended; *reset tells how to close it. */
static bool take_events(struct hub *hub, struct conn *conn, bool *reset)
{
    struct prosa_server_event event;
    const uint64_t now_ms = hub->loop->now_ms;
    while (prosa_server_session_next(&conn->session, &event, now_ms) == PROSA_OK) {
        switch (event.kind) {
        case PROSA_SERVER_HELLO:
            admission_on_hello(hub, conn);
            break;
        case PROSA_SERVER_AUTH:
            admission_on_auth(hub, conn, &event);
            break;
        case PROSA_SERVER_JOIN:
            joining_on_join(hub, conn, &event.join);
            joining_tell(hub, conn); /* JOINED, and who is here, before anything else of this room */
            break;
        case PROSA_SERVER_LEAVE:
            if (room_is_private(room_of(event.room))) {
                answerer_forget(hub->answerer, conn); /* [FLOW-30] */
            }
            joining_on_leave(hub, conn, room_of(event.room));
            break;
        case PROSA_SERVER_PUBLISH:
            publishing_on_publish(hub, conn, &event);
            break;
        case PROSA_SERVER_CHECKPOINT:
            publishing_on_checkpoint(hub, conn, room_of(event.room), event.seq);
            break;
        case PROSA_SERVER_SHUT:
            answerer_forget(hub->answerer, conn); /* an answer would reach nobody [FLOW-30] */
            conn_shut(conn);
            break;
        case PROSA_SERVER_ENDED:
            ending_tell(hub, conn, &event.ended);
            *reset = event.ended.reset;
            return true;
        }
    }
    return false;
}

/* The time is up, and what has come was taken, what could go has gone. */
static bool ticks(const struct hub *hub, struct conn *conn)
{
    const bool due = prosa_server_session_deadline_ms(&conn->session) <= hub->loop->now_ms;
    if (due) {
        prosa_server_session_tick(&conn->session, hub->loop->now_ms);
    }
    return due;
}

static void turn(struct hub *hub, struct conn *conn)
{
    bool reset = false;
    bool has_ticked = false;
    bool goes_on = true;
    while (goes_on) {
        joining_tell(hub, conn); /* before a PONG that stands for it [LIVE-03] */
        if (take_events(hub, conn, &reset)) {
            part(hub, conn, reset);
            return;
        }
        const size_t sent = conn_send(conn, hub->pages, hub->loop->now_ms);
        hub->stats.octets_out += sent;
        goes_on = (sent > 0 && !conn->blocked) || conn_give_up(conn, hub->loop->now_ms);
        if (!goes_on && !has_ticked) {
            goes_on = has_ticked = ticks(hub, conn);
        }
    }
    list_remove(&conn->dirty);
    conn_rest(conn, hub->loop);
}

/* --- what others have done -------------------------------------------------------------------- */

static void take_verdicts(struct hub *hub, bool all)
{
    struct verify_task *task;
    while ((task = verifier_next(&hub->verifier, all)) != NULL) {
        struct conn *conn = task->lane->owner;
        if (task->room != NULL) {
            publishing_verified(hub, conn, task);
        } else {
            admission_verified(hub, conn, task->status);
        }
        free(task);
        conn->in_flight--;
        if (conn->lane->count == 0 && list_is_empty(&conn->lane->resting)) {
            list_append(&hub->resting, &conn->lane->resting);
        }
    }
}

static void take_outcomes(struct hub *hub)
{
    struct journal_item *item;
    bool good;
    while ((item = journal_next(hub, &good)) != NULL) {
        switch (item->kind) {
        case JOURNAL_MESSAGE:
        case JOURNAL_OWN:
            publishing_decided(hub, item, good);
            break;
        case JOURNAL_JOIN:
            joining_decided(hub, item, good);
            break;
        case JOURNAL_WELCOME:
            admission_decided(hub, item, good);
            break;
        case JOURNAL_ROOM:
            break;
        }
        journal_done(hub, item);
    }
}

void clients_wake(struct hub *hub, const struct loop_event *event)
{
    if (event->source == &hub->verdicts) {
        verifier_hear(&hub->verifier);
        take_verdicts(hub, true);
    }
    take_outcomes(hub);
}

void clients_alarm(struct hub *hub, const struct loop_event *event)
{
    if (event->source == &hub->announcer) {
        joining_announce(hub);
        return;
    }
    publishing_forget_old(hub);
    loop_set_deadline(hub->loop, &hub->keeper, hub->loop->now_ms + KEEPER_MS);
}

void clients_settle(struct hub *hub)
{
    struct verdict verdict;
    struct conn *conn;
    do {
        while ((conn = LIST_FIRST(&hub->dirty, struct conn, dirty)) != NULL) {
            turn(hub, conn);
        }
        while (answerer_next(hub->answerer, &verdict)) {
            publishing_answer(hub, &verdict);
        }
        take_outcomes(hub);
        if (list_is_empty(&hub->dirty)) {
            publishing_retain(hub); /* when everybody has been given what can be sent [FLOW-40] */
        }
    } while (!list_is_empty(&hub->dirty));
    bury(hub);
}

bool clients_work(struct hub *hub)
{
    uint64_t patience_ns = hub->patience * hub->turns_ns;
    patience_ns = patience_ns < PATIENCE_MOST_NS ? patience_ns : PATIENCE_MOST_NS;
    const enum verifier_state state = verifier_help(&hub->verifier, patience_ns);
    if (state == VERIFIER_SLEEPS) {
        hub_drop_lanes(hub);
    }
    if (state == VERIFIER_SLEEPS || state == VERIFIER_WORKS) {
        return state == VERIFIER_WORKS;
    }
    const uint64_t start_ns = clock_now_ns();
    take_verdicts(hub, state == VERIFIER_TELLS);
    take_outcomes(hub);
    clients_settle(hub);
    if (state == VERIFIER_HURRIES) {
        hub->patience = PATIENCE_LEAST;
    } else {
        hub->patience = hub->patience < PATIENCE_TURNS ? hub->patience + 1 : PATIENCE_TURNS;
        hub->turns_ns = clock_now_ns() - start_ns;
    }
    return true;
}

/* --- what is known ---------------------------------------------------------------------------- */

const struct conn *clients_next(const struct hub *hub, const struct conn *previous)
{
    const struct list *at = previous != NULL ? previous->place.next : hub->clients.next;
    return at != &hub->clients ? LIST_OF(at, const struct conn, place) : NULL;
}

const struct stats *clients_stats(struct hub *hub)
{
    struct stats *stats = &hub->stats;
    stats->rooms = hub->rooms.count;
    stats->verifying = verifier_waiting(&hub->verifier);
    stats->committing = hub->store != NULL ? store_waiting(hub->store) : 0;
    verifier_measure(&hub->verifier, &stats->verified, &stats->verify_ns);
    return stats;
}

bool clients_set_limits(struct hub *hub, const struct prosa_limits *limits)
{
    struct terms *terms = terms_new(&hub->terms->config.keypair, hub->terms->config.features, limits);
    if (terms == NULL) {
        return false;
    }
    terms->config.credit_held = hub->credit_held;
    terms_release(hub->terms);
    hub->terms = terms;
    return true;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void goodbye(struct hub *hub, struct list *list, uint16_t code)
{
    LIST_EACH(at, list)
    {
        hub_say_goodbye(hub, LIST_OF(at, struct conn, place), code);
    }
}

void clients_goodbye(struct hub *hub, uint16_t code)
{
    goodbye(hub, &hub->clients, code);
    goodbye(hub, &hub->strangers, code);
}

bool clients_are_gone(const struct hub *hub)
{
    return list_is_empty(&hub->clients) && list_is_empty(&hub->strangers);
}
