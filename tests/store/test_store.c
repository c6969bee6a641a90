/* SPDX-License-Identifier: MIT */
/* The log through its contract: what goes in comes out again, also after it was closed, also when the disk
 * has refused something in between. */
#include "check.h"
#include "rig.h"

#include "database.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t read_entries(struct rig *rig, int64_t room, uint64_t from, size_t count, uint8_t **octets,
                             size_t ends[])
{
    size_t found = 0;
    *octets = NULL;
    const enum store_found answer = store_read(rig->store, room, from, count, octets, ends, &found);
    CHECK((answer == STORE_FOUND) == (found > 0));
    return found;
}

/* The text of an entry in an octet run. */
static struct prosa_bytes text_of(const uint8_t *octets, size_t start, size_t end)
{
    static struct prosa_message message;
    struct prosa_frame frame;
    rig_need(prosa_frame_parse(prosa_bytes(octets + start, end - start), PROSA_MAX_FRAME_CEILING, &frame) ==
                     PROSA_OK &&
                 prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK,
             "no DELIVER");
    return message.deliver.text;
}

static void reopen(struct rig *rig)
{
    rig_close(rig);
    rig_open(rig);
}

static void say_many(struct rig *rig, struct rig_room *room, const struct prosa_keypair *author,
                     uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "message %u", (unsigned)(first + i));
        (void)rig_say(rig, room, author, first + i, text);
    }
    rig_settle(rig);
}

static void test_what_goes_in_comes_out_again(void)
{
    struct rig rig;
    uint8_t *octets;
    size_t ends[8];
    struct store_room found;
    struct store_author author;
    PROSA_CLAUSE("RES-09");
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 7);
    struct rig_room host = rig_make_room(&rig, "@host", 8);
    CHECK(dev.stored.number == 1 && host.stored.number == 2);
    (void)rig_say(&rig, &dev, &rig.ada, 1, "one");
    (void)rig_say(&rig, &host, &rig.ada, 1, "private");
    (void)rig_say(&rig, &dev, &rig.bob, 1, "two");
    const uint64_t last = rig_say(&rig, &dev, &rig.ada, 2, "three");
    CHECK(last == 6);
    uint8_t id[PROSA_HASH_SIZE];
    memcpy(id, rig_last_id(&rig), sizeof id);
    rig_settle(&rig);
    for (int round = 0; round < 2; round++) {
        CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
        CHECK(found.number == 1 && found.head_seq == 3 && found.oldest_seq == 1);
        CHECK(found.server_time == dev.stored.server_time);
        CHECK(memcmp(found.chain, dev.stored.chain, sizeof found.chain) == 0);
        CHECK(memcmp(found.epoch, dev.stored.epoch, sizeof found.epoch) == 0);
        CHECK(memcmp(found.room_id, dev.stored.room_id, sizeof found.room_id) == 0);
        CHECK(found.name_size == 3 && memcmp(found.name, "dev", 3) == 0);
        CHECK(read_entries(&rig, 1, 2, 8, &octets, ends) == 2);
        CHECK(prosa_bytes_equal(text_of(octets, 0, ends[0]), prosa_bytes_of_string("two")));
        CHECK(prosa_bytes_equal(text_of(octets, ends[0], ends[1]), prosa_bytes_of_string("three")));
        free(octets);
        CHECK(store_find_author(rig.store, 1, rig.ada.key, &author) == STORE_FOUND);
        CHECK(author.counter == 2 && author.room_seq == 3 && author.id_count == 2);
        CHECK(memcmp(author.ids[1], id, sizeof id) == 0);
        CHECK(store_find_author(rig.store, 2, rig.bob.key, &author) == STORE_NONE);
        reopen(&rig);
    }
    rig_fini(&rig);
}

