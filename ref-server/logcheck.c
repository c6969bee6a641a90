/* SPDX-License-Identifier: MIT */
#include "logcheck.h"

#include "database.h"

#include <prosa/sign.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Entries of one step: a few milliseconds without signatures, half a second with them. */
#define STEP_ENTRIES 4096

struct logcheck_seen {
    uint8_t key[PROSA_KEY_SIZE];
    int64_t room;
    uint64_t counter;
};

static enum logcheck_step broken(struct logcheck *check, const char *table, int code)
{
    check->unread = code == SQLITE_NOMEM;
    snprintf(check->why, sizeof check->why, "table %s cannot be read: %s", table,
             database_reason(check->db, code));
    return LOGCHECK_BROKEN;
}

static enum logcheck_step fault(struct logcheck *check, const char *words)
{
    snprintf(check->why, sizeof check->why, "%s: %s", check->name, words);
    check->in_room = false;
    check->faults++;
    return LOGCHECK_FAULT;
}

static enum logcheck_step entry_fault(struct logcheck *check, uint64_t room_seq, const char *words)
{
    snprintf(check->why, sizeof check->why, "%s: entry %" PRIu64 " %s", check->name, room_seq, words);
    check->in_room = false;
    check->faults++;
    return LOGCHECK_FAULT;
}

void logcheck_init(struct logcheck *check, sqlite3 *db, const uint8_t server_key[static PROSA_KEY_SIZE],
                   bool signatures)
{
    *check = (struct logcheck){.db = db, .signatures = signatures};
    memcpy(check->server_key, server_key, PROSA_KEY_SIZE);
}

