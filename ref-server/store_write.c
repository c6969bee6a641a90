/* SPDX-License-Identifier: MIT */
#include "store_parts.h"

#include <prosa/sign.h>

/* Entries deleted in one transaction: a few milliseconds, in which nobody's message waits for long. */
#define SWEEP_ENTRIES 512

/* Frames in -wal that are worth bringing into the file, as SQLite has it by itself. */
#define CHECKPOINT_FRAMES 1000

enum {
    BEGIN,
    COMMIT,
    ROLLBACK,
    ADD_ROOM,
    GET_ROOM,
    SET_ROOM,
    GET_AUTHOR,
    ADD_AUTHOR,
    ADD_ENTRY,
    PRUNE,
    SWEEP_NEXT,
    SWEEP_KEEP,
    SWEEP_FORGET,
    SWEEP_DELETE,
    SWEEP_DONE,
    SET_NAME,
    FREE_NICK,
    SET_BAN,
    FORGET_NAME,
    STATEMENTS
};

_Static_assert(STATEMENTS == WRITER_STATEMENTS, "a place for each statement");
_Static_assert(STORE_IDS == 256, "the statements below say 256");

static const char *const statements[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ADD_ROOM] = "INSERT INTO rooms VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, 1, 1, ?6)",
    [GET_ROOM] = "SELECT head_seq, server_time, chain FROM rooms WHERE room = ?1 AND retired = 0",
    [SET_ROOM] = "UPDATE rooms SET head_seq = ?2, server_time = ?3, chain = ?4 WHERE room = ?1",
    [GET_AUTHOR] = "SELECT author FROM authors WHERE key = ?1",
    [ADD_AUTHOR] = "INSERT INTO authors (key) VALUES (?1)",
    [ADD_ENTRY] = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [PRUNE] = "UPDATE rooms SET oldest_seq = ?2, pruned_chain = ?3 WHERE room = ?1 AND retired = 0"
              " AND oldest_seq <= ?2 AND ?2 <= head_seq + 1",
    [SWEEP_NEXT] = "SELECT room, swept_seq, oldest_seq FROM rooms WHERE swept_seq < oldest_seq LIMIT 1",
    [SWEEP_KEEP] = "INSERT INTO pruned SELECT room, author, counter, room_seq, id FROM entries AS old"
                   " WHERE room = ?1 AND room_seq >= ?2 AND room_seq < ?3 AND counter > (SELECT max(counter)"
                   " FROM entries WHERE room = ?1 AND author = old.author) - 256",
    [SWEEP_FORGET] = "DELETE FROM pruned WHERE room = ?1 AND author IN (SELECT author FROM entries"
                     " WHERE room = ?1 AND room_seq >= ?2 AND room_seq < ?3)"
                     " AND counter <= (SELECT max(counter) FROM entries"
                     " WHERE room = ?1 AND author = pruned.author) - 256",
    [SWEEP_DELETE] = "DELETE FROM entries WHERE room = ?1 AND room_seq >= ?2 AND room_seq < ?3",
    [SWEEP_DONE] = "UPDATE rooms SET swept_seq = ?3 WHERE room = ?1",
    [SET_NAME] = "INSERT INTO names (key, nick, banned) VALUES (?1, ?2, 0)"
                 " ON CONFLICT (key) DO UPDATE SET nick = ?2",
    [FREE_NICK] = "UPDATE names SET nick = NULL WHERE nick = ?2 AND key <> ?1",
    [SET_BAN] = "INSERT INTO names (key, nick, banned) VALUES (?1, NULL, ?2)"
                " ON CONFLICT (key) DO UPDATE SET banned = ?2",
    [FORGET_NAME] = "DELETE FROM names WHERE key = ?1 AND nick IS NULL AND banned = 0",
};

static int note_frames(void *writer, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct writer *)writer)->frames = frames;
    return SQLITE_OK;
}

