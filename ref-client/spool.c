/* SPDX-License-Identifier: MIT */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* "PRSc", and the version of the schema, in the header of the file. */
#define APPLICATION "1347572579"
#define VERSION     "1"
#define WHY_SIZE    1024
#define BUSY_MS     10000 /* another client of the same folder writes for a moment at most */

/* counter and seen_seq have 64 bits on the wire and 63 here: no room lives that long. */
static const char schema[] =
    "CREATE TABLE place(id INTEGER PRIMARY KEY, client BLOB NOT NULL, server BLOB NOT NULL,"
    " room TEXT NOT NULL, epoch BLOB, seen_seq INTEGER, chain BLOB, checkpoint BLOB,"
    " UNIQUE(client, server, room)) STRICT;"
    "CREATE TABLE message(place INTEGER NOT NULL REFERENCES place, room_id BLOB NOT NULL,"
    " counter INTEGER NOT NULL, acked INTEGER NOT NULL, octets BLOB NOT NULL,"
    " PRIMARY KEY(place, room_id, counter)) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id=" APPLICATION ";"
    "PRAGMA user_version=" VERSION ";";

enum verb {
    BEGIN,
    COMMIT,
    ADD_PLACE,
    FIND_PLACE,
    POSITION,
    MOVE,
    KEEP_CHECKPOINT,
    CHECKPOINT,
    PUT,
    LAST,
    NEXT,
    STRAY,
    ACK,
    DROP,
    REMOVE,
    VERB_COUNT
};

static const char *const texts[VERB_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ADD_PLACE] = "INSERT INTO place(client, server, room) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [FIND_PLACE] = "SELECT id FROM place WHERE client = ?1 AND server = ?2 AND room = ?3",
    [POSITION] = "SELECT epoch, seen_seq, chain FROM place WHERE id = ?1 AND epoch IS NOT NULL",
    [MOVE] = "UPDATE place SET epoch = ?2, seen_seq = ?3, chain = ?4"
             " WHERE id = ?1 AND (?5 OR epoch IS NOT ?2 OR seen_seq <= ?3)",
    [KEEP_CHECKPOINT] = "UPDATE place SET checkpoint = ?2 WHERE id = ?1",
    [CHECKPOINT] = "SELECT checkpoint FROM place WHERE id = ?1",
    [PUT] = "INSERT INTO message(place, room_id, counter, acked, octets) VALUES(?1, ?2, ?3, 0, ?4)",
    [LAST] = "SELECT ifnull(max(counter), 0) FROM message WHERE place = ?1 AND room_id = ?2",
    [NEXT] = "SELECT room_id, counter, acked, octets FROM message"
             " WHERE place = ?1 AND room_id = ?2 AND counter >= ?3 ORDER BY counter LIMIT 1",
    [STRAY] = "SELECT room_id, counter, acked, octets FROM message"
              " WHERE place = ?1 AND room_id != ?2 ORDER BY room_id, counter LIMIT 1",
    [ACK] = "UPDATE message SET acked = 1"
            " WHERE place = ?1 AND room_id = ?2 AND counter <= ?3 AND acked = 0",
    [DROP] = "DELETE FROM message WHERE place = ?1 AND room_id = ?2 AND counter <= ?3",
    [REMOVE] = "DELETE FROM message WHERE place = ?1 AND room_id = ?2 AND counter = ?3",
};

struct spool {
    sqlite3 *db;
    sqlite3_stmt *statements[VERB_COUNT];
    const char *path;       /* for words: owned by SQLite, or "memory" */
    sqlite3_stmt *borrowed; /* whose row the caller may still look at */
    bool is_sure;
    char why[WHY_SIZE];
};

/* --- opening ---------------------------------------------------------------------------------- */

static bool fail(struct spool *spool)
{
    const int code = sqlite3_errcode(spool->db) & 0xFF;
    const bool is_system = code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    const int problem = is_system ? sqlite3_system_errno(spool->db) : 0;
    snprintf(spool->why, sizeof spool->why, "%s: %s%s%s", spool->path, sqlite3_errmsg(spool->db),
             problem != 0 ? ": " : "", problem != 0 ? strerror(problem) : "");
    return false;
}

