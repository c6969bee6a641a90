/* SPDX-License-Identifier: MIT */
/* The durable log while memory runs out, in it and in SQLite: once at every allocation of its life, and from
 * every one on. It is not taken for corruption; what was committed is there, and nothing else; the next
 * commit succeeds.
 *
 *   test_scarce_store [FIRST STEP]   of the allocations number FIRST, FIRST + STEP, ...; all without words
 */
#include "check.h"
#include "rig.h"
#include "scarce.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGES = 40, PRUNED = 20, LONG = 3000, WHY = 1024 };

/* What is known to be in the log. */
struct known {
    struct rig_room hall, host;     /* as they are in it; number 0: not yet */
    uint64_t counters[2];           /* of Ada and Bob, in the hall */
    uint8_t chain[PROSA_HASH_SIZE]; /* behind entry PRUNED of the hall */
    bool has_named, has_banned;
};

static struct rig rig;
static struct known known;
static bool has_failed; /* in this life */
static size_t harmed;   /* lives in which something did */

/* --- one life --------------------------------------------------------------------------------- */

/* The next outcomes until nothing waits; false: what was put in is not in the log. */
static bool settles(void)
{
    bool good = true;
    while (store_waiting(rig.store) > 0) {
        const struct store_outcome outcome = rig_outcome(&rig);
        if (!CHECK(outcome.good || strstr(outcome.why, "there is no memory") != NULL)) {
            fprintf(stderr, "%s\n", outcome.why);
        }
        good = good && outcome.good;
    }
    has_failed = has_failed || !good;
    return good;
}

/* The message that Ada or Bob would say next; each third one is long. False: it is not in the log. */
static bool say(struct rig_room *room, size_t number)
{
    static char text[LONG + 1];
    const struct rig_room before = *room;
    const size_t who = number % 2;
    memset(text, 'x', LONG);
    snprintf(text, number % 3 == 0 ? 32 : sizeof text, "%u", (unsigned)number);
    if (number % 3 == 0) {
        text[strlen(text)] = ' ';
    }
    if (rig_say(&rig, room, who == 0 ? &rig.ada : &rig.bob, known.counters[who] + 1, text) == 0) {
        has_failed = true;
        return false;
    }
    if (!settles()) {
        *room = before;
        return false;
    }
    known.counters[who]++;
    if (room->stored.head_seq == PRUNED) {
        memcpy(known.chain, room->stored.chain, sizeof known.chain);
    }
    return true;
}

static void make_rooms(void)
{
    if (known.hall.stored.number == 0) {
        known.hall = rig_make_room(&rig, "hall", 1);
        if (!settles()) {
            known.hall.stored.number = 0;
        }
    }
    if (known.host.stored.number == 0) {
        known.host = rig_make_room(&rig, "@host", 2);
        if (!settles()) {
            known.host.stored.number = 0;
        }
    }
}

static void write_names(void)
{
    if (!known.has_named) {
        known.has_named =
            store_put_name(rig.store, prosa_bytes_of_string("ada"), rig.ada.key, true) != 0 && settles();
    }
    if (!known.has_banned) {
        known.has_banned = store_put_ban(rig.store, rig.bob.key, true) != 0 && settles();
    }
}

static void prune(void)
{
    struct store_room *hall = &known.hall.stored;
    if (hall->number != 0 && hall->head_seq > PRUNED && hall->oldest_seq == 1) {
        const bool good =
            store_put_pruned(rig.store, hall->number, PRUNED + 1, known.chain) != 0 && settles();
        has_failed = has_failed || !good;
        hall->oldest_seq = good ? PRUNED + 1 : 1;
    }
}

static enum store_found heard(enum store_found answer)
{
    has_failed = has_failed || answer == STORE_FAILED;
    return answer;
}