void logcheck_fini(struct logcheck *check)
{
    sqlite3_finalize(check->rooms);
    sqlite3_finalize(check->read);
    sqlite3_finalize(check->counted);
    free(check->authors);
    /* Not ours to complain: it was only read. */
    (void)sqlite3_exec(check->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- The file --- */

/* integrity_check says so in its own words when the disk does not give it a page. */
static bool is_unread(const char *words)
{
    static const char title[] = "error code=";
    const char *code = strstr(words, title);
    return strstr(words, "failed to get page") != NULL ||
           (code != NULL && (strtol(code + strlen(title), NULL, 10) & 0xFF) == SQLITE_IOERR);
}

/* The first line of what SQLite finds, without the title above it. */
static enum logcheck_step check_structure(struct logcheck *check)
{
    sqlite3_stmt *statement = database_prepare(check->db, "PRAGMA integrity_check(1)");
    if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_finalize(statement);
        return broken(check, "sqlite_schema", sqlite3_errcode(check->db));
    }
    const char *words = (const char *)sqlite3_column_text(statement, 0);
    const bool good = words != NULL && strcmp(words, "ok") == 0;
    if (!good && words != NULL && strncmp(words, "***", 3) == 0 && strchr(words, '\n') != NULL) {
        words = strchr(words, '\n') + 1;
    }
    check->unread = !good && words != NULL && is_unread(words);
    if (check->unread) {
        snprintf(check->why, sizeof check->why, "it cannot be read: %s",
                 database_reason(check->db, SQLITE_IOERR));
    } else if (!good) {
        snprintf(check->why, sizeof check->why, "the file is torn or corrupted (%.100s)",
                 words != NULL ? words : "no memory");
        check->why[strcspn(check->why, "\n")] = '\0';
    }
    sqlite3_finalize(statement);
    return good ? LOGCHECK_MORE : LOGCHECK_BROKEN;
}

/* Their numbers are those of SQLite, from 1 without a gap, for none is ever deleted. */
static enum logcheck_step read_authors(struct logcheck *check)
{
    sqlite3_stmt *statement = database_prepare(check->db, "SELECT author, key FROM authors ORDER BY author");
    size_t cap = 0;
    int code = statement != NULL ? sqlite3_step(statement) : sqlite3_errcode(check->db);
    for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
        if (check->author_count + 1 >= cap) {
            cap = 2 * cap + 64;
            struct logcheck_seen *authors = realloc(check->authors, cap * sizeof *authors);
            if (authors == NULL) {
                code = SQLITE_NOMEM;
                break;
            }
            check->authors = authors;
        }
        struct logcheck_seen *author = &check->authors[++check->author_count];
        *author = (struct logcheck_seen){0};
        if (database_u64(statement, 0) != check->author_count ||
            !database_copy(statement, 1, author->key, PROSA_KEY_SIZE)) {
            break;
        }
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? LOGCHECK_MORE : broken(check, "authors", code);
}

/* True when the query, for rows that there should not be, has one. */
static bool has_row(struct logcheck *check, const char *sql)
{
    sqlite3_stmt *statement = database_prepare(check->db, sql);
    const bool found = statement == NULL || sqlite3_step(statement) != SQLITE_DONE;
    sqlite3_finalize(statement);
    return found;
}

static enum logcheck_step check_small_tables(struct logcheck *check)
{
    static const struct {
        const char *table;
        const char *wrong_rows;
    } rules[] = {
        {"names", "SELECT 1 FROM names WHERE length(key) <> 32 OR banned NOT IN (0, 1)"
                  " OR nick IS NULL AND NOT banned OR length(CAST(nick AS BLOB)) NOT BETWEEN 1 AND 32"},
        {"pruned", "SELECT 1 FROM pruned LEFT JOIN rooms USING (room) WHERE oldest_seq IS NULL"
                   " OR room_seq >= oldest_seq OR length(id) <> 32"},
        {"pruned", "SELECT 1 FROM pruned GROUP BY room, author"
                   " HAVING max(counter) - min(counter) + 1 <> count(*) OR min(counter) < 1"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (has_row(check, rules[i].wrong_rows)) {
            snprintf(check->why, sizeof check->why, "table %s has rows that were not written like this",
                     rules[i].table);
            return LOGCHECK_BROKEN;
        }
    }
    return LOGCHECK_MORE;
}

/* False: the last one that was tried cannot be prepared. */
static bool prepare(struct logcheck *check)
{
    struct {
        sqlite3_stmt **statement;
        const char *sql;
    } const wanted[] = {
        {&check->rooms,
         "SELECT room, name, client_key, epoch, room_id, retired, head_seq, server_time, chain, "
         "oldest_seq, swept_seq, pruned_chain FROM rooms"},
        {&check->read, "SELECT room_seq, author, counter, sent_at, server_time, id, nick_at, nick_size, "
                       "text_at, text_size, sum, octets FROM entries WHERE room = ?1 AND room_seq >= ?2 "
                       "ORDER BY room_seq"},
        {&check->counted, "SELECT max(counter) FROM (SELECT counter FROM pruned WHERE room = ?1 "
                          "AND author = ?2 UNION ALL SELECT counter FROM entries WHERE room = ?1 AND "
                          "author = ?2 AND room_seq < ?3)"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].statement = database_prepare(check->db, wanted[i].sql);
        if (*wanted[i].statement == NULL) {
            return false;
        }
    }
    return true;
}

static enum logcheck_step begin(struct logcheck *check)
{
    /* One state of the log, from here to the end. */
    const int code = sqlite3_exec(check->db, "BEGIN", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return broken(check, "rooms", code);
    }
    enum logcheck_step step = check_structure(check);
    step = step == LOGCHECK_MORE ? read_authors(check) : step;
    step = step == LOGCHECK_MORE ? check_small_tables(check) : step;
    if (step != LOGCHECK_MORE) {
        return step;
    }
    return prepare(check) ? LOGCHECK_MORE : broken(check, "entries", sqlite3_errcode(check->db));
}

/* --- A room --- */

/* From a file that may be corrupted to a terminal. */
static void print_name(struct logcheck *check, struct prosa_bytes name)
{
    int size = snprintf(check->name, sizeof check->name, "room %" PRId64 " (", check->room);
    for (size_t i = 0; i < name.size && i < 32; i++) {
        check->name[size++] = (char)(name.at[i] > ' ' && name.at[i] < 0x7F ? name.at[i] : '?');
    }
    snprintf(check->name + size, sizeof check->name - (size_t)size, ")");
}

static bool read_room(struct logcheck *check)
{
    sqlite3_stmt *row = check->rooms;
    const struct prosa_bytes name = database_bytes(row, 1);
    const struct prosa_bytes client_key = database_bytes(row, 2);
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint8_t room_id[PROSA_HASH_SIZE];
    check->room = sqlite3_column_int64(row, 0);
    check->retired = sqlite3_column_int64(row, 5) != 0;
    check->head_seq = database_u64(row, 6);
    check->head_time = database_u64(row, 7);
    check->oldest_seq = database_u64(row, 9);
    print_name(check, name);
    const bool private = prosa_bytes_equal(name, prosa_bytes_of_string("@host"));
    if (name.size == 0 || name.size > 32 || client_key.size != (private ? PROSA_KEY_SIZE : 0u) ||
        !database_copy(row, 3, epoch, sizeof epoch) ||
        !database_copy(row, 4, check->room_id, sizeof check->room_id) ||
        !database_copy(row, 8, check->head_chain, sizeof check->head_chain) ||
        !database_copy(row, 11, check->chain, sizeof check->chain)) {
        return false;
    }
    prosa_room_id(check->server_key, epoch, name, private ? client_key.at : NULL, room_id);
    return memcmp(room_id, check->room_id, sizeof room_id) == 0;
}

/* What no room has asked for would never be found. */
static enum logcheck_step end(struct logcheck *check)
{
    sqlite3_stmt *statement = database_prepare(check->db, "SELECT count(*) FROM entries");
    const int code = statement != NULL ? sqlite3_step(statement) : SQLITE_NOMEM;
    const uint64_t rows = code == SQLITE_ROW ? database_u64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW) {
        return broken(check, "entries", code);
    }
    if (check->faults > 0 || rows == check->rows) {
        return LOGCHECK_END;
    }
    snprintf(check->why, sizeof check->why, "table entries has rows of rooms that table rooms has not");
    return LOGCHECK_BROKEN;
}

static enum logcheck_step next_room(struct logcheck *check)
{
    const int code = sqlite3_step(check->rooms);
    if (code == SQLITE_DONE) {
        return end(check);
    }
    if (code != SQLITE_ROW) {
        return broken(check, "rooms", code);
    }
    if (!read_room(check)) {
        return fault(check, "its room_id is not that of its epoch, its name and the server's key");
    }
    const uint64_t swept = database_u64(check->rooms, 10);
    uint8_t start[PROSA_HASH_SIZE];
    prosa_chain_start(check->room_id, start);
    if (check->oldest_seq == 0 || check->oldest_seq > check->head_seq + 1 || swept == 0 ||
        swept > check->oldest_seq || database_u64(check->rooms, 5) > 1) {
        return fault(check, "its row in table rooms is not as it was written");
    }
    if (check->oldest_seq == 1 && memcmp(start, check->chain, sizeof start) != 0) {
        return fault(check, "its chain does not begin at its room_id");
    }
    check->in_room = true;
    check->entries = 0;
    check->seq = swept;
    check->server_time = 0;
    sqlite3_reset(check->read);
    sqlite3_bind_int64(check->read, 1, check->room);
    sqlite3_bind_int64(check->read, 2, database_from_u64(swept));
    return LOGCHECK_MORE;
}

static enum logcheck_step end_room(struct logcheck *check)
{
    check->in_room = false;
    if (check->seq != check->head_seq + 1) {
        return entry_fault(check, check->seq, "is missing");
    }
    if (memcmp(check->chain, check->head_chain, sizeof check->chain) != 0) {
        return fault(check, "its chain does not lead to the one that was written down");
    }
    if (check->entries > 0 && check->server_time != check->head_time) {
        return fault(check, "its row in table rooms has not the time of its last entry");
    }
    return LOGCHECK_ROOM;
}

/* --- An entry --- */

/* What the columns repeat of the DELIVER. */
static bool columns_agree(sqlite3_stmt *row, struct prosa_bytes octets, const struct prosa_deliver *deliver)
{
    return deliver->room_seq == database_u64(row, 0) && deliver->counter == database_u64(row, 2) &&
           deliver->sent_at == database_u64(row, 3) && deliver->server_time == database_u64(row, 4) &&
           (uint64_t)(deliver->nick.at - octets.at) == database_u64(row, 6) &&
           deliver->nick.size == database_u64(row, 7) &&
           (uint64_t)(deliver->text.at - octets.at) == database_u64(row, 8) &&
           deliver->text.size == database_u64(row, 9);
}

/* The counter that the author's first entry that is kept has to have: what was pruned stands before it, and
 * its number is known as long as an id of it is kept. 0: it is not known. */
static uint64_t first_counter(struct logcheck *check, int64_t author)
{
    sqlite3_bind_int64(check->counted, 1, check->room);
    sqlite3_bind_int64(check->counted, 2, author);
    sqlite3_bind_int64(check->counted, 3, database_from_u64(check->oldest_seq));
    const bool found = sqlite3_step(check->counted) == SQLITE_ROW;
    const uint64_t last = found ? database_u64(check->counted, 0) : 0;
    sqlite3_reset(check->counted);
    return last > 0 || check->oldest_seq == 1 ? last + 1 : 0;
}

/* NULL: as it should be. */
static const char *judge_counter(struct logcheck *check, struct logcheck_seen *author, uint64_t counter)
{
    uint64_t expected = author->counter + 1;
    if (author->room != check->room) {
        expected = first_counter(check, author - check->authors);
        author->room = check->room;
    }
    author->counter = counter;
    return expected == 0 || counter == expected ? NULL : "leaves out or repeats a message of its author";
}

static const char *judge_chain(struct logcheck *check, const struct prosa_message *message, sqlite3_stmt *row)
{
    uint8_t id[PROSA_HASH_SIZE];
    const struct prosa_deliver *deliver = &message->deliver;
    prosa_message_id(message->body, id);
    if (!prosa_bytes_equal(prosa_bytes(id, sizeof id), database_bytes(row, 5))) {
        return "has not the id of its message";
    }
    if (deliver->has_prev_hash && memcmp(deliver->prev_hash, check->chain, sizeof check->chain) != 0) {
        return "does not continue the chain";
    }
    if (deliver->server_time < check->server_time) {
        return "is older than the one before it";
    }
    check->server_time = deliver->server_time;
    prosa_chain_next(check->chain, deliver->room_seq, deliver->server_time, id, check->chain);
    return NULL;
}

static const char *judge_entry(struct logcheck *check, sqlite3_stmt *row)
{
    const struct prosa_bytes octets = database_bytes(row, 11);
    const uint64_t number = database_u64(row, 1);
    struct prosa_frame frame;
    struct prosa_message message;
    if (database_sum(octets) != database_u64(row, 10)) {
        return "is torn: its octets are not those that were written";
    }
    if (prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) != PROSA_OK ||
        frame.type != PROSA_FRAME_DELIVER || frame.octets.size != octets.size ||
        prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) != PROSA_OK) {
        return "is no DELIVER";
    }
    const struct prosa_deliver *deliver = &message.deliver;
    if (number == 0 || number > check->author_count ||
        memcmp(check->authors[number].key, deliver->author_key, PROSA_KEY_SIZE) != 0 ||
        !columns_agree(row, octets, deliver)) {
        return "has columns that are not those of its DELIVER";
    }
    if (memcmp(deliver->room_id, check->room_id, sizeof check->room_id) != 0) {
        return "belongs to another room";
    }
    if (check->signatures &&
        prosa_author_verify(deliver->author_key, message.body, deliver->author_sig) != PROSA_OK) {
        return "is forged: its signature is not its author's";
    }
    const char *words = judge_counter(check, &check->authors[number], deliver->counter);
    return words != NULL ? words : judge_chain(check, &message, row);
}