/* The number that a PRAGMA answers with. */
static bool ask(struct spool *spool, const char *pragma, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    const bool good = sqlite3_prepare_v2(spool->db, pragma, -1, &statement, NULL) == SQLITE_OK &&
                      sqlite3_step(statement) == SQLITE_ROW;
    *number = good ? sqlite3_column_int64(statement, 0) : -1;
    if (!good) {
        (void)fail(spool);
    }
    sqlite3_finalize(statement);
    return good;
}

static bool command(struct spool *spool, const char *sql)
{
    return sqlite3_exec(spool->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(spool);
}

/* Makes the tables of an empty file; of any other one nothing is touched that is not ours. Two programs
 * that start at once take turns. */
static bool set_up(struct spool *spool)
{
    int64_t application;
    int64_t version;
    int64_t tables;
    if (!command(spool, "BEGIN IMMEDIATE") || !ask(spool, "PRAGMA application_id", &application) ||
        !ask(spool, "PRAGMA user_version", &version) ||
        !ask(spool, "SELECT count(*) FROM sqlite_schema", &tables)) {
        return false;
    }
    const bool is_ours = application == strtoll(APPLICATION, NULL, 10);
    if (!is_ours && tables != 0) {
        snprintf(spool->why, sizeof spool->why, "%s is no spool of this program", spool->path);
        return false;
    }
    if (is_ours && version != strtoll(VERSION, NULL, 10)) {
        snprintf(spool->why, sizeof spool->why, "%s was made by another version of this program",
                 spool->path);
        return false;
    }
    if ((!is_ours && !command(spool, schema)) || !command(spool, "COMMIT")) {
        return false;
    }
    /* Another program may be at it at this moment: then the mode is set all the same, and stays in the file.
     */
    (void)command(spool, "PRAGMA journal_mode=WAL");
    return true;
}

static bool prepare(struct spool *spool)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (sqlite3_prepare_v3(spool->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &spool->statements[i],
                               NULL) != SQLITE_OK) {
            return fail(spool);
        }
    }
    return true;
}

/* SQLite would let others read the file; those that it puts beside it have the same mode. */
static bool make_private(const char *path, char *why, size_t why_size)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        snprintf(why, why_size, "%s cannot be opened: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

struct spool *spool_open(const char *path, char *why, size_t why_size)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (spool == NULL) {
        snprintf(why, why_size, "there is no memory");
        return NULL;
    }
    if (path != NULL && !make_private(path, why, why_size)) {
        free(spool);
        return NULL;
    }
    spool->path = path != NULL ? path : "memory";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    bool good = sqlite3_open_v2(path != NULL ? path : ":memory:", &spool->db, flags, NULL) == SQLITE_OK ||
                fail(spool);
    if (good && path != NULL) {
        spool->path = sqlite3_db_filename(spool->db, "main");
    }
    good = good && sqlite3_busy_timeout(spool->db, BUSY_MS) == SQLITE_OK && set_up(spool) &&
           command(spool, "PRAGMA synchronous=NORMAL") && prepare(spool);
    if (!good) {
        snprintf(why, why_size, "%s", spool->why);
        spool_close(spool);
        return NULL;
    }
    return spool;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL) {
        return;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        sqlite3_finalize(spool->statements[i]);
    }
    sqlite3_close(spool->db);
    free(spool);
}

const char *spool_why(const struct spool *spool)
{
    return spool->why;
}

/* --- statements ------------------------------------------------------------------------------- */

static void bind_blob(sqlite3_stmt *statement, int at, struct prosa_bytes octets)
{
    sqlite3_bind_blob64(statement, at, octets.at, octets.size, SQLITE_STATIC);
}

