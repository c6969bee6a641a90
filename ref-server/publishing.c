/* SPDX-License-Identifier: MIT */
#include "publishing.h"

#include "clock.h"
#include "joining.h"
#include "log.h"

#include <assert.h>

/* Entries of a room that stay in memory: those that members are about to read. */
#define TAIL_ENTRIES 4096u
#define TAIL_OCTETS  (4u << 20)

/* Entries beyond those that are kept, before so many are dropped from the log at once. */
#define PRUNE_STEP 256u

/* Undecided octets of all clients: above the first limits do not rise, below the second they do again. */
#define UNDECIDED_HIGH (16u << 20)
#define UNDECIDED_LOW  (8u << 20)

/* --- load ------------------------------------------------------------------------------------- */

static void hold_credit_of(struct hub *hub, struct list *conns, bool held)
{
    LIST_EACH(at, conns)
    {
        struct conn *conn = LIST_OF(at, struct conn, place);
        hub_terms_of(conn)->config.credit_held = held;
        hub_mark(hub, conn);
    }
}

static void hold_credit(struct hub *hub, bool held)
{
    hub->credit_held = held;
    hub->terms->config.credit_held = held;
    log_flood(LOG_LEVEL_WARN, held ? "credit-held" : "credit-released", "undecided_octets=%zu",
              hub->stats.undecided);
    hold_credit_of(hub, &hub->strangers, held);
    hold_credit_of(hub, &hub->clients, held);
}

static void count_undecided(struct hub *hub, size_t size)
{
    hub->stats.undecided += size;
    if (!hub->credit_held && hub->stats.undecided > UNDECIDED_HIGH) {
        hold_credit(hub, true);
    }
}

static void count_decided(struct hub *hub, size_t size)
{
    hub->stats.undecided -= size;
    if (hub->credit_held && hub->stats.undecided < UNDECIDED_LOW) {
        hold_credit(hub, false);
    }
}

/* --- a message comes -------------------------------------------------------------------------- */

void publishing_on_publish(struct hub *hub, struct conn *conn, const struct prosa_server_event *event)
{
    struct verify_task *task = conn_task(conn, event);
    if (task == NULL) {
        prosa_server_session_refused(&conn->session, event->room, event->publish.counter, PROSA_ERR_INTERNAL,
                                     hub->loop->now_ms);
        return;
    }
    task->room = room_of(event->room);
    task->counter = event->publish.counter;
    memcpy(task->id, event->id, sizeof task->id);
    room_of(event->room)->uses++;
    conn->in_flight++;
    count_undecided(hub, task->size);
    verifier_put(&hub->verifier, conn->lane, task);
}

/* The decoded PUBLISH of a DELIVER; false never comes for what room_append() has made. */
static bool decode(struct prosa_bytes octets, struct prosa_message *message)
{
    struct prosa_frame frame;
    return prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
           prosa_message_decode(&frame, PROSA_FROM_SERVER, message) == PROSA_OK;
}

/* Puts the room's last entry into the log, before it the room itself if it is not there. 0: no memory. */
static uint64_t put_last(struct hub *hub, struct journal_item *item, struct room *room)
{
    struct prosa_message message;
    uint8_t id[PROSA_HASH_SIZE];
    const struct prosa_bytes octets = room_entry(room, room->last_seq);
    if (room->number == 0) {
        struct store_room record = joining_record(room);
        const uint64_t ticket = store_put_room(hub->store, &record);
        if (ticket == 0) {
            return 0;
        }
        item->is_first = true;
        room->number = record.number;
        journal_set_ticket(hub, item, ticket);
    }
    if (!decode(octets, &message)) {
        return 0;
    }
    prosa_message_id(message.body, id);
    const struct store_message record = {
        .room = room->number,
        .room_seq = message.deliver.room_seq,
        .counter = message.deliver.counter,
        .sent_at = message.deliver.sent_at,
        .server_time = message.deliver.server_time,
        .author_key = message.deliver.author_key,
        .id = id,
        .nick = message.deliver.nick,
        .text = message.deliver.text,
        .deliver = octets,
    };
    return store_put_message(hub->store, &record);
}

/* Where the room stood before an entry was appended. */
struct mark {
    uint64_t last_seq;
    uint8_t chain[PROSA_HASH_SIZE];
};

static struct mark mark_of(const struct room *room)
{
    struct mark mark = {.last_seq = room->last_seq};
    memcpy(mark.chain, room->chain, sizeof mark.chain);
    return mark;
}

