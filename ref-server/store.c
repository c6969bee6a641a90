/* SPDX-License-Identifier: MIT */
#include "store.h"

#include "files.h"
#include "folderlock.h"
#include "logcheck.h"
#include "store_parts.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct store {
    char path[PATH_MAX];
    struct folderlock lock;
    struct reader reader; /* the loop's thread's */
    int64_t next_room;    /* likewise, as the next two */
    uint64_t put;         /* last ticket given */
    uint64_t told;        /* last ticket that the caller knows the outcome of */
    struct writer writer; /* the store's thread's, while it runs */
    bool running;
    pthread_t thread;
    int event;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;   /* the thread has something to do */
    struct record *first, **last;
    uint64_t done; /* last ticket committed */
    bool failed;   /* what is behind `done` has failed, and the caller has not been told */
    bool closing;
    char why[sizeof((struct store_outcome *)NULL)->why];
};

static void free_records(struct record *first)
{
    while (first != NULL) {
        struct record *next = first->next;
        free(first);
        first = next;
    }
}

/* --- The store's thread --- */

static size_t count_records(const struct record *first)
{
    size_t count = 0;
    for (; first != NULL; first = first->next) {
        count++;
    }
    return count;
}

/* With the mutex held, which it lets go of meanwhile: all that is queued in one transaction. */
static void write_queue(struct store *store)
{
    struct record *first = store->first;
    store->first = NULL;
    store->last = &store->first;
    pthread_mutex_unlock(&store->mutex);

    const size_t count = count_records(first);
    const int code = writer_commit(&store->writer, first);
    char why[sizeof store->why] = "";
    if (code == SQLITE_OK) {
        folderlock_mark(&store->lock, store->writer.entries);
        const int tidied = writer_checkpoint(&store->writer);
        if (tidied != SQLITE_OK) {
            snprintf(
                why, sizeof why,
                "%s: %.160s cannot take in %.160s-wal, which keeps everything, and grows; see to the disk",
                database_reason(store->writer.db, tidied), store->path, store->path);
        }
    } else {
        snprintf(why, sizeof why, "%s: nothing of %zu records could be written to %.200s; %s",
                 database_reason(store->writer.db, code), count, store->path,
                 (code & 0xFF) == SQLITE_FULL ? "make room, and it goes on by itself"
                                              : "the next ones are tried all the same");
    }
    free_records(first);

    pthread_mutex_lock(&store->mutex);
    store->failed = code != SQLITE_OK;
    store->done += code == SQLITE_OK ? count : 0;
    if (why[0] != '\0') {
        memcpy(store->why, why, sizeof why);
    }
    const uint64_t one = 1;
    if (write(store->event, &one, sizeof one) < 0) {
        assert(errno == EAGAIN); /* it is readable as it is */
    }
}