/* A statement to be bound and run. A row that is still looked at would hold a lock, and ends here. */
static sqlite3_stmt *ready(struct spool *spool, enum verb verb)
{
    sqlite3_reset(spool->borrowed);
    spool->borrowed = NULL;
    return spool->statements[verb];
}

/* A statement whose first parameters are a place and a room_id; the third is a counter, if it has one. */
static sqlite3_stmt *about_room(struct spool *spool, enum verb verb, int64_t place, const uint8_t *room_id)
{
    sqlite3_stmt *statement = ready(spool, verb);
    sqlite3_bind_int64(statement, 1, place);
    bind_blob(statement, 2, prosa_bytes(room_id, PROSA_HASH_SIZE));
    return statement;
}

static sqlite3_stmt *about_counter(struct spool *spool, enum verb verb, int64_t place, const uint8_t *room_id,
                                   uint64_t counter)
{
    sqlite3_stmt *statement = about_room(spool, verb, place, room_id);
    sqlite3_bind_int64(statement, 3, (int64_t)counter);
    return statement;
}

/* Runs a statement that answers with no row. */
static bool run(struct spool *spool, sqlite3_stmt *statement)
{
    const bool good = sqlite3_step(statement) == SQLITE_DONE || fail(spool);
    sqlite3_reset(statement);
    return good;
}

/* Runs one that answers with a row or none; the row stays until the next statement is run. */
static bool look(struct spool *spool, sqlite3_stmt *statement, bool *found)
{
    spool->borrowed = statement;
    const int outcome = sqlite3_step(statement);
    *found = outcome == SQLITE_ROW;
    return *found || outcome == SQLITE_DONE || fail(spool);
}

static struct prosa_bytes column(sqlite3_stmt *statement, int at)
{
    const void *octets = sqlite3_column_blob(statement, at);
    return prosa_bytes(octets, (size_t)sqlite3_column_bytes(statement, at));
}

/* False: the column has another size, the file is not what it was. */
static bool copy_column(struct spool *spool, sqlite3_stmt *statement, int at, uint8_t *out, size_t size)
{
    const struct prosa_bytes octets = column(statement, at);
    if (octets.size != size) {
        snprintf(spool->why, sizeof spool->why, "%s is damaged", spool->path);
        return false;
    }
    memcpy(out, octets.at, size);
    return true;
}

bool spool_begin(struct spool *spool, bool is_sure)
{
    sqlite3_stmt *begin = ready(spool, BEGIN);
    if (is_sure != spool->is_sure &&
        !command(spool, is_sure ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL")) {
        return false;
    }
    spool->is_sure = is_sure;
    return run(spool, begin);
}

bool spool_commit(struct spool *spool)
{
    return run(spool, ready(spool, COMMIT));
}

/* --- places ----------------------------------------------------------------------------------- */

bool spool_place(struct spool *spool, const uint8_t client_key[static PROSA_KEY_SIZE],
                 const uint8_t server_key[static PROSA_KEY_SIZE], const char *room, int64_t *place)
{
    static const enum verb verbs[] = {ADD_PLACE, FIND_PLACE};
    bool found = false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        sqlite3_stmt *statement = ready(spool, verbs[i]);
        bind_blob(statement, 1, prosa_bytes(client_key, PROSA_KEY_SIZE));
        bind_blob(statement, 2, prosa_bytes(server_key, PROSA_KEY_SIZE));
        sqlite3_bind_text(statement, 3, room, -1, SQLITE_STATIC);
        if (!look(spool, statement, &found)) {
            return false;
        }
    }
    *place = found ? sqlite3_column_int64(spool->statements[FIND_PLACE], 0) : 0;
    return found || fail(spool);
}

bool spool_position(struct spool *spool, int64_t place, struct spool_position *position, bool *found)
{
    sqlite3_stmt *statement = ready(spool, POSITION);
    sqlite3_bind_int64(statement, 1, place);
    bool good = look(spool, statement, found);
    if (good && *found) {
        position->seen_seq = (uint64_t)sqlite3_column_int64(statement, 1);
        position->has_chain = sqlite3_column_type(statement, 2) != SQLITE_NULL;
        good = copy_column(spool, statement, 0, position->epoch, PROSA_EPOCH_SIZE) &&
               (!position->has_chain || copy_column(spool, statement, 2, position->chain, PROSA_HASH_SIZE));
    }
    return good;
}