/* The last entry goes to the log and the journal; NULL: there was no memory for it, and it is gone again. */
static struct journal_item *log_last(struct hub *hub, enum journal_kind kind, struct conn *conn,
                                     struct room *room, struct room_author *author, const struct mark *before)
{
    struct journal_item *item =
        journal_add(hub, kind, conn, room, 0); /* first: what is put cannot be taken out */
    const uint64_t ticket = item != NULL && hub->store != NULL ? put_last(hub, item, room) : 0;
    if (item == NULL || (hub->store != NULL && ticket == 0)) {
        if (item != NULL && item->is_first) {
            item->kind = JOURNAL_ROOM; /* the room alone is in the log, or will be */
        } else {
            journal_drop(hub, item);
        }
        room_take_back(room, before->last_seq, before->chain);
        author->counter--;
        return NULL;
    }
    journal_set_ticket(hub, item, ticket);
    item->author = author;
    item->room_seq = room->last_seq;
    memcpy(item->chain, room->chain, sizeof item->chain);
    return item;
}

static enum prosa_status append(struct hub *hub, struct conn *conn, const struct verify_task *task)
{
    struct room *room = task->room;
    const struct mark before = mark_of(room);
    const struct prosa_bytes body = prosa_bytes(task->octets + task->body_at, task->size - task->body_at);
    struct room_author *author = joining_author(hub, room, prosa_server_session_client_key(&conn->session));
    if (author == NULL || room_append(room, author, body, task->id, clock_unix_ms()) != PROSA_OK) {
        return PROSA_ERR_INTERNAL;
    }
    assert(author->counter == task->counter);
    struct journal_item *item = log_last(hub, JOURNAL_MESSAGE, conn, room, author, &before);
    if (item == NULL) {
        return PROSA_ERR_INTERNAL;
    }
    item->counter = task->counter;
    item->size = task->size;
    return PROSA_OK;
}

static void refuse(struct hub *hub, struct conn *conn, struct room *room, uint64_t counter,
                   enum prosa_status status)
{
    conn_drop_tasks(conn, &hub->verifier); /* those behind it will not be decided */
    prosa_server_session_refused(&conn->session, &room->shared, counter, status, hub->loop->now_ms);
}

void publishing_verified(struct hub *hub, struct conn *conn, const struct verify_task *task)
{
    struct room *room = task->room;
    if (task->dropped) {
        prosa_server_session_dropped(&conn->session, &room->shared, hub->loop->now_ms);
        count_decided(hub, task->size);
    } else {
        const enum prosa_status status = task->status == PROSA_OK ? append(hub, conn, task) : task->status;
        if (status != PROSA_OK) {
            refuse(hub, conn, room, task->counter, status);
            count_decided(hub, task->size);
        }
    }
    hub_mark(hub, conn);
    hub_release_room(hub, room);
}

/* --- and is committed ------------------------------------------------------------------------- */

/* An entry of the room, from the memory or the log. False: it cannot be read. */
static bool read_entry(const struct hub *hub, const struct room *room, uint64_t room_seq,
                       struct prosa_message *message)
{
    const struct prosa_bytes entry = room_entry(room, room_seq);
    return decode(entry.size > 0 ? entry : pages_entry(hub->pages, room->number, room_seq), message);
}

/* h_(room_seq - 1), which entry room_seq carries when it was written with audit; without it, it follows from
 * all entries before. False: one of them cannot be read. */
static bool find_chain(const struct hub *hub, const struct room *room, uint64_t room_seq,
                       uint8_t chain[static PROSA_HASH_SIZE])
{
    struct prosa_message message;
    uint8_t id[PROSA_HASH_SIZE];
    if (room_seq > room->shared.head_seq) {
        memcpy(chain, room->head_chain, PROSA_HASH_SIZE);
        return true;
    }
    if (!read_entry(hub, room, room_seq, &message)) {
        return false;
    }
    if (message.deliver.has_prev_hash) {
        memcpy(chain, message.deliver.prev_hash, PROSA_HASH_SIZE);
        return true;
    }
    memcpy(chain, room->pruned_chain, PROSA_HASH_SIZE);
    for (uint64_t seq = room->shared.oldest_seq; seq < room_seq; seq++) {
        if (!read_entry(hub, room, seq, &message)) {
            return false;
        }
        prosa_message_id(message.body, id);
        prosa_chain_next(chain, seq, message.deliver.server_time, id, chain);
    }
    return true;
}