bool writer_init(struct writer *writer, sqlite3 *db)
{
    *writer = (struct writer){.db = db, .sweep = true};
    (void)sqlite3_wal_hook(db, note_frames,
                           writer); /* in the place of SQLite's own, which tells no failure */
    for (size_t i = 0; i < STATEMENTS; i++) {
        writer->statements[i] = database_prepare(db, statements[i]);
        if (writer->statements[i] == NULL) {
            return false;
        }
    }
    sqlite3_stmt *sum = database_prepare(db, "SELECT sum(head_seq) FROM rooms");
    const bool good = sum != NULL && sqlite3_step(sum) == SQLITE_ROW;
    writer->entries = good ? database_u64(sum, 0) : 0;
    sqlite3_finalize(sum);
    return good;
}

void writer_fini(struct writer *writer)
{
    database_close(writer->db);
}

/* One step of a statement that gives no row: SQLITE_OK or what went wrong. */
static int run(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void bind_octets(sqlite3_stmt *statement, int place, const uint8_t *octets, size_t size)
{
    sqlite3_bind_blob(statement, place, octets, (int)size, SQLITE_STATIC);
}

/* --- Rooms --- */

/* Writes down the room in hand; none is in hand afterwards. */
static int put_down_room(struct writer *writer)
{
    struct writer_room *room = &writer->room;
    if (room->number == 0) {
        return SQLITE_OK;
    }
    sqlite3_stmt *statement = writer->statements[SET_ROOM];
    sqlite3_bind_int64(statement, 1, room->number);
    sqlite3_bind_int64(statement, 2, database_from_u64(room->head_seq));
    sqlite3_bind_int64(statement, 3, database_from_u64(room->server_time));
    bind_octets(statement, 4, room->chain, sizeof room->chain);
    room->number = 0;
    return run(statement);
}

/* A room that is not there, for its record failed: SQLITE_CONSTRAINT. */
static int take_up_room(struct writer *writer, int64_t number)
{
    struct writer_room *room = &writer->room;
    int code = SQLITE_OK;
    if (room->number == number || (code = put_down_room(writer)) != SQLITE_OK) {
        return code;
    }
    sqlite3_stmt *statement = writer->statements[GET_ROOM];
    sqlite3_bind_int64(statement, 1, number);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        room->head_seq = database_u64(statement, 0);
        room->server_time = database_u64(statement, 1);
        code = database_copy(statement, 2, room->chain, sizeof room->chain) ? SQLITE_OK : SQLITE_CORRUPT;
        room->number = code == SQLITE_OK ? number : 0;
    } else if (code == SQLITE_DONE) {
        code = SQLITE_CONSTRAINT;
    }
    sqlite3_reset(statement);
    return code;
}

static int add_room(struct writer *writer, const struct store_room *room)
{
    static const uint8_t nobody[1];
    uint8_t start[PROSA_HASH_SIZE];
    sqlite3_stmt *statement = writer->statements[ADD_ROOM];
    const bool private = room->name[0] == '@';
    prosa_chain_start(room->room_id, start);
    sqlite3_bind_int64(statement, 1, room->number);
    sqlite3_bind_text(statement, 2, (const char *)room->name, room->name_size, SQLITE_STATIC);
    bind_octets(statement, 3, private ? room->client_key : nobody, private ? sizeof room->client_key : 0);
    bind_octets(statement, 4, room->epoch, sizeof room->epoch);
    bind_octets(statement, 5, room->room_id, sizeof room->room_id);
    bind_octets(statement, 6, start, sizeof start);
    return run(statement);
}

/* --- Messages --- */

/* *number of the author with this key, who is added at need. */
static int find_author(struct writer *writer, const uint8_t key[static PROSA_KEY_SIZE], int64_t *number)
{
    struct writer_author *author = &writer->authors[key[0] % WRITER_AUTHORS];
    if (author->number == 0 || memcmp(author->key, key, PROSA_KEY_SIZE) != 0) {
        sqlite3_stmt *statement = writer->statements[GET_AUTHOR];
        bind_octets(statement, 1, key, PROSA_KEY_SIZE);
        int code = sqlite3_step(statement);
        *number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        sqlite3_reset(statement);
        if (code == SQLITE_DONE) {
            bind_octets(writer->statements[ADD_AUTHOR], 1, key, PROSA_KEY_SIZE);
            code = run(writer->statements[ADD_AUTHOR]);
            *number = sqlite3_last_insert_rowid(writer->db);
        }
        if (code != SQLITE_OK && code != SQLITE_ROW) {
            return code;
        }
        memcpy(author->key, key, PROSA_KEY_SIZE);
        author->number = *number;
    }
    *number = author->number;
    return SQLITE_OK;
}

