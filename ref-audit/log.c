/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include "database.h"
#include "keyfile.h"
#include "logcheck.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool audit_log_path(const char *given, char *path, size_t cap)
{
    struct stat there;
    if (stat(given, &there) != 0) {
        audit_say("there is no %s", given);
        return false;
    }
    const int size = snprintf(path, cap, S_ISDIR(there.st_mode) ? "%s/" DATABASE_NAME : "%s", given);
    const bool good = size > 0 && (size_t)size < cap;
    if (!good) {
        audit_say("the name of the log is too long");
    } else if (access(path, R_OK) != 0) {
        audit_say("%s: %s", path, strerror(errno));
        return false;
    }
    return good;
}

static sqlite3 *open_log(const char *path, uint8_t key[static PROSA_KEY_SIZE])
{
    char why[4096 + 300];
    sqlite3 *db = database_open(path, false, key, why, sizeof why);
    if (db == NULL) {
        audit_say("%s", why);
    }
    return db;
}

bool audit_log_key(const char *path, uint8_t key[static PROSA_KEY_SIZE])
{
    sqlite3 *db = open_log(path, key);
    database_close(db);
    return db != NULL;
}

/* Signatures take their time: a person sees that something happens. */
static void show_progress(const struct logcheck *check)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%" PRIu64 " entries", check->total);
    }
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%*s\r", 40, "");
    }
}

static void print_room(const struct logcheck *check)
{
    printf("%s: %" PRIu64 " entries", check->name, check->entries);
    if (check->entries > 0) {
        printf(", %" PRIu64 " to %" PRIu64, check->oldest_seq, check->head_seq);
    }
    if (check->oldest_seq > 1) {
        printf(", %" PRIu64 " before them pruned", check->oldest_seq - 1);
    }
    printf("%s: good\n", check->retired ? ", put aside" : "");
}

/* Rooms and faults of the whole log; false: its file cannot be read to the end. */
static bool check_rooms(struct logcheck *check, size_t *rooms, size_t *faults)
{
    enum logcheck_step step;
    do {
        step = logcheck_next(check);
        *rooms += step == LOGCHECK_ROOM || step == LOGCHECK_FAULT;
        *faults += step == LOGCHECK_FAULT;
        if (step == LOGCHECK_MORE) {
            show_progress(check);
        } else {
            end_progress();
        }
        if (step == LOGCHECK_ROOM) {
            print_room(check);
        } else if (step == LOGCHECK_FAULT || step == LOGCHECK_BROKEN) {
            printf("BAD %s\n", check->why);
        }
    } while (step != LOGCHECK_END && step != LOGCHECK_BROKEN);
    return step == LOGCHECK_END;
}

static enum audit_finding check_db(const char *path, sqlite3 *db, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct logcheck check;
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    size_t rooms = 0;
    size_t faults = 0;
    logcheck_init(&check, db, key, true);
    const bool whole = check_rooms(&check, &rooms, &faults);
    fingerprint_format(key, fingerprint);
    printf("%s, server %s: ", path, fingerprint);
    if (check.unread) {
        printf("not judged; nothing says that it is damaged\n");
    } else if (!whole) {
        printf("damaged; what was not judged may be, too\n");
    } else if (faults > 0) {
        printf("%zu of %zu rooms damaged or forged\n", faults, rooms);
    } else {
        printf("%" PRIu64 " entries in %zu rooms, all as they were signed and ordered\n", check.total, rooms);
    }
    logcheck_fini(&check);
    return check.unread ? AUDIT_UNABLE : whole && faults == 0 ? AUDIT_GOOD : AUDIT_BAD;
}

enum audit_finding audit_log(const char *path, const uint8_t *key)
{
    uint8_t own[PROSA_KEY_SIZE];
    sqlite3 *db = open_log(path, own);
    if (db == NULL) {
        return AUDIT_BAD; /* open_log has said what is wrong with it */
    }
    enum audit_finding finding = AUDIT_BAD;
    if (key != NULL && memcmp(key, own, sizeof own) != 0) {
        audit_say("%s is the log of a server with another key", path);
    } else {
        finding = check_db(path, db, own);
    }
    database_close(db);
    return finding;
}