bool spool_move(struct spool *spool, int64_t place, const struct spool_position *position, bool is_forced)
{
    sqlite3_stmt *statement = ready(spool, MOVE);
    sqlite3_bind_int64(statement, 1, place);
    bind_blob(statement, 2, prosa_bytes(position->epoch, PROSA_EPOCH_SIZE));
    sqlite3_bind_int64(statement, 3, (int64_t)position->seen_seq);
    bind_blob(statement, 4, prosa_bytes(position->has_chain ? position->chain : NULL, PROSA_HASH_SIZE));
    sqlite3_bind_int(statement, 5, is_forced);
    return run(spool, statement);
}

bool spool_keep_checkpoint(struct spool *spool, int64_t place, struct prosa_bytes octets)
{
    sqlite3_stmt *statement = ready(spool, KEEP_CHECKPOINT);
    sqlite3_bind_int64(statement, 1, place);
    bind_blob(statement, 2, octets);
    return run(spool, statement);
}

bool spool_checkpoint(struct spool *spool, int64_t place, struct prosa_bytes *octets)
{
    sqlite3_stmt *statement = ready(spool, CHECKPOINT);
    bool found = false;
    sqlite3_bind_int64(statement, 1, place);
    const bool good = look(spool, statement, &found);
    *octets = found ? column(statement, 0) : prosa_bytes(NULL, 0);
    return good;
}

/* --- messages --------------------------------------------------------------------------------- */

bool spool_put(struct spool *spool, const struct spool_message *message)
{
    sqlite3_stmt *statement = about_counter(spool, PUT, message->place, message->room_id, message->counter);
    bind_blob(statement, 4, message->octets);
    return run(spool, statement);
}

bool spool_last(struct spool *spool, int64_t place, const uint8_t room_id[static PROSA_HASH_SIZE],
                uint64_t *counter)
{
    sqlite3_stmt *statement = about_room(spool, LAST, place, room_id);
    bool found = false;
    const bool good = look(spool, statement, &found);
    *counter = found ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    return good;
}

static bool take_message(struct spool *spool, sqlite3_stmt *statement, int64_t place,
                         struct spool_message *message, bool *found)
{
    if (!look(spool, statement, found)) {
        return false;
    }
    if (!*found) {
        return true;
    }
    message->place = place;
    message->counter = (uint64_t)sqlite3_column_int64(statement, 1);
    message->is_acked = sqlite3_column_int(statement, 2) != 0;
    message->octets = column(statement, 3);
    return copy_column(spool, statement, 0, message->room_id, PROSA_HASH_SIZE);
}

bool spool_next(struct spool *spool, struct spool_message *message, bool *found)
{
    return take_message(spool, about_counter(spool, NEXT, message->place, message->room_id, message->counter),
                        message->place, message, found);
}

bool spool_stray(struct spool *spool, int64_t place, const uint8_t room_id[static PROSA_HASH_SIZE],
                 struct spool_message *message, bool *found)
{
    return take_message(spool, about_room(spool, STRAY, place, room_id), place, message, found);
}

bool spool_ack(struct spool *spool, int64_t place, const uint8_t room_id[static PROSA_HASH_SIZE],
               uint64_t counter)
{
    return run(spool, about_counter(spool, ACK, place, room_id, counter));
}

bool spool_drop(struct spool *spool, int64_t place, const uint8_t room_id[static PROSA_HASH_SIZE],
                uint64_t counter)
{
    return run(spool, about_counter(spool, DROP, place, room_id, counter));
}

bool spool_remove(struct spool *spool, const struct spool_message *message)
{
    return run(spool, about_counter(spool, REMOVE, message->place, message->room_id, message->counter));
}
