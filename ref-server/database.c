/* SPDX-License-Identifier: MIT */
#include "database.h"

#include <prosa/text.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that somebody else writes in gives way within this time. */
#define PATIENCE_MS 2000

/* Read by teachers, too: docs/log.md explains it. What an index repeats, integrity_check compares:
 * so the indices also show an octet that changed in the small tables. */
static const struct object {
    const char *name;
    const char *sql;
} objects[] = {
    {"server", "CREATE TABLE server (\n"
               "    one INTEGER PRIMARY KEY CHECK (one = 1),\n"
               "    key BLOB NOT NULL\n"
               ") STRICT"},
    {"rooms", "CREATE TABLE rooms (\n"
              "    room INTEGER PRIMARY KEY,\n"
              "    name TEXT NOT NULL,\n"
              "    client_key BLOB NOT NULL,       -- of \"@host\"; else empty\n"
              "    epoch BLOB NOT NULL,\n"
              "    room_id BLOB NOT NULL UNIQUE,\n"
              "    retired INTEGER NOT NULL,       -- 1: put aside by --restored\n"
              "    head_seq INTEGER NOT NULL,      -- the last entry\n"
              "    server_time INTEGER NOT NULL,   -- of the last entry, ms since 1970\n"
              "    chain BLOB NOT NULL,            -- behind the last entry\n"
              "    oldest_seq INTEGER NOT NULL,    -- entries below are pruned,\n"
              "    swept_seq INTEGER NOT NULL,     -- those below this one deleted, too\n"
              "    pruned_chain BLOB NOT NULL      -- before entry oldest_seq\n"
              ") STRICT"},
    {"rooms_by_name", "CREATE UNIQUE INDEX rooms_by_name ON rooms (name, client_key) WHERE retired = 0"},
    {"rooms_to_sweep", "CREATE INDEX rooms_to_sweep ON rooms (room) WHERE swept_seq < oldest_seq"},
    {"authors", "CREATE TABLE authors (\n"
                "    author INTEGER PRIMARY KEY,\n"
                "    key BLOB NOT NULL UNIQUE\n"
                ") STRICT"},
    {"entries", "CREATE TABLE entries (\n"
                "    room INTEGER NOT NULL REFERENCES rooms,\n"
                "    room_seq INTEGER NOT NULL,\n"
                "    author INTEGER NOT NULL REFERENCES authors,\n"
                "    counter INTEGER NOT NULL,\n"
                "    sent_at INTEGER NOT NULL,       -- ms since 1970, as the author says\n"
                "    server_time INTEGER NOT NULL,   -- ms since 1970\n"
                "    id BLOB NOT NULL,\n"
                "    nick_at INTEGER NOT NULL,       -- where nick and text stand in the octets, from 0\n"
                "    nick_size INTEGER NOT NULL,\n"
                "    text_at INTEGER NOT NULL,\n"
                "    text_size INTEGER NOT NULL,\n"
                "    sum INTEGER NOT NULL,           -- of the octets, against decay\n"
                "    octets BLOB NOT NULL,           -- the DELIVER, as every member gets it\n"
                "    PRIMARY KEY (room, room_seq)\n"
                ") STRICT, WITHOUT ROWID"},
    {"entries_by_author", "CREATE UNIQUE INDEX entries_by_author ON entries (room, author, counter)"},
    {"pruned", "CREATE TABLE pruned (\n"
               "    room INTEGER NOT NULL REFERENCES rooms,\n"
               "    author INTEGER NOT NULL REFERENCES authors,\n"
               "    counter INTEGER NOT NULL,\n"
               "    room_seq INTEGER NOT NULL,\n"
               "    id BLOB NOT NULL,\n"
               "    PRIMARY KEY (room, author, counter)\n"
               ") STRICT, WITHOUT ROWID"},
    {"pruned_by_id", "CREATE UNIQUE INDEX pruned_by_id ON pruned (id, room_seq)"},
    {"names", "CREATE TABLE names (\n"
              "    number INTEGER PRIMARY KEY,\n"
              "    key BLOB NOT NULL UNIQUE,\n"
              "    nick TEXT UNIQUE,               -- NULL: not bound\n"
              "    banned INTEGER NOT NULL\n"
              ") STRICT"},
    {"names_banned", "CREATE INDEX names_banned ON names (key) WHERE banned = 1"},
    {"messages", "CREATE VIEW messages AS SELECT\n"
                 "    entries.room AS room_number, rooms.name AS room, rooms.retired AS retired, room_seq,\n"
                 "    CAST(substr(octets, nick_at + 1, nick_size) AS TEXT) AS nick,\n"
                 "    lower(hex(authors.key)) AS author_key, counter,\n"
                 "    strftime('%Y-%m-%dT%H:%M:%S', sent_at / 1000, 'unixepoch')\n"
                 "        || printf('.%03dZ', sent_at % 1000) AS sent_at,\n"
                 "    strftime('%Y-%m-%dT%H:%M:%S', entries.server_time / 1000, 'unixepoch')\n"
                 "        || printf('.%03dZ', entries.server_time % 1000) AS server_time,\n"
                 "    CAST(substr(octets, text_at + 1, text_size) AS TEXT) AS text\n"
                 "FROM entries JOIN rooms USING (room) JOIN authors USING (author)\n"
                 "WHERE room_seq >= oldest_seq"},
};