static void test_rooms_are_found_by_name_and_client(void)
{
    struct rig rig;
    struct store_room found;
    rig_init(&rig, NULL);
    rig_open(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_NONE);
    (void)rig_make_room(&rig, "@host", 1);
    (void)rig_make_room(&rig, "dev", 2);
    (void)rig_make_room(&rig, "lab", 3);
    rig_settle(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("@host"), rig.ada.key, &found) == STORE_FOUND);
    CHECK(found.head_seq == 0 && found.oldest_seq == 1 && found.server_time == 0);
    CHECK(memcmp(found.chain, found.pruned_chain, sizeof found.chain) == 0);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("@host"), rig.bob.key, &found) == STORE_NONE);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("lab"), NULL, &found) == STORE_FOUND);
    CHECK(found.number == 3);
    rig_fini(&rig);
}

static void test_names_and_bans(void)
{
    struct rig rig;
    struct store_name name;
    int64_t place = 0;
    PROSA_CLAUSE("ID-06");
    rig_init(&rig, NULL);
    rig_open(&rig);
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("ada"), rig.ada.key, true) == 1);
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("bob"), rig.bob.key, true) == 2);
    CHECK(store_put_ban(rig.store, rig.bob.key, true) == 3);
    rig_settle(&rig);
    reopen(&rig);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_FOUND);
    CHECK(name.bound && !name.banned && name.nick_size == 3 && memcmp(name.nick, "ada", 3) == 0);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_FOUND);
    CHECK(name.bound && name.banned && memcmp(name.key, rig.bob.key, PROSA_KEY_SIZE) == 0);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_NONE);

    /* Ada is forgotten, Bob's ban outlives his name, and his name is free again. */
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("ada"), rig.ada.key, false) != 0);
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("bob"), rig.bob.key, false) != 0);
    rig_settle(&rig);
    place = 0;
    CHECK(store_next_name(rig.store, &place, &name) == STORE_FOUND);
    CHECK(!name.bound && name.banned && name.nick_size == 0);
    CHECK(memcmp(name.key, rig.bob.key, PROSA_KEY_SIZE) == 0);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_NONE);
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("bob"), rig.ada.key, true) != 0);
    CHECK(store_put_ban(rig.store, rig.bob.key, false) != 0);
    rig_settle(&rig);
    place = 0;
    CHECK(store_next_name(rig.store, &place, &name) == STORE_FOUND);
    CHECK(name.bound && memcmp(name.key, rig.ada.key, PROSA_KEY_SIZE) == 0);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_NONE);
    rig_fini(&rig);
}

static void test_reading_stops_at_the_bound_and_at_the_head(void)
{
    struct rig rig;
    uint8_t *octets;
    size_t ends[64];
    char text[4097];
    rig_init(&rig, NULL);
    rig_open(&rig);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    for (uint64_t i = 1; i <= 20; i++) {
        (void)rig_say(&rig, &dev, &rig.ada, i, text);
    }
    rig_settle(&rig);
    const uint64_t found = read_entries(&rig, 1, 1, 64, &octets, ends);
    CHECK(found > 10 && found < 20 && ends[found - 1] <= STORE_READ_OCTETS);
    free(octets);
    CHECK(read_entries(&rig, 1, 19, 64, &octets, ends) == 2);
    free(octets);
    CHECK(read_entries(&rig, 1, 19, 1, &octets, ends) == 1);
    free(octets);
    CHECK(read_entries(&rig, 1, 21, 64, &octets, ends) == 0 && octets == NULL);
    CHECK(read_entries(&rig, 9, 1, 64, &octets, ends) == 0 && octets == NULL);
    rig_fini(&rig);
}

static void test_times_are_found(void)
{
    struct rig rig;
    uint64_t seq;
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    CHECK(store_find_time(rig.store, 1, 0, &seq) == STORE_NONE);
    uint64_t times[101] = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        (void)rig_say(&rig, &dev, &rig.ada, i, "x");
        times[i] = dev.stored.server_time;
    }
    rig_settle(&rig);
    for (uint64_t time = times[1] - 1; time <= times[100]; time++) {
        uint64_t expected = 1;
        while (times[expected] < time) {
            expected++;
        }
        CHECK(store_find_time(rig.store, 1, time, &seq) == STORE_FOUND && seq == expected);
    }
    CHECK(store_find_time(rig.store, 1, times[100] + 1, &seq) == STORE_NONE);
    rig_fini(&rig);
}