static enum logcheck_step next_entry(struct logcheck *check)
{
    const int code = sqlite3_step(check->read);
    if (code == SQLITE_DONE) {
        return end_room(check);
    }
    if (code != SQLITE_ROW) {
        return broken(check, "entries", code);
    }
    const uint64_t room_seq = database_u64(check->read, 0);
    check->rows++;
    if (room_seq > check->head_seq) {
        return entry_fault(check, room_seq, "stands behind the last one that was written");
    }
    if (room_seq != check->seq) {
        return entry_fault(check, check->seq, "is missing");
    }
    check->seq++;
    if (room_seq < check->oldest_seq) {
        return LOGCHECK_MORE; /* pruned, and not yet swept */
    }
    const char *words = judge_entry(check, check->read);
    if (words != NULL) {
        return entry_fault(check, room_seq, words);
    }
    check->entries++;
    check->total++;
    return LOGCHECK_MORE;
}

static enum logcheck_step go_on(struct logcheck *check)
{
    enum logcheck_step step = LOGCHECK_MORE;
    if (check->rooms == NULL) {
        return begin(check);
    }
    if (!check->in_room) {
        return next_room(check);
    }
    for (size_t i = 0; i < STEP_ENTRIES && step == LOGCHECK_MORE; i++) {
        step = next_entry(check);
    }
    return step;
}

/* What cannot be read looks as if it was missing: that is no fault of the log. */
enum logcheck_step logcheck_next(struct logcheck *check)
{
    const enum logcheck_step step = go_on(check);
    const int code = sqlite3_errcode(check->db);
    if (step != LOGCHECK_FAULT && step != LOGCHECK_BROKEN) {
        return step;
    }
    if (!check->unread && database_unread(check->db, code)) {
        check->unread = true;
        snprintf(check->why, sizeof check->why, "it cannot be read: %s", database_reason(check->db, code));
    }
    return check->unread ? LOGCHECK_BROKEN : step;
}
