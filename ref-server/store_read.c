/* SPDX-License-Identifier: MIT */
#include "store_parts.h"

#include <prosa/sign.h>

#include <stdlib.h>

bool reader_init(struct reader *reader, sqlite3 *db)
{
    struct {
        sqlite3_stmt **statement;
        const char *sql;
    } const wanted[] = {
        {&reader->find_room,
         "SELECT room, epoch, room_id, head_seq, oldest_seq, server_time, chain, pruned_chain FROM rooms"
         " WHERE name = ?1 AND client_key = ?2 AND retired = 0"},
        {&reader->find_author,
         "SELECT counter, room_seq, id, kept FROM (SELECT counter, room_seq, id, 1 AS kept FROM entries"
         " WHERE room = ?1 AND author = (SELECT author FROM authors WHERE key = ?2) UNION ALL"
         " SELECT counter, room_seq, id, 0 FROM pruned"
         " WHERE room = ?1 AND author = (SELECT author FROM authors WHERE key = ?2))"
         " ORDER BY counter DESC LIMIT ?3"},
        {&reader->read, "SELECT room_seq, sum, octets FROM entries"
                        " WHERE room = ?1 AND room_seq >= ?2 ORDER BY room_seq LIMIT ?3"},
        {&reader->time_of, "SELECT server_time FROM entries WHERE room = ?1 AND room_seq = ?2"},
        {&reader->bounds, "SELECT oldest_seq, head_seq FROM rooms WHERE room = ?1"},
        {&reader->next_old,
         "SELECT room, epoch, room_id, head_seq, oldest_seq, server_time, chain, pruned_chain, name,"
         " client_key FROM rooms WHERE room > ?1 AND retired = 0 AND (SELECT server_time FROM entries"
         " WHERE entries.room = rooms.room AND room_seq = oldest_seq) < ?2 ORDER BY room LIMIT 1"},
        {&reader->next_name, "SELECT number, key, nick, banned FROM names WHERE number > ?1"
                             " AND (nick IS NOT NULL OR banned = 1) ORDER BY number LIMIT 1"},
    };
    *reader = (struct reader){.db = db};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].statement = database_prepare(db, wanted[i].sql);
        if (*wanted[i].statement == NULL) {
            return false;
        }
    }
    return sqlite3_exec(db, "PRAGMA query_only = 1", NULL, NULL, NULL) == SQLITE_OK;
}

void reader_fini(struct reader *reader)
{
    database_close(reader->db);
}

/* The answer to a query for one row, which stays until the statement is reset. */
static enum store_found one_row(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    return code == SQLITE_ROW ? STORE_FOUND : code == SQLITE_DONE ? STORE_NONE : STORE_FAILED;
}

static bool take_room(sqlite3_stmt *row, struct store_room *room)
{
    room->number = sqlite3_column_int64(row, 0);
    room->head_seq = database_u64(row, 3);
    room->oldest_seq = database_u64(row, 4);
    room->server_time = database_u64(row, 5);
    return database_copy(row, 1, room->epoch, sizeof room->epoch) &&
           database_copy(row, 2, room->room_id, sizeof room->room_id) &&
           database_copy(row, 6, room->chain, sizeof room->chain) &&
           database_copy(row, 7, room->pruned_chain, sizeof room->pruned_chain);
}

/* Octets that grow by doubling. */
struct run {
    uint8_t *at;
    size_t size, cap;
};

static bool run_append(struct run *run, struct prosa_bytes octets)
{
    if (run->at == NULL || run->cap - run->size < octets.size) {
        const size_t cap = 2 * run->cap + octets.size + 4096;
        uint8_t *at = realloc(run->at, cap);
        if (at == NULL) {
            return false;
        }
        run->at = at;
        run->cap = cap;
    }
    memcpy(run->at + run->size, octets.at, octets.size);
    run->size += octets.size;
    return true;
}

enum store_found store_read(struct store *store, int64_t room, uint64_t from_seq, size_t count,
                            uint8_t **octets, size_t ends[], size_t *found)
{
    sqlite3_stmt *statement = store_reader(store)->read;
    struct run run = {0};
    int code = SQLITE_DONE;
    size_t n = 0;
    sqlite3_bind_int64(statement, 1, room);
    sqlite3_bind_int64(statement, 2, database_from_u64(from_seq));
    sqlite3_bind_int64(statement, 3, (int64_t)count);
    while (n < count && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct prosa_bytes entry = database_bytes(statement, 2);
        if (database_u64(statement, 0) != from_seq + n ||
            (n > 0 && run.size + entry.size > STORE_READ_OCTETS)) {
            code = SQLITE_DONE; /* pruned, or enough */
            break;
        }
        if (database_sum(entry) != database_u64(statement, 1) || !run_append(&run, entry)) {
            code = SQLITE_CORRUPT;
            break;
        }
        ends[n++] = run.size;
    }
    sqlite3_reset(statement);
    if (n == 0) {
        free(run.at);
        run.at = NULL;
    }
    *octets = run.at;
    *found = n;
    /* What stands before a torn entry is good. */
    return n > 0 ? STORE_FOUND : code == SQLITE_DONE ? STORE_NONE : STORE_FAILED;
}