/* What is beyond retention leaves the log. `oldest_seq` is in it, or the next to come. */
static void prune(struct hub *hub, struct room *room, uint64_t oldest_seq)
{
    uint8_t chain[PROSA_HASH_SIZE];
    if (!find_chain(hub, room, oldest_seq, chain)) {
        log_flood(LOG_LEVEL_ERROR, "not-pruned", "room=%.*s room_seq=%llu why=\"an entry cannot be read\"",
                  (int)room->shared.name_size, (const char *)room->shared.name,
                  (unsigned long long)oldest_seq);
        return;
    }
    struct journal_item *item = journal_add(hub, JOURNAL_ROOM, NULL, room, 0);
    const uint64_t ticket = item != NULL ? store_put_pruned(hub->store, room->number, oldest_seq, chain) : 0;
    if (ticket == 0) {
        journal_drop(hub, item);
        return; /* the log keeps more than it should: that is all, also when it refuses later */
    }
    room_prune(room, oldest_seq, chain);
    pages_forget(hub->pages, room->number, oldest_seq);
    journal_set_ticket(hub, item, ticket);
}

static void retain(struct hub *hub, struct room *room)
{
    const uint64_t keep = hub->settings->keep_messages;
    const bool limited = keep > 0 && keep < TAIL_ENTRIES;
    room_trim(room, limited && !room->durable ? (size_t)keep : TAIL_ENTRIES, TAIL_OCTETS);
    const uint64_t slack = keep < PRUNE_STEP ? keep : PRUNE_STEP;
    if (room->durable && keep > 0 && room->shared.head_seq - room->shared.oldest_seq + 1 >= keep + slack) {
        prune(hub, room, room->shared.head_seq - keep + 1);
    }
}

/* Those whose next entry is gone: their sessions find out in their turn. */
static void mark_overtaken(struct hub *hub, struct room *room)
{
    LIST_EACH(at, &room->roster.members)
    {
        const struct member *member = LIST_OF(at, struct member, place);
        struct conn *conn = member->owner;
        if (prosa_server_session_delivered(&conn->session, &room->shared) + 1 < room->shared.oldest_seq) {
            hub_mark(hub, conn);
        }
    }
}

void publishing_retain(struct hub *hub)
{
    LIST_EACH(at, &hub->grown)
    {
        struct room *room = LIST_OF(at, struct room, grown);
        const uint64_t before = room->shared.oldest_seq;
        list_remove(&room->grown);
        retain(hub, room);
        if (room->shared.oldest_seq > before) {
            mark_overtaken(hub, room);
        }
    }
}

/* What the answerer has to know of a question. */
static bool question_init(struct question *question, struct conn *conn, const struct room *room)
{
    struct prosa_message message;
    if (!decode(room_entry(room, room->shared.head_seq), &message)) {
        return false;
    }
    *question =
        (struct question){.asker = conn, .counter = message.deliver.counter, .text = message.deliver.text};
    prosa_message_id(message.body, question->id);
    memcpy(question->key, message.deliver.author_key, sizeof question->key);
    memcpy(question->nick, message.deliver.nick.at, message.deliver.nick.size);
    return true;
}

static void ask(struct hub *hub, struct conn *conn, struct room *room, uint64_t counter)
{
    struct question question;
    char text[LOG_TEXT_SIZE];
    if (!prosa_server_session_ready(&conn->session)) {
        return; /* an answer would reach nobody [FLOW-30] */
    }
    const bool known = question_init(&question, conn, room);
    if (known && hub->answerer->mode == ANSWER_CONSOLE) {
        const struct conn_words words = conn_describe(conn);
        log_say("%s#%s asks: %s", words.nick, words.key_suffix, log_text(question.text, text));
    }
    if (!known || !answerer_ask(hub->answerer, &question)) {
        prosa_server_session_no_answer(&conn->session, &room->shared, counter, hub->loop->now_ms);
    }
}

static void message_decided(struct hub *hub, const struct journal_item *item, bool good)
{
    struct conn *conn = item->conn;
    struct room *room = item->room;
    count_decided(hub, item->size);
    if (!good) {
        refuse(hub, conn, room, item->counter, PROSA_ERR_INTERNAL);
        return;
    }
    hub->stats.accepted++;
    prosa_server_session_accepted(&conn->session, &room->shared, item->counter, item->room_seq,
                                  hub->loop->now_ms);
    if (room_is_private(room)) {
        ask(hub, conn, room, item->counter);
    }
}