/* What is asked is answered as it is, or not at all. */
static void look(void)
{
    const struct store_room *hall = &known.hall.stored;
    struct store_room found;
    static struct store_author author;
    struct store_name name;
    uint8_t *octets = NULL;
    size_t ends[MESSAGES], count = 0;
    uint64_t seq;
    int64_t place = 0;
    enum store_found answer = heard(store_find_room(rig.store, prosa_bytes_of_string("hall"), NULL, &found));
    CHECK(answer == STORE_FAILED || (answer == STORE_FOUND) == (hall->number != 0));
    CHECK(answer != STORE_FOUND || found.head_seq == hall->head_seq);
    answer = heard(store_find_author(rig.store, hall->number, rig.ada.key, &author));
    CHECK(answer == STORE_FAILED || (answer == STORE_FOUND) == (known.counters[0] > 0));
    CHECK(answer != STORE_FOUND || author.counter == known.counters[0]);
    answer = heard(store_read(rig.store, hall->number, hall->oldest_seq, MESSAGES, &octets, ends, &count));
    CHECK(answer == STORE_FAILED || (answer == STORE_FOUND) == (hall->head_seq >= hall->oldest_seq));
    CHECK(answer != STORE_FOUND || (count > 0 && count <= hall->head_seq - hall->oldest_seq + 1));
    free(octets);
    answer = heard(store_find_time(rig.store, hall->number, 1, &seq));
    CHECK(answer == STORE_FAILED || hall->number == 0 || hall->head_seq == 0 || seq == hall->oldest_seq);
    (void)heard(store_next_old(rig.store, &place, 1, &found));
    place = 0;
    answer = heard(store_next_name(rig.store, &place, &name));
    CHECK(answer == STORE_FAILED || (answer == STORE_FOUND) == (known.has_named || known.has_banned));
}

static bool opens(void)
{
    char why[WHY] = "";
    rig.store = store_open(rig.folder, rig.server.key, false, why, sizeof why);
    has_failed = has_failed || rig.store == NULL;
    if (rig.store == NULL && !CHECK((strstr(why, "memory") != NULL || strstr(why, "thread") != NULL) &&
                                    strstr(why, "restored") == NULL && strstr(why, "move") == NULL)) {
        fprintf(stderr, "%s\n", why);
    }
    return rig.store != NULL;
}

static void work(void)
{
    make_rooms();
    write_names();
    while (known.hall.stored.number != 0 && known.hall.stored.head_seq < MESSAGES &&
           say(&known.hall, (size_t)known.hall.stored.head_seq)) {
    }
    prune();
    look();
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A life in which allocations `from` to `to` fail, then two in which none does; how many there were. */
static size_t play(size_t from, size_t to)
{
    rig_init(&rig, NULL);
    rig.hollow = rig.scarce = true;
    known = (struct known){0};
    has_failed = false;
    scarce_begin(from, to);
    if (opens()) {
        work();
    }
    const size_t count = scarce_end();
    harmed += has_failed;
    if (rig.store != NULL) { /* as if nothing had been */
        has_failed = false;
        work();
        CHECK(!has_failed && known.hall.stored.head_seq == MESSAGES);
        rig_close(&rig);
    }
    has_failed = false;
    if (CHECK(opens())) {
        work();
        CHECK(!has_failed && known.hall.stored.head_seq == MESSAGES && known.has_named && known.has_banned);
        CHECK(known.hall.stored.oldest_seq == PRUNED + 1 &&
              known.counters[0] + known.counters[1] == MESSAGES);
    }
    rig_fini(&rig);
    return count;
}

static size_t number_of(const char *word)
{
    const unsigned long number = strtoul(word, NULL, 10);
    rig_need(number > 0, "FIRST and STEP are numbers from 1 on");
    return number;
}

int main(int argc, char **argv)
{
    const size_t first = argc == 3 ? number_of(argv[1]) : 1;
    const size_t step = argc == 3 ? number_of(argv[2]) : 1;
    size_t tried = 0;
    scarce_sqlite();
    const size_t count = play(SCARCE_NEVER, 0);
    CHECK(count > 1000);
    for (size_t k = first; k <= count && check_failures == 0; k += step) {
        (void)play(k, k);
        if (check_failures == 0) {
            (void)play(k, SCARCE_NEVER);
        }
        if (check_failures > 0) {
            fprintf(stderr, "allocation %zu of %zu failed\n", k, count);
        }
        tried += 2;
    }
    CHECK(harmed > tried / 2);
    printf("%zu allocations, %zu lives, %zu of them harmed\n", count, tried, harmed);
    return check_result();
}