static int add_entry(struct writer *writer, const struct record *record, int64_t author)
{
    const struct store_message *message = &record->message.message;
    const struct prosa_bytes deliver = message->deliver;
    sqlite3_stmt *statement = writer->statements[ADD_ENTRY];
    sqlite3_bind_int64(statement, 1, message->room);
    sqlite3_bind_int64(statement, 2, database_from_u64(message->room_seq));
    sqlite3_bind_int64(statement, 3, author);
    sqlite3_bind_int64(statement, 4, database_from_u64(message->counter));
    sqlite3_bind_int64(statement, 5, database_from_u64(message->sent_at));
    sqlite3_bind_int64(statement, 6, database_from_u64(message->server_time));
    bind_octets(statement, 7, record->message.id, PROSA_HASH_SIZE);
    sqlite3_bind_int64(statement, 8, message->nick.at - deliver.at);
    sqlite3_bind_int64(statement, 9, (int64_t)message->nick.size);
    sqlite3_bind_int64(statement, 10, message->text.at - deliver.at);
    sqlite3_bind_int64(statement, 11, (int64_t)message->text.size);
    sqlite3_bind_int64(statement, 12, database_from_u64(database_sum(deliver)));
    bind_octets(statement, 13, deliver.at, deliver.size);
    return run(statement);
}

static int add_message(struct writer *writer, const struct record *record)
{
    const struct store_message *message = &record->message.message;
    struct writer_room *room = &writer->room;
    int64_t author = 0;
    int code = take_up_room(writer, message->room);
    if (code == SQLITE_OK && message->room_seq != room->head_seq + 1) {
        code = SQLITE_CONSTRAINT; /* a message without those before it, which failed */
    }
    code = code == SQLITE_OK ? find_author(writer, record->message.author_key, &author) : code;
    code = code == SQLITE_OK ? add_entry(writer, record, author) : code;
    if (code == SQLITE_OK) {
        room->head_seq = message->room_seq;
        room->server_time = message->server_time;
        prosa_chain_next(room->chain, message->room_seq, message->server_time, record->message.id,
                         room->chain);
        writer->entries++;
    }
    return code;
}

/* --- The rest --- */

static int prune(struct writer *writer, const struct record *record)
{
    sqlite3_stmt *statement = writer->statements[PRUNE];
    int code = put_down_room(writer);
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, record->pruned.room);
        sqlite3_bind_int64(statement, 2, database_from_u64(record->pruned.oldest_seq));
        bind_octets(statement, 3, record->pruned.chain, sizeof record->pruned.chain);
        code = run(statement);
    }
    if (code == SQLITE_OK && sqlite3_changes(writer->db) != 1) {
        code = SQLITE_CONSTRAINT;
    }
    writer->sweep = true;
    return code;
}

/* Runs a statement about a key, whose row goes when it says nothing any more. */
static int set_key(struct writer *writer, sqlite3_stmt *statement, const uint8_t key[static PROSA_KEY_SIZE])
{
    bind_octets(statement, 1, key, PROSA_KEY_SIZE);
    bind_octets(writer->statements[FORGET_NAME], 1, key, PROSA_KEY_SIZE);
    const int code = run(statement);
    return code == SQLITE_OK ? run(writer->statements[FORGET_NAME]) : code;
}

static int set_name(struct writer *writer, const struct record *record)
{
    sqlite3_stmt *statement = writer->statements[SET_NAME];
    sqlite3_stmt *others = writer->statements[FREE_NICK]; /* of whom the log has refused to forget it */
    int code = SQLITE_OK;
    if (record->name.nick_size > 0) {
        const char *nick = (const char *)record->name.nick;
        sqlite3_bind_text(statement, 2, nick, record->name.nick_size, SQLITE_STATIC);
        sqlite3_bind_text(others, 2, nick, record->name.nick_size, SQLITE_STATIC);
        bind_octets(others, 1, record->name.key, PROSA_KEY_SIZE);
        code = run(others);
    } else {
        sqlite3_bind_null(statement, 2);
    }
    return code == SQLITE_OK ? set_key(writer, statement, record->name.key) : code;
}