/* Entry `room_seq` of the room, which the caller frees; false: it is not there, or torn. */
static bool read_entry(struct store *store, int64_t room, uint64_t room_seq, uint8_t **octets,
                       struct prosa_message *message)
{
    struct prosa_frame frame;
    size_t end;
    size_t found;
    return store_read(store, room, room_seq, 1, octets, &end, &found) == STORE_FOUND &&
           prosa_frame_parse(prosa_bytes(*octets, end), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
           prosa_message_decode(&frame, PROSA_FROM_SERVER, message) == PROSA_OK &&
           message->deliver.room_seq == room_seq;
}

/* The next message of the author is judged, and numbered, by this one: its entry says the same. */
static bool is_last_of(struct store *store, int64_t room, const uint8_t key[static PROSA_KEY_SIZE],
                       const struct store_author *author)
{
    uint8_t *octets = NULL;
    struct prosa_message message;
    uint8_t id[PROSA_HASH_SIZE];
    bool good = read_entry(store, room, author->room_seq, &octets, &message) &&
                message.deliver.counter == author->counter &&
                memcmp(message.deliver.author_key, key, PROSA_KEY_SIZE) == 0;
    if (good) {
        prosa_message_id(message.body, id);
        good = memcmp(id, author->ids[author->id_count - 1], sizeof id) == 0;
    }
    free(octets);
    return good;
}

enum store_found store_find_author(struct store *store, int64_t room,
                                   const uint8_t key[static PROSA_KEY_SIZE], struct store_author *author)
{
    sqlite3_stmt *statement = store_reader(store)->find_author;
    bool is_kept = false;
    size_t free_from = STORE_IDS; /* they come from the last to the first */
    int code;
    *author = (struct store_author){0};
    sqlite3_bind_int64(statement, 1, room);
    sqlite3_bind_blob(statement, 2, key, PROSA_KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, STORE_IDS);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const uint64_t counter = database_u64(statement, 0);
        if (free_from == STORE_IDS) {
            author->counter = counter;
            author->room_seq = database_u64(statement, 1);
            is_kept = sqlite3_column_int(statement, 3) != 0;
        }
        if (counter != author->counter - (STORE_IDS - free_from) ||
            !database_copy(statement, 2, author->ids[free_from - 1], PROSA_HASH_SIZE)) {
            code = SQLITE_CORRUPT;
            break;
        }
        free_from--;
    }
    sqlite3_reset(statement);
    author->id_count = STORE_IDS - free_from;
    memmove(author->ids, author->ids + free_from, author->id_count * PROSA_HASH_SIZE);
    if (code == SQLITE_DONE && is_kept && !is_last_of(store, room, key, author)) {
        code = SQLITE_CORRUPT;
    }
    return code != SQLITE_DONE ? STORE_FAILED : author->id_count > 0 ? STORE_FOUND : STORE_NONE;
}

/* Its last entry leads to the chain at the head. Without audit an entry does not say what stood before it. */
static bool agrees_at_head(struct store *store, const struct store_room *room)
{
    uint8_t *octets = NULL;
    struct prosa_message message;
    uint8_t chain[PROSA_HASH_SIZE];
    bool good = read_entry(store, room->number, room->head_seq, &octets, &message) &&
                memcmp(message.deliver.room_id, room->room_id, PROSA_HASH_SIZE) == 0 &&
                message.deliver.server_time == room->server_time;
    if (good && message.deliver.has_prev_hash) {
        uint8_t id[PROSA_HASH_SIZE];
        prosa_message_id(message.body, id);
        prosa_chain_next(message.deliver.prev_hash, room->head_seq, room->server_time, id, chain);
        good = memcmp(chain, room->chain, sizeof chain) == 0;
    }
    free(octets);
    return good;
}

/* Its oldest entry continues the chain at the boundary. */
static bool agrees_at_boundary(struct store *store, const struct store_room *room)
{
    uint8_t *octets = NULL;
    struct prosa_message message;
    const bool good = read_entry(store, room->number, room->oldest_seq, &octets, &message) &&
                      (!message.deliver.has_prev_hash ||
                       memcmp(message.deliver.prev_hash, room->pruned_chain, sizeof room->pruned_chain) == 0);
    free(octets);
    return good;
}

/* What a server signs of a room rests on this row: it has to be what it was when the log was checked. */
static bool agrees(struct store *store, const struct store_room *room)
{
    uint8_t start[PROSA_HASH_SIZE];
    prosa_chain_start(room->room_id, start);
    if (room->oldest_seq == 0 || room->oldest_seq > room->head_seq + 1 ||
        (room->oldest_seq == 1 && memcmp(room->pruned_chain, start, sizeof start) != 0)) {
        return false;
    }
    if (room->oldest_seq == room->head_seq + 1) {
        return memcmp(room->pruned_chain, room->chain, sizeof room->chain) == 0;
    }
    return agrees_at_head(store, room) && agrees_at_boundary(store, room);
}