static void own_decided(struct hub *hub, const struct journal_item *item, bool good)
{
    if (item->conn == NULL || item->counter == 0) {
        return;
    }
    if (good) {
        prosa_server_session_answered(&item->conn->session, &item->room->shared, item->counter,
                                      item->room_seq, hub->loop->now_ms);
    } else {
        prosa_server_session_no_answer(&item->conn->session, &item->room->shared, item->counter,
                                       hub->loop->now_ms);
    }
}

void publishing_decided(struct hub *hub, const struct journal_item *item, bool good)
{
    if (good) {
        item->room->in_log = item->room->durable;
        room_commit(item->room, item->author, item->chain);
        hub_mark_room(hub, item->room);
        if (list_is_empty(&item->room->grown)) {
            list_append(&hub->grown, &item->room->grown);
        }
    }
    if (item->kind == JOURNAL_MESSAGE) {
        message_decided(hub, item, good);
    } else {
        own_decided(hub, item, good);
    }
    if (item->conn != NULL) {
        hub_mark(hub, item->conn);
    }
}

/* --- what the server says --------------------------------------------------------------------- */

static struct journal_item *append_own(struct hub *hub, struct conn *conn, struct room *room,
                                       struct prosa_bytes text, const uint8_t *reply_to)
{
    const struct prosa_keypair *keypair = &hub->terms->config.keypair;
    const struct mark before = mark_of(room);
    struct room_author *host = joining_author(hub, room, keypair->key);
    if (host == NULL || room_append_own(room, host, keypair, text, reply_to, clock_unix_ms()) != PROSA_OK) {
        return NULL;
    }
    return log_last(hub, JOURNAL_OWN, conn, room, host, &before);
}

void publishing_answer(struct hub *hub, const struct verdict *verdict)
{
    struct conn *conn = verdict->question.asker;
    struct room *room = joining_host_room(conn);
    struct journal_item *item = NULL;
    if (room == NULL) {
        return;
    }
    if (verdict->text.size > 0) {
        item = append_own(hub, conn, room, verdict->text, verdict->question.id);
    }
    if (item != NULL) {
        item->counter = verdict->question.counter;
    } else {
        prosa_server_session_no_answer(&conn->session, &room->shared, verdict->question.counter,
                                       hub->loop->now_ms);
    }
    hub_mark(hub, conn);
}

bool publishing_say(struct hub *hub, struct room *room, struct prosa_bytes text)
{
    return append_own(hub, NULL, room, text, NULL) != NULL;
}

/* --- CHECKPOINTs and age ---------------------------------------------------------------------- */

void publishing_on_checkpoint(struct hub *hub, struct conn *conn, struct room *room, uint64_t room_seq)
{
    const struct prosa_bytes octets =
        room_checkpoint(room, &hub->terms->config.keypair, room_seq, clock_unix_ms());
    if (octets.size > 0) {
        prosa_server_session_checkpoint(&conn->session, &room->shared, octets, hub->loop->now_ms);
    } else {
        prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, hub->loop->now_ms);
    }
}

static void forget_old(struct hub *hub, struct room *room, uint64_t time)
{
    const uint64_t next_seq =
        room->shared.head_seq + 1; /* the log may have more than the room has heard of */
    uint64_t oldest_seq;
    if (store_find_time(hub->store, room->number, time, &oldest_seq) != STORE_FAILED &&
        oldest_seq > room->shared.oldest_seq) {
        prune(hub, room, oldest_seq < next_seq ? oldest_seq : next_seq);
    }
}

void publishing_forget_old(struct hub *hub)
{
    const uint64_t keep_ms = hub->settings->keep_ms;
    uint64_t ahead_ms;
    const uint64_t now_ms = age_now(&hub->age, clock_unix_ms(), hub->loop->now_ms, &ahead_ms);
    struct store_room stored;
    int64_t place = 0;
    if (hub->store == NULL || keep_ms == 0) {
        return;
    }
    if (ahead_ms > 0) {
        log_event(LOG_LEVEL_WARN, "clock-set-forward",
                  "seconds=%llu why=\"messages do not grow older by this before it has held for a day\"",
                  (unsigned long long)ahead_ms / 1000);
    }
    if (keep_ms > now_ms) {
        return;
    }
    while (store_next_old(hub->store, &place, now_ms - keep_ms, &stored) == STORE_FOUND) {
        struct room *room = joining_find(hub, prosa_bytes(stored.name, stored.name_size),
                                         stored.name[0] == '@' ? stored.client_key : NULL);
        if (room != NULL) {
            forget_old(hub, room, now_ms - keep_ms);
            hub_release_room(hub, room);
        }
    }
}