#define OBJECTS (sizeof objects / sizeof objects[0])

/* SQLite calls a page that the disk does not give back corrupted, too: the file has kept the system's word.
 */
static bool is_unread(sqlite3 *db, int which)
{
    sqlite3_file *file = NULL;
    int problem = 0;
    return sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file != NULL &&
           file->pMethods != NULL &&
           file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &problem) == SQLITE_OK &&
           (problem == EIO || problem == ENXIO);
}

bool database_unread(sqlite3 *db, int code)
{
    switch (code & 0xFF) {
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
        return true;
    case SQLITE_CORRUPT:
        return is_unread(db, SQLITE_FCNTL_FILE_POINTER) || is_unread(db, SQLITE_FCNTL_JOURNAL_POINTER);
    default:
        return false;
    }
}

const char *database_reason(sqlite3 *db, int code)
{
    const int problem = db != NULL ? sqlite3_system_errno(db) : 0;
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_IOERR:
        return strerror(problem != 0 ? problem : EIO);
    case SQLITE_CANTOPEN:
        return problem != 0 ? strerror(problem) : sqlite3_errstr(code);
    case SQLITE_CORRUPT:
        return database_unread(db, code) ? strerror(EIO)
                                         : sqlite3_errstr(code); /* not what it quotes of the file */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program holds it locked";
    case SQLITE_CONSTRAINT:
        return "a record contradicts the log";
    case SQLITE_NOMEM:
        return "there is no memory";
    case SQLITE_DONE:
    case SQLITE_ROW:
        return "a row is not as it was written";
    default:
        return db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    }
}

uint64_t database_sum(struct prosa_bytes octets)
{
    /* FNV-1a, by eight octets while there are: every step can be undone, so no single change is lost. */
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (; octets.size >= 8; octets.at += 8, octets.size -= 8) {
        sum = (sum ^ prosa_load_u64(octets.at)) * UINT64_C(0x100000001b3);
    }
    for (; octets.size > 0; octets.at++, octets.size--) {
        sum = (sum ^ *octets.at) * UINT64_C(0x100000001b3);
    }
    return sum;
}

bool database_copy(sqlite3_stmt *statement, int column, uint8_t *out, size_t size)
{
    const struct prosa_bytes octets = database_bytes(statement, column);
    if (octets.size != size) {
        return false;
    }
    memcpy(out, octets.at, size);
    return true;
}

sqlite3_stmt *database_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        return NULL;
    }
    return statement;
}