enum store_found store_find_room(struct store *store, struct prosa_bytes name, const uint8_t *client_key,
                                 struct store_room *room)
{
    sqlite3_stmt *statement = store_reader(store)->find_room;
    const bool private = name.size > 0 && name.at[0] == '@';
    *room = (struct store_room){.name_size = (uint8_t)name.size};
    if (name.size == 0 || name.size >= sizeof room->name || (private && client_key == NULL)) {
        return STORE_NONE;
    }
    memcpy(room->name, name.at, name.size);
    sqlite3_bind_text(statement, 1, (const char *)name.at, (int)name.size, SQLITE_STATIC);
    sqlite3_bind_zeroblob(statement, 2, 0);
    if (private) {
        memcpy(room->client_key, client_key, PROSA_KEY_SIZE);
        sqlite3_bind_blob(statement, 2, client_key, PROSA_KEY_SIZE, SQLITE_STATIC);
    }
    enum store_found found = one_row(statement);
    if (found == STORE_FOUND && !take_room(statement, room)) {
        found = STORE_FAILED;
    }
    sqlite3_reset(statement);
    return found == STORE_FOUND && !agrees(store, room) ? STORE_FAILED : found;
}

/* An entry that was pruned since the bounds were read counts as old. */
static enum store_found time_of(struct store *store, int64_t room, uint64_t room_seq, uint64_t *server_time)
{
    sqlite3_stmt *statement = store_reader(store)->time_of;
    sqlite3_bind_int64(statement, 1, room);
    sqlite3_bind_int64(statement, 2, database_from_u64(room_seq));
    const enum store_found found = one_row(statement);
    *server_time = found == STORE_FOUND ? database_u64(statement, 0) : 0;
    sqlite3_reset(statement);
    return found == STORE_NONE ? STORE_FOUND : found;
}

static enum store_found bounds_of(struct store *store, int64_t room, uint64_t *oldest_seq, uint64_t *head_seq)
{
    sqlite3_stmt *statement = store_reader(store)->bounds;
    sqlite3_bind_int64(statement, 1, room);
    const enum store_found found = one_row(statement);
    *oldest_seq = found == STORE_FOUND ? database_u64(statement, 0) : 0;
    *head_seq = found == STORE_FOUND ? database_u64(statement, 1) : 0;
    sqlite3_reset(statement);
    return found;
}

enum store_found store_find_time(struct store *store, int64_t room, uint64_t server_time, uint64_t *room_seq)
{
    uint64_t low;
    uint64_t head;
    enum store_found found = bounds_of(store, room, &low, &head);
    uint64_t high = head + 1;                    /* the one behind the last is no older */
    while (found == STORE_FOUND && low < high) { /* times never go back [MSG-13] */
        const uint64_t middle = low + (high - low) / 2;
        uint64_t time;
        found = time_of(store, room, middle, &time);
        if (time >= server_time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *room_seq = low;
    return found == STORE_FOUND && low > head ? STORE_NONE : found;
}

enum store_found store_next_old(struct store *store, int64_t *place, uint64_t server_time,
                                struct store_room *room)
{
    sqlite3_stmt *statement = store_reader(store)->next_old;
    *room = (struct store_room){0};
    sqlite3_bind_int64(statement, 1, *place);
    sqlite3_bind_int64(statement, 2, database_from_u64(server_time));
    enum store_found found = one_row(statement);
    if (found == STORE_FOUND) {
        const struct prosa_bytes name = database_bytes(statement, 8);
        const bool private = name.size > 0 && name.at[0] == '@';
        if (name.size == 0 || name.size >= sizeof room->name || !take_room(statement, room) ||
            (private && !database_copy(statement, 9, room->client_key, sizeof room->client_key))) {
            found = STORE_FAILED;
        } else {
            memcpy(room->name, name.at, name.size);
            room->name_size = (uint8_t)name.size;
            *place = room->number;
        }
    }
    sqlite3_reset(statement);
    return found;
}

enum store_found store_next_name(struct store *store, int64_t *place, struct store_name *name)
{
    sqlite3_stmt *statement = store_reader(store)->next_name;
    *name = (struct store_name){0};
    sqlite3_bind_int64(statement, 1, *place);
    enum store_found found = one_row(statement);
    if (found == STORE_FOUND) {
        const struct prosa_bytes nick = database_bytes(statement, 2);
        *place = sqlite3_column_int64(statement, 0);
        name->banned = sqlite3_column_int(statement, 3) != 0;
        name->bound = nick.size > 0;
        name->nick_size = (uint8_t)nick.size;
        if (nick.size > sizeof name->nick || !database_copy(statement, 1, name->key, sizeof name->key)) {
            found = STORE_FAILED;
        } else if (nick.size > 0) {
            memcpy(name->nick, nick.at, nick.size);
        }
    }
    sqlite3_reset(statement);
    return found;
}