static void test_rooms_with_old_entries_are_found(void)
{
    struct rig rig;
    struct store_room found;
    int64_t place = 0;
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    struct rig_room empty = rig_make_room(&rig, "empty", 2);
    struct rig_room host = rig_make_room(&rig, "@host", 3);
    (void)rig_say(&rig, &dev, &rig.ada, 1, "old");
    (void)rig_say(&rig, &host, &rig.ada, 1, "newer");
    rig_settle(&rig);
    const uint64_t later = host.stored.server_time + 1;
    CHECK(store_next_old(rig.store, &place, later, &found) == STORE_FOUND && found.number == 1);
    CHECK(found.name_size == 3 && memcmp(found.room_id, dev.stored.room_id, sizeof found.room_id) == 0);
    CHECK(store_next_old(rig.store, &place, later, &found) == STORE_FOUND && found.number == 3);
    CHECK(memcmp(found.client_key, rig.ada.key, PROSA_KEY_SIZE) == 0);
    CHECK(store_next_old(rig.store, &place, later, &found) == STORE_NONE);
    place = 0;
    CHECK(store_next_old(rig.store, &place, dev.stored.server_time, &found) == STORE_NONE);
    CHECK(empty.stored.number == 2);
    rig_fini(&rig);
}

/* The chain before entry `seq`, from its own prev_hash. */
static void chain_before(struct rig *rig, uint64_t seq, uint8_t chain[static PROSA_HASH_SIZE])
{
    uint8_t *octets;
    size_t ends[1];
    struct prosa_frame frame;
    struct prosa_message message;
    rig_need(read_entries(rig, 1, seq, 1, &octets, ends) == 1, "no entry");
    rig_need(prosa_frame_parse(prosa_bytes(octets, ends[0]), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
                 prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK,
             "no DELIVER");
    memcpy(chain, message.deliver.prev_hash, PROSA_HASH_SIZE);
    free(octets);
}

static void prune(struct rig *rig, uint64_t oldest)
{
    uint8_t chain[PROSA_HASH_SIZE];
    chain_before(rig, oldest, chain);
    rig_need(store_put_pruned(rig->store, 1, oldest, chain) != 0, "no memory");
    rig_settle(rig);
}

static void test_pruning_keeps_ids_and_counters(void)
{
    struct rig rig;
    struct store_author author;
    struct store_room found;
    enum { said = STORE_IDS + 136 };
    static uint8_t ids[said][PROSA_HASH_SIZE];
    uint64_t seq;
    PROSA_CLAUSE("FLOW-23");
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    say_many(&rig, &dev, &rig.bob, 1, 3);
    for (uint64_t i = 0; i < said; i++) {
        (void)rig_say(&rig, &dev, &rig.ada, i + 1, "again");
        memcpy(ids[i], rig_last_id(&rig), PROSA_HASH_SIZE);
    }
    rig_settle(&rig);
    const uint64_t steps[] = {2, 50, 51, said + 3};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        prune(&rig, steps[i]);
        reopen(&rig);
        CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
        CHECK(found.oldest_seq == steps[i] && found.head_seq == said + 3);
        CHECK(store_find_author(rig.store, 1, rig.bob.key, &author) == STORE_FOUND);
        CHECK(author.counter == 3 && author.room_seq == 3 && author.id_count == 3);
        CHECK(store_find_author(rig.store, 1, rig.ada.key, &author) == STORE_FOUND);
        CHECK(author.counter == said && author.room_seq == said + 3 && author.id_count == STORE_IDS);
        CHECK(memcmp(author.ids, ids[said - STORE_IDS], sizeof author.ids) == 0);
        CHECK(store_find_time(rig.store, 1, 0, &seq) == STORE_FOUND && seq == steps[i]);
    }
    PROSA_CLAUSE("AUD-07");
    CHECK(store_put_pruned(rig.store, 1, said + 4, found.chain) != 0);
    rig_settle(&rig);
    reopen(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.oldest_seq == said + 4 &&
          memcmp(found.pruned_chain, dev.stored.chain, sizeof found.chain) == 0);
    CHECK(store_find_time(rig.store, 1, 0, &seq) == STORE_NONE);
    say_many(&rig, &dev, &rig.ada, said + 1, 10);
    prune(&rig, said + 9);
    reopen(&rig);
    CHECK(store_find_author(rig.store, 1, rig.ada.key, &author) == STORE_FOUND);
    CHECK(author.counter == said + 10 && author.id_count == STORE_IDS);
    CHECK(memcmp(author.ids[0], ids[said + 10 - STORE_IDS], PROSA_HASH_SIZE) == 0);
    rig_fini(&rig);
}