void database_tidy(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

void database_close(sqlite3 *db)
{
    sqlite3_stmt *statement;
    while (db != NULL && (statement = sqlite3_next_stmt(db, NULL)) != NULL) {
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

/* --- Making --- */

static int fill(sqlite3 *db, const uint8_t server_key[static PROSA_KEY_SIZE])
{
    char header[200];
    snprintf(header, sizeof header, "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN",
             DATABASE_APPLICATION, DATABASE_VERSION);
    int code = sqlite3_exec(db, header, NULL, NULL, NULL);
    for (size_t i = 0; i < OBJECTS && code == SQLITE_OK; i++) {
        code = sqlite3_exec(db, objects[i].sql, NULL, NULL, NULL);
    }
    sqlite3_stmt *statement =
        code == SQLITE_OK ? database_prepare(db, "INSERT INTO server VALUES (1, ?1)") : NULL;
    if (statement == NULL) {
        return code != SQLITE_OK ? code : sqlite3_errcode(db);
    }
    sqlite3_bind_blob(statement, 1, server_key, PROSA_KEY_SIZE, SQLITE_STATIC);
    code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? sqlite3_exec(db, "COMMIT; PRAGMA journal_mode = WAL", NULL, NULL, NULL)
                               : code;
}

/* The name of the new file is on the disk when the folder is. */
static bool settle(const char *from, const char *to)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(to, '/') - to), to);
    if (rename(from, to) != 0) {
        return false;
    }
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* SQLite keeps the mode of the file for its helpers, so that nobody else reads what is said. What is left of
 * an attempt that was killed goes. */
static bool make_private(const char *path)
{
    static const char *const helpers[] = {"", "-journal", "-wal", "-shm"};
    char name[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, helpers[i]);
        unlink(name);
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

bool database_make(const char *path, const uint8_t server_key[static PROSA_KEY_SIZE], char *why,
                   size_t why_size)
{
    char temporary[PATH_MAX + 8];
    char helper[sizeof temporary + 8];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    snprintf(helper, sizeof helper, "%s-wal", path);
    struct stat there;
    if (stat(helper, &there) == 0 && there.st_size > 0) {
        snprintf(why, why_size,
                 "%s is missing, but %s is there: bring the file back, or move the other away, too, to "
                 "begin a new log",
                 path, helper);
        return false;
    }
    if (!make_private(temporary)) {
        snprintf(why, why_size, "%s cannot be made: %s", temporary, strerror(errno));
        return false;
    }
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(temporary, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    code = code == SQLITE_OK ? fill(db, server_key) : code;
    if (code != SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be made: %s", path, database_reason(db, code));
    }
    database_close(db);
    if (code == SQLITE_OK && settle(temporary, path)) {
        return true;
    }
    if (code == SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be made: %s", path, strerror(errno));
    }
    unlink(temporary);
    return false;
}

/* --- Opening --- */

/* Before SQLite looks: it takes an empty file for an empty database, and a torn one for no database. Through
 * its own descriptor: to close another one of this file would undo the locks of every connection that this
 * program has, and a query from outside would take itself for the last one, and -wal away. */
static bool looks_like_one(sqlite3 *db, const char *path, char *why, size_t why_size)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof magic] = "";
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    code = code == SQLITE_OK ? file->pMethods->xFileSize(file, &size) : code;
    if (code == SQLITE_OK && size >= (sqlite3_int64)sizeof head) {
        code = file->pMethods->xRead(file, head, sizeof head, 0);
    }
    if (code != SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be read: %s", path, database_reason(db, code));
    } else if (size == 0) {
        snprintf(why, why_size,
                 "%s is empty: it was cut off; bring back a copy, and start once with --restored", path);
    } else if (memcmp(head, magic, sizeof head) != 0) {
        snprintf(why, why_size,
                 "%s is not a log of prosa-server: it does not begin like one; move it away, or bring back a "
                 "copy and start once with --restored",
                 path);
    } else {
        return true;
    }
    return false;
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = database_prepare(db, sql);
    int64_t number = -1;
    if (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
        number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return number;
}

static bool has_object(sqlite3_stmt *statement, const struct object *object)
{
    sqlite3_bind_text(statement, 1, object->name, -1, SQLITE_STATIC);
    const bool good = sqlite3_step(statement) == SQLITE_ROW &&
                      prosa_bytes_equal(database_bytes(statement, 0), prosa_bytes_of_string(object->sql));
    sqlite3_reset(statement);
    return good;
}

/* NULL: the schema is ours; else what of it is not. */
static const char *foreign_object(sqlite3 *db)
{
    const char *name = NULL;
    sqlite3_stmt *statement = database_prepare(db, "SELECT sql FROM sqlite_schema WHERE name = ?1");
    if (statement == NULL) {
        return "sqlite_schema";
    }
    for (size_t i = 0; i < OBJECTS && name == NULL; i++) {
        name = has_object(statement, &objects[i]) ? NULL : objects[i].name;
    }
    sqlite3_finalize(statement);
    return name;
}

static bool read_key(sqlite3 *db, uint8_t key[static PROSA_KEY_SIZE])
{
    sqlite3_stmt *statement = database_prepare(db, "SELECT key FROM server WHERE one = 1");
    const bool good = statement != NULL && sqlite3_step(statement) == SQLITE_ROW &&
                      database_copy(statement, 0, key, PROSA_KEY_SIZE);
    sqlite3_finalize(statement);
    return good;
}

static void tell_unreadable(sqlite3 *db, int code, const char *path, char *why, size_t why_size)
{
    if (!database_unread(db, code) && (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)) {
        char words[200]; /* they may quote the file */
        prosa_text_sanitize(prosa_bytes_of_string(sqlite3_errmsg(db)), words, sizeof words);
        snprintf(why, why_size,
                 "%s is torn or corrupted (%s); bring back a copy, and start once with --restored", path,
                 words);
    } else {
        snprintf(why, why_size, "%s cannot be read: %s", path, database_reason(db, code));
    }
}

static bool is_ours(sqlite3 *db, const char *path, uint8_t key[static PROSA_KEY_SIZE], char *why,
                    size_t why_size)
{
    /* Reads the file for the first time: whether it can be read at all shows here. */
    const int code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        tell_unreadable(db, code, path, why, why_size);
        return false;
    }
    if (number_of(db, "PRAGMA application_id") != DATABASE_APPLICATION) {
        snprintf(why, why_size,
                 "%s is a database of another program, not a log of prosa-server; move it away", path);
        return false;
    }
    const int64_t version = number_of(db, "PRAGMA user_version");
    if (version != DATABASE_VERSION) {
        snprintf(why, why_size,
                 "%s has version %lld, and this program knows version %d alone; use the program "
                 "that made it",
                 path, (long long)version, DATABASE_VERSION);
        return false;
    }
    const char *object = foreign_object(db);
    if (object == NULL && !read_key(db, key)) {
        object = "server";
    }
    if (object != NULL && database_unread(db, sqlite3_errcode(db))) {
        tell_unreadable(db, sqlite3_errcode(db), path, why, why_size);
    } else if (object != NULL) {
        snprintf(
            why, why_size,
            "%s is torn or corrupted: its schema is not as it was made (%s); bring back a copy, and start "
            "once with --restored",
            path, object);
    }
    return object == NULL;
}

/* The path as a name that takes parameters: only these characters have a meaning in it. */
static void name_immutable(const char *path, char *uri, size_t cap)
{
    size_t size = (size_t)snprintf(uri, cap, "file:");
    for (; *path != '\0' && size + 16 < cap; path++) {
        const bool special = *path == '%' || *path == '?' || *path == '#';
        size += (size_t)snprintf(uri + size, cap - size, special ? "%%%02x" : "%c", (unsigned)*path);
    }
    snprintf(uri + size, cap - size, "?immutable=1");
}

/* True: reading takes a -shm, which we may not make here. */
static bool needs_helper(sqlite3 *db)
{
    const int code = sqlite3_exec(db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
}

/* Where nobody can write, and with no -wal beside it, SQLite has to be told that the file rests. */
static int open_resting(const char *path, sqlite3 **db)
{
    char uri[3 * PATH_MAX + 32];
    char helper[PATH_MAX + 8];
    snprintf(helper, sizeof helper, "%s-wal", path);
    if (access(helper, F_OK) == 0) {
        return SQLITE_CANTOPEN;
    }
    database_close(*db);
    name_immutable(path, uri, sizeof uri);
    return sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
}

static int set_up(sqlite3 **db, const char *path, bool writable)
{
    int code = !writable && needs_helper(*db) ? open_resting(path, db) : SQLITE_OK;
    if (code == SQLITE_OK) {
        code = sqlite3_busy_timeout(*db, PATIENCE_MS);
    }
    /* Of a log that is refused nothing is changed, -wal included: somebody may still be able to mend it. */
    if (code == SQLITE_OK) {
        code = sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    return code;
}

/* How a log is written. FULL: a commit is on the disk, not only with the system, when it returns [RES-09]. */
static bool prepare_writing(sqlite3 *db, const char *path, char *why, size_t why_size)
{
    if (sqlite3_db_readonly(db, "main") != 0) {
        snprintf(why, why_size, "%s cannot be written: look at its owner and its mode", path);
        return false;
    }
    /* The transaction shows what cannot be written beside the file. */
    const int code = sqlite3_exec(db,
                                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
                                  "journal_size_limit = 67108864; BEGIN IMMEDIATE; ROLLBACK",
                                  NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be written: %s", path, database_reason(db, code));
    }
    return code == SQLITE_OK;
}

sqlite3 *database_open(const char *path, bool writable, uint8_t key[static PROSA_KEY_SIZE], char *why,
                       size_t why_size)
{
    sqlite3 *db = NULL;
    const int flags = writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be opened: %s", path, database_reason(db, code));
    } else if (looks_like_one(db, path, why, why_size)) {
        code = set_up(&db, path, writable);
        if (code != SQLITE_OK) {
            tell_unreadable(db, code, path, why, why_size);
        } else if (is_ours(db, path, key, why, why_size) &&
                   (!writable || prepare_writing(db, path, why, why_size))) {
            return db;
        } else if (sqlite3_errcode(db) == SQLITE_NOMEM) { /* whatever it looked like then */
            tell_unreadable(db, SQLITE_NOMEM, path, why, why_size);
        }
    }
    database_close(db);
    return NULL;
}