static void *run(void *argument)
{
    struct store *store = argument;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        const bool due = store->first != NULL && !store->failed;
        if (due) {
            write_queue(store);
        }
        if (store->writer.sweep && !store->closing) {
            pthread_mutex_unlock(&store->mutex);
            writer_sweep(&store->writer);
            pthread_mutex_lock(&store->mutex);
        } else if (!due && store->closing) {
            break;
        } else if (!due) {
            pthread_cond_wait(&store->wake, &store->mutex);
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* --- Opening --- */

/* Everything in the log is as it was written. */
static bool check_log(struct store *store, const uint8_t server_key[static PROSA_KEY_SIZE], char *why,
                      size_t why_size)
{
    struct logcheck check;
    enum logcheck_step step;
    logcheck_init(&check, store->writer.db, server_key, false);
    do {
        step = logcheck_next(&check);
    } while (step == LOGCHECK_MORE || step == LOGCHECK_ROOM);
    if (check.unread) {
        snprintf(why, why_size, "%s: %s; see to that, and start again: nothing says that the log is damaged",
                 store->path, check.why);
    } else if (step != LOGCHECK_END) {
        snprintf(why, why_size,
                 "%s: %s; bring back a copy, or move the file away to begin a new log, and start once with "
                 "--restored (prosa-audit log says more)",
                 store->path, check.why);
    }
    logcheck_fini(&check);
    return step == LOGCHECK_END;
}

static bool check_key(const struct store *store, const uint8_t server_key[static PROSA_KEY_SIZE],
                      const uint8_t key[static PROSA_KEY_SIZE], char *why, size_t why_size)
{
    const bool good = memcmp(server_key, key, PROSA_KEY_SIZE) == 0;
    if (!good) {
        snprintf(
            why, why_size,
            "%s is the log of a server with another key; bring back that key's file, or move the log away "
            "to begin a new one",
            store->path);
    }
    return good;
}

/* A log that has less than this folder's server has written goes back in time [MSG-24]. */
static bool check_mark(struct store *store, bool restored, char *why, size_t why_size)
{
    if (restored || store->writer.entries >= store->lock.mark) {
        return true;
    }
    snprintf(why, why_size,
             "%s has %" PRIu64 " entries, and %" PRIu64
             " were committed in this folder: it is an older copy, or "
             "%s-wal was lost or cut off; bring back what is missing, or start once with --restored",
             store->path, store->writer.entries, store->lock.mark, store->path);
    return false;
}

/* No file yet, or no file any more: that a log was lost has to be said by a person [MSG-24]. */
static bool make_log(struct store *store, const uint8_t server_key[static PROSA_KEY_SIZE], bool restored,
                     char *why, size_t why_size)
{
    if (store->lock.mark > 0 && !restored) {
        snprintf(why, why_size,
                 "%s is missing, and %" PRIu64
                 " entries were committed in this folder: bring it back, or start "
                 "once with --restored to begin a new log",
                 store->path, store->lock.mark);
        return false;
    }
    return database_make(store->path, server_key, why, why_size);
}

static bool open_file(struct store *store, const uint8_t server_key[static PROSA_KEY_SIZE], bool restored,
                      char *why, size_t why_size)
{
    uint8_t key[PROSA_KEY_SIZE];
    if (access(store->path, F_OK) != 0 && !make_log(store, server_key, restored, why, why_size)) {
        return false;
    }
    store->writer.db = database_open(store->path, true, key, why, why_size);
    return store->writer.db != NULL && check_key(store, server_key, key, why, why_size) &&
           check_log(store, server_key, why, why_size);
}

static bool count_rooms(struct store *store)
{
    sqlite3_stmt *last = database_prepare(store->writer.db, "SELECT coalesce(max(room), 0) FROM rooms");
    const bool good = last != NULL && sqlite3_step(last) == SQLITE_ROW;
    store->next_room = good ? sqlite3_column_int64(last, 0) + 1 : 0;
    sqlite3_finalize(last);
    return good;
}

/* Prepares both connections. */
static bool prepare(struct store *store, bool restored, char *why, size_t why_size)
{
    sqlite3 *db = store->writer.db;
    uint8_t key[PROSA_KEY_SIZE];
    if (!writer_init(&store->writer, db) || (restored && writer_retire(&store->writer) != SQLITE_OK) ||
        !count_rooms(store)) {
        snprintf(why, why_size, "%s cannot be used: %s", store->path,
                 database_reason(db, sqlite3_errcode(db)));
        return false;
    }
    sqlite3 *reading = database_open(store->path, true, key, why, why_size);
    if (reading == NULL) {
        return false;
    }
    if (!reader_init(&store->reader, reading)) {
        snprintf(why, why_size, "%s cannot be used: %s", store->path,
                 database_reason(reading, sqlite3_errcode(reading)));
        return false;
    }
    return true;
}

/* What a former life has written last may stand in the system's memory alone: it was killed before its fsync,
 * or that failed, after which the system takes for written what is not. So it is written once more, before
 * anybody hears of it [FLOW-26], and before anything that is acknowledged rests on it [FLOW-09]. */
static bool confirm(const struct store *store, char *why, size_t why_size)
{
    char path[sizeof store->path + 8];
    snprintf(path, sizeof path, "%s-wal", store->path);
    if (!file_write_again(path)) {
        snprintf(why, why_size, "%s cannot be brought to the disk: %s; see to the disk, and start again",
                 path, strerror(errno));
        return false;
    }
    return true;
}

/* A thread that takes no signals: they are the loop's. */
static bool start(struct store *store)
{
    sigset_t all;
    sigset_t before;
    store->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->event < 0) {
        return false;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&store->thread, NULL, run, store);
    store->running = errno == 0;
    const int problem = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = problem;
    return store->running;
}

static struct store *store_new(void)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->last = &store->first;
    store->event = -1;
    store->lock.fd = -1;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wake, NULL);
    return store;
}