static void test_a_restored_log_puts_rooms_aside(void)
{
    struct rig rig;
    struct store_room found;
    struct store_name name;
    uint8_t *octets;
    size_t ends[1];
    int64_t place = 0;
    char why[500];
    PROSA_CLAUSE("MSG-24");
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    say_many(&rig, &dev, &rig.ada, 1, 5);
    CHECK(store_put_name(rig.store, prosa_bytes_of_string("ada"), rig.ada.key, true) != 0);
    rig_settle(&rig);
    rig_close(&rig);
    rig.store = store_open(rig.folder, rig.server.key, true, why, sizeof why);
    CHECK(rig.store != NULL);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_NONE);
    struct rig_room again = rig_make_room(&rig, "dev", 2);
    say_many(&rig, &again, &rig.ada, 1, 2);
    reopen(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.number == 2 && found.head_seq == 2 && found.epoch[0] == 2);
    CHECK(read_entries(&rig, 1, 5, 1, &octets, ends) == 1); /* still readable */
    free(octets);
    CHECK(store_next_name(rig.store, &place, &name) == STORE_FOUND && name.bound);
    rig_fini(&rig);
}

static void test_a_log_of_another_key_is_refused(void)
{
    struct rig rig;
    char why[500] = "";
    rig_init(&rig, NULL);
    rig_open(&rig);
    rig_close(&rig);
    rig.store = store_open(rig.folder, rig.bob.key, false, why, sizeof why);
    CHECK(rig.store == NULL && strstr(why, "another key") != NULL && strstr(why, "log.db") != NULL);
    rig_fini(&rig);
}

static void test_a_folder_is_one_servers(void)
{
    struct rig rig;
    char why[500] = "";
    char pid[32];
    PROSA_CLAUSE("RES-14");
    rig_init(&rig, NULL);
    rig_open(&rig);
    CHECK(store_open(rig.folder, rig.server.key, false, why, sizeof why) == NULL);
    snprintf(pid, sizeof pid, "in use by process %ld;", (long)getpid());
    CHECK(strstr(why, pid) != NULL && strstr(why, rig.folder) != NULL);
    reopen(&rig); /* the first one is unharmed */
    struct stat log;
    char path[1100];
    snprintf(path, sizeof path, "%s/log.db", rig.folder);
    CHECK(stat(path, &log) == 0 && (log.st_mode & 0777) == 0600);
    rig_fini(&rig);
}