static int set_ban(struct writer *writer, const struct record *record)
{
    sqlite3_stmt *statement = writer->statements[SET_BAN];
    sqlite3_bind_int(statement, 2, record->ban.banned);
    return set_key(writer, statement, record->ban.key);
}

static int apply(struct writer *writer, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ROOM:
        return add_room(writer, &record->room);
    case RECORD_MESSAGE:
        return add_message(writer, record);
    case RECORD_PRUNED:
        return prune(writer, record);
    case RECORD_NAME:
        return set_name(writer, record);
    case RECORD_BAN:
        return set_ban(writer, record);
    }
    return SQLITE_MISUSE;
}

/* Nothing that this transaction has learned holds any more. When only the disk's confirmation failed, the
 * transaction may still stand in the file until the next one is written over it: if the program is killed
 * before, it is committed after all. Nobody was told anything of it, so nobody sees the difference. */
static int roll_back(struct writer *writer)
{
    writer->room.number = 0;
    memset(writer->authors, 0, sizeof writer->authors);
    return sqlite3_get_autocommit(writer->db) == 0 ? run(writer->statements[ROLLBACK]) : SQLITE_OK;
}

/* A transaction may still be open for which there was not even memory to be rolled back. */
static int begin(struct writer *writer)
{
    const int code = sqlite3_get_autocommit(writer->db) == 0 ? roll_back(writer) : SQLITE_OK;
    return code == SQLITE_OK ? run(writer->statements[BEGIN]) : code;
}

int writer_commit(struct writer *writer, const struct record *first)
{
    const uint64_t before = writer->entries;
    int code = begin(writer);
    for (const struct record *record = first; record != NULL && code == SQLITE_OK; record = record->next) {
        code = apply(writer, record);
    }
    code = code == SQLITE_OK ? put_down_room(writer) : code;
    code = code == SQLITE_OK ? run(writer->statements[COMMIT]) : code;
    if (code != SQLITE_OK) {
        (void)roll_back(writer);
        writer->entries = before;
    }
    return code;
}

int writer_checkpoint(struct writer *writer)
{
    if (writer->frames < CHECKPOINT_FRAMES) {
        return SQLITE_OK;
    }
    const int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? SQLITE_OK : code;
}

static int sweep_room(struct writer *writer, int64_t room, int64_t from, int64_t to)
{
    int code = SQLITE_OK;
    for (int i = SWEEP_KEEP; i <= SWEEP_DONE && code == SQLITE_OK; i++) {
        sqlite3_bind_int64(writer->statements[i], 1, room);
        if (i != SWEEP_DONE) {
            sqlite3_bind_int64(writer->statements[i], 2, from);
        }
        sqlite3_bind_int64(writer->statements[i], 3, to);
        code = run(writer->statements[i]);
    }
    return code;
}

void writer_sweep(struct writer *writer)
{
    sqlite3_stmt *next = writer->statements[SWEEP_NEXT];
    int code = begin(writer);
    writer->sweep = false;
    if (code == SQLITE_OK && (code = sqlite3_step(next)) == SQLITE_ROW) {
        const int64_t room = sqlite3_column_int64(next, 0);
        const int64_t from = sqlite3_column_int64(next, 1);
        const int64_t oldest = sqlite3_column_int64(next, 2);
        sqlite3_reset(next);
        code = sweep_room(writer, room, from, oldest - from > SWEEP_ENTRIES ? from + SWEEP_ENTRIES : oldest);
        code = code == SQLITE_OK ? run(writer->statements[COMMIT]) : code;
        writer->sweep = code == SQLITE_OK;
    }
    sqlite3_reset(next);
    if (code != SQLITE_OK) {
        (void)roll_back(writer);
    }
}

int writer_retire(struct writer *writer)
{
    return sqlite3_exec(writer->db, "UPDATE rooms SET retired = 1", NULL, NULL, NULL);
}