struct store *store_open(const char *folder, const uint8_t server_key[static PROSA_KEY_SIZE], bool restored,
                         char *why, size_t why_size)
{
    struct store *store = store_new();
    if (store == NULL) {
        snprintf(why, why_size, "there is no memory");
        return NULL;
    }
    const int size = snprintf(store->path, sizeof store->path, "%s/" DATABASE_NAME, folder);
    bool good = size > 0 && (size_t)size < sizeof store->path;
    if (!good) {
        snprintf(why, why_size, "the name of the data folder is too long");
    }
    good = good && folderlock_take(&store->lock, folder, why, why_size) &&
           open_file(store, server_key, restored, why, why_size) && prepare(store, restored, why, why_size) &&
           check_mark(store, restored, why, why_size) && confirm(store, why, why_size);
    if (good) {
        database_tidy(store->writer.db);
        folderlock_mark(&store->lock, store->writer.entries);
        good = start(store);
        if (!good) {
            snprintf(why, why_size, "the thread of the log cannot be started: %s", strerror(errno));
        }
    }
    if (!good) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->running) {
        pthread_mutex_lock(&store->mutex);
        store->closing = true;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->mutex);
        pthread_join(store->thread, NULL);
    }
    free_records(store->first);
    reader_fini(&store->reader);
    writer_fini(&store->writer);
    folderlock_release(&store->lock);
    if (store->event >= 0) {
        close(store->event);
    }
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

int store_fd(const struct store *store)
{
    return store->event;
}

struct reader *store_reader(struct store *store)
{
    return &store->reader;
}

/* --- Records --- */

static uint64_t put(struct store *store, const struct record *content)
{
    struct record *record = malloc(sizeof *record);
    if (record == NULL) {
        return 0;
    }
    *record = *content;
    record->next = NULL;
    pthread_mutex_lock(&store->mutex);
    if (store->first == NULL) {
        pthread_cond_signal(&store->wake);
    }
    *store->last = record;
    store->last = &record->next;
    pthread_mutex_unlock(&store->mutex);
    return ++store->put;
}

uint64_t store_put_room(struct store *store, struct store_room *room)
{
    room->number = store->next_room;
    const uint64_t ticket = put(store, &(struct record){.kind = RECORD_ROOM, .room = *room});
    store->next_room += ticket != 0;
    return ticket;
}

uint64_t store_put_message(struct store *store, const struct store_message *message)
{
    struct record record = {.kind = RECORD_MESSAGE, .message.message = *message};
    memcpy(record.message.author_key, message->author_key, PROSA_KEY_SIZE);
    memcpy(record.message.id, message->id, PROSA_HASH_SIZE);
    return put(store, &record);
}

uint64_t store_put_pruned(struct store *store, int64_t room, uint64_t oldest_seq,
                          const uint8_t chain[static PROSA_HASH_SIZE])
{
    struct record record = {.kind = RECORD_PRUNED, .pruned = {.room = room, .oldest_seq = oldest_seq}};
    memcpy(record.pruned.chain, chain, PROSA_HASH_SIZE);
    return put(store, &record);
}

uint64_t store_put_name(struct store *store, struct prosa_bytes nick,
                        const uint8_t key[static PROSA_KEY_SIZE], bool bound)
{
    struct record record = {.kind = RECORD_NAME};
    assert(nick.size > 0 && nick.size <= sizeof record.name.nick);
    memcpy(record.name.key, key, PROSA_KEY_SIZE);
    memcpy(record.name.nick, nick.at, nick.size);
    record.name.nick_size = bound ? (uint8_t)nick.size : 0;
    return put(store, &record);
}

uint64_t store_put_ban(struct store *store, const uint8_t key[static PROSA_KEY_SIZE], bool banned)
{
    struct record record = {.kind = RECORD_BAN, .ban.banned = banned};
    memcpy(record.ban.key, key, PROSA_KEY_SIZE);
    return put(store, &record);
}

/* --- Outcomes --- */

/* With the mutex held: whatever was put in before the caller hears of the failure has failed, too. */
static void take_failure(struct store *store, struct store_outcome *outcome)
{
    outcome->good = false;
    free_records(store->first);
    store->first = NULL;
    store->last = &store->first;
    store->failed = false;
    store->done = store->put;
}

bool store_next(struct store *store, struct store_outcome *outcome)
{
    uint64_t drained;
    *outcome = (struct store_outcome){.good = true};
    pthread_mutex_lock(&store->mutex);
    if (store->done == store->told && store->failed) {
        take_failure(store, outcome);
    }
    const bool found = store->done > store->told;
    if (found && !store->failed) { /* else the words are those of the next outcome */
        memcpy(outcome->why, store->why, sizeof outcome->why);
        store->why[0] = '\0';
    }
    outcome->upto = store->done;
    outcome->records = (size_t)(store->done - store->told);
    store->told = store->done;
    if (!store->failed && read(store->event, &drained, sizeof drained) < 0) {
        assert(errno == EAGAIN);
    }
    pthread_mutex_unlock(&store->mutex);
    return found;
}

size_t store_waiting(const struct store *store)
{
    return (size_t)(store->put - store->told);
}