/* Everything that was put in before the failure was heard of has failed; what comes afterwards is tried. */
static void test_a_full_disk_loses_nothing_silently(void)
{
    struct rig rig;
    struct store_room found;
    struct store_author author;
    struct rlimit before;
    char text[4001];
    char path[1100];
    struct stat log;
    PROSA_CLAUSE("FLOW-26");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    say_many(&rig, &dev, &rig.ada, 1, 3);
    const struct rig_room good = dev;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    snprintf(path, sizeof path, "%s/log.db-wal", rig.folder);
    CHECK(stat(path, &log) == 0 && getrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)log.st_size + 30000, before.rlim_max}) == 0);
    for (uint64_t i = 4; i < 24; i++) {
        (void)rig_say(&rig, &dev, &rig.ada, i, text);
    }
    struct rig_room lab = rig_make_room(&rig, "lab", 2);
    const uint64_t last = rig_say(&rig, &lab, &rig.bob, 1, text);
    struct store_outcome outcome;
    uint64_t committed = 0;
    size_t records = 0;
    do {
        outcome = rig_outcome(&rig);
        committed += outcome.good ? outcome.records : 0;
        records += outcome.records;
    } while (outcome.good);
    CHECK(outcome.upto == last && records == 22 && store_waiting(rig.store) == 0);
    CHECK(strstr(outcome.why, "log.db") != NULL && strstr(outcome.why, "records") != NULL);
    CHECK(committed < 20);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.head_seq == 3 + committed);
    CHECK(store_find_author(rig.store, 1, rig.bob.key, &author) == STORE_NONE);

    /* There is space again: the caller has taken back what failed, and goes on from what holds. */
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    (void)good;
    dev.stored = found;
    struct rig_room again = rig_make_room(&rig, "lab", 3);
    CHECK(again.stored.number > lab.stored.number);
    (void)rig_say(&rig, &dev, &rig.bob, 1, "space");
    (void)rig_say(&rig, &again, &rig.bob, 1, "again");
    say_many(&rig, &dev, &rig.ada, 4 + committed, 3);
    reopen(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.head_seq == 7 + committed);
    CHECK(memcmp(found.chain, dev.stored.chain, sizeof found.chain) == 0);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("lab"), NULL, &found) == STORE_FOUND);
    CHECK(found.number == again.stored.number && found.head_seq == 1);
    rig_fini(&rig);
}

/* A message that follows one that is not there, or is in no room, fails, and takes its fellows with it. */
static void test_a_message_without_those_before_it_is_refused(void)
{
    struct rig rig;
    struct store_room found;
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    rig_settle(&rig);
    struct rig_room ahead = dev;
    ahead.stored.head_seq = 1;
    (void)rig_say(&rig, &ahead, &rig.ada, 2, "too early");
    CHECK(!rig_outcome(&rig).good);
    struct rig_room nowhere = dev;
    nowhere.stored.number = 99;
    (void)rig_say(&rig, &nowhere, &rig.ada, 1, "in no room");
    CHECK(!rig_outcome(&rig).good);
    say_many(&rig, &dev, &rig.ada, 1, 1);
    (void)rig_say(&rig, &dev, &rig.ada, 1, "a counter twice");
    CHECK(!rig_outcome(&rig).good);
    reopen(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.head_seq == 1);
    rig_fini(&rig);
}

static void test_closing_commits_what_was_put_in(void)
{
    struct rig rig;
    struct store_room found;
    rig_init(&rig, NULL);
    rig_open(&rig);
    struct rig_room dev = rig_make_room(&rig, "dev", 1);
    for (uint64_t i = 1; i <= 500; i++) {
        (void)rig_say(&rig, &dev, &rig.ada, i, "last words");
    }
    reopen(&rig);
    CHECK(store_find_room(rig.store, prosa_bytes_of_string("dev"), NULL, &found) == STORE_FOUND);
    CHECK(found.head_seq == 500);
    rig_fini(&rig);
}

int main(void)
{
    test_what_goes_in_comes_out_again();
    test_rooms_are_found_by_name_and_client();
    test_names_and_bans();
    test_reading_stops_at_the_bound_and_at_the_head();
    test_times_are_found();
    test_rooms_with_old_entries_are_found();
    test_pruning_keeps_ids_and_counters();
    test_a_restored_log_puts_rooms_aside();
    test_a_log_of_another_key_is_refused();
    test_a_folder_is_one_servers();
    test_a_full_disk_loses_nothing_silently();
    test_a_message_without_those_before_it_is_refused();
    test_closing_commits_what_was_put_in();
    return check_result();
}
