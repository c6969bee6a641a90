/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include "log.h"

#include <stdlib.h>

struct journal_item *journal_add(struct hub *hub, enum journal_kind kind, struct conn *conn,
                                 struct room *room, uint64_t ticket)
{
    struct journal_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        return NULL;
    }
    item->kind = kind;
    item->conn = conn;
    item->room = room;
    item->ticket = hub->last_ticket;
    journal_set_ticket(hub, item, ticket);
    if (conn != NULL) {
        conn->in_flight++;
        conn->journaled++;
    }
    if (room != NULL) {
        room->uses++;
    }
    list_append(&hub->journal, &item->place);
    return item;
}

void journal_set_ticket(struct hub *hub, struct journal_item *item, uint64_t ticket)
{
    if (ticket != 0) {
        item->has_record = true;
        item->ticket = hub->last_ticket = ticket;
    }
}

void journal_drop(struct hub *hub, struct journal_item *item)
{
    if (item != NULL) {
        list_remove(&item->place);
        journal_done(hub, item);
    }
}

/* Everything that waits is as if it had never been put in. */
static void take_back(struct hub *hub)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list goes round, and has no NULL in it */
    LIST_EACH(at, &hub->journal)
    {
        struct journal_item *item = LIST_OF(at, struct journal_item, place);
        item->failed = item->has_record;
        if (item->is_first) {
            item->room->number = 0;
        }
        if (item->author != NULL) {
            room_take_back(item->room, item->room->shared.head_seq, item->room->head_chain);
            item->author->counter = item->author->committed_counter;
        }
        if (item->kind == JOURNAL_WELCOME && item->has_record) {
            names_unbind(&hub->names, prosa_server_session_client_key(&item->conn->session));
        }
    }
}

/* Hears what became of more tickets; false: nothing new. */
static bool hear(struct hub *hub)
{
    struct store_outcome outcome;
    if (hub->store == NULL || !store_next(hub->store, &outcome)) {
        return false;
    }
    hub->decided_ticket = outcome.upto;
    char why[LOG_VALUE_SIZE];
    log_value(prosa_bytes_of_string(outcome.why), why);
    if (outcome.good) {
        hub->stats.commits++;
    } else {
        hub->stats.commit_failures++;
        log_flood(LOG_LEVEL_ERROR, "commit-failed", "records=%zu why=%s", outcome.records, why);
        take_back(hub);
    }
    if (outcome.good && outcome.why[0] != '\0') {
        log_flood(LOG_LEVEL_ERROR, "checkpoint-failed", "why=%s", why);
    }
    return true;
}

struct journal_item *journal_next(struct hub *hub, bool *good)
{
    do {
        struct journal_item *item = LIST_FIRST(&hub->journal, struct journal_item, place);
        if (item != NULL && item->ticket <= hub->decided_ticket) {
            list_remove(&item->place);
            *good = !item->failed;
            return item;
        }
    } while (hear(hub));
    return NULL;
}

void journal_done(struct hub *hub, struct journal_item *item)
{
    if (item->room != NULL) {
        hub_release_room(hub, item->room);
    }
    if (item->conn != NULL) {
        item->conn->journaled--;
        item->conn->in_flight--;
    }
    free(item);
}
