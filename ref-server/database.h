/* SPDX-License-Identifier: MIT */
/*
 * database: the file of a log as SQLite sees it: its schema, how it is made and opened, and words for
 * what SQLite complains about.
 * It refuses to know what is written, and to guess: a file whose schema is not exactly ours is not read.
 */
#ifndef REF_SERVER_DATABASE_H
#define REF_SERVER_DATABASE_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

#include <sqlite3.h>

/* "PRSA", and the version of the schema, as the header of the file has them. */
#define DATABASE_APPLICATION 0x50525341
#define DATABASE_VERSION     1

/* The name of the file in its folder. */
#define DATABASE_NAME "log.db"

/* Makes the file of an empty log for the server with this key: whole and on the disk, or not at all.
 * False: `why` has a sentence for people. */
PROSA_NODISCARD bool database_make(const char *path, const uint8_t server_key[static PROSA_KEY_SIZE],
                                   char *why, size_t why_size);

/* Opens a log; `key` becomes that of its server. One that is not `writable` may be in use by a server,
 * and may lie where nobody can write. NULL: likewise. */
PROSA_NODISCARD sqlite3 *database_open(const char *path, bool writable, uint8_t key[static PROSA_KEY_SIZE],
                                       char *why, size_t why_size);

/* The statement lives until database_close. NULL: memory, or the file is torn. */
PROSA_NODISCARD sqlite3_stmt *database_prepare(sqlite3 *db, const char *sql);

/* From now on the last connection leaves one whole file when it is closed, without -wal. */
void database_tidy(sqlite3 *db);

/* Ends all statements, and the connection; `db` may be NULL. */
void database_close(sqlite3 *db);

/* Why the last call on `db` failed with `code`: half a sentence, valid until the next call. */
const char *database_reason(sqlite3 *db, int code);

/* True: `code` says nothing of the file, for the disk has failed, or there is no memory. */
bool database_unread(sqlite3 *db, int code);

/* What stands beside octets on the disk, so that one that changed there is noticed. It is no
 * protection against people. */
uint64_t database_sum(struct prosa_bytes octets);

/* Numbers of the protocol use 64 bits, those of SQLite 63 and a sign: the same bits stand for both. */
static inline int64_t database_from_u64(uint64_t number)
{
    return (int64_t)number;
}

/* A column of the row that `statement` is at. */
static inline uint64_t database_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

static inline struct prosa_bytes database_bytes(sqlite3_stmt *statement, int column)
{
    const void *at = sqlite3_column_blob(statement, column); /* before the size: it may convert */
    return prosa_bytes(at, (size_t)sqlite3_column_bytes(statement, column));
}

/* Copies a column of exactly `size` octets; false when it has another size. */
PROSA_NODISCARD bool database_copy(sqlite3_stmt *statement, int column, uint8_t *out, size_t size);

#endif
