/* SPDX-License-Identifier: MIT */
/*
 * driver: a log as a process of its own, for tests that kill it, tear its file or ask it from outside.
 *   driver fill FOLDER COUNT     writes COUNT entries into each of three rooms, says goodbye to the log
 *   driver crash FOLDER COUNT    likewise, and ends as if it was killed
 *   driver retire FOLDER         opens the log as the copy of an older one
 *   driver dump FOLDER           prints what a server sees in the log
 *   driver write FOLDER SEED     writes for ever, and prints what is committed
 *   driver hold FOLDER           opens the log and waits for end of file
 *   driver measure FOLDER COUNT  prints how fast it is
 * A log that cannot be opened: its sentence on stderr, and exit code 1.
 */
#include "rig.h"

#include "clock.h"
#include "hex.h"
#include "pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const room_names[] = {"dev", "lab", "@host"};

#define ROOMS (sizeof room_names / sizeof room_names[0])

/* The room as the log has it, or a new one. */
static struct rig_room take_room(struct rig *rig, size_t i)
{
    struct rig_room room = {0};
    const struct prosa_bytes name = prosa_bytes_of_string(room_names[i]);
    if (store_find_room(rig->store, name, rig->ada.key, &room.stored) == STORE_FOUND) {
        return room;
    }
    return rig_make_room(rig, room_names[i], (uint8_t)(i + 1));
}

/* Entry n of a room says so; every third one is Bob's. */
static uint64_t say_next(struct rig *rig, struct rig_room *room)
{
    char text[64];
    const uint64_t n = room->stored.head_seq + 1;
    const bool is_bob = n % 3 == 0;
    snprintf(text, sizeof text, "entry %" PRIu64 " of %.32s", n, (const char *)room->stored.name);
    return rig_say(rig, room, is_bob ? &rig->bob : &rig->ada, is_bob ? n / 3 : n - n / 3, text);
}

static void fill(struct rig *rig, uint64_t count)
{
    rig_need(store_put_name(rig->store, prosa_bytes_of_string("ada"), rig->ada.key, true) != 0 &&
                 store_put_ban(rig->store, rig->bob.key, true) != 0,
             "no memory");
    rig_settle(rig);
    for (size_t i = 0; i < ROOMS; i++) {
        struct rig_room room = take_room(rig, i);
        for (uint64_t n = 0; n < count; n++) {
            (void)say_next(rig, &room);
            if (n % 1000 == 999) {
                rig_settle(rig);
            }
        }
        rig_settle(rig);
    }
}

/* --- dump --- */

static void print_hex(const char *title, const uint8_t *octets, size_t size)
{
    char text[2 * PROSA_MAX_FRAME_CEILING + 1];
    hex_print(prosa_bytes(octets, size), text);
    printf("%s %s\n", title, text);
}

static void dump_author(struct rig *rig, int64_t room, const struct prosa_keypair *who)
{
    struct store_author author;
    const enum store_found found = store_find_author(rig->store, room, who->key, &author);
    rig_need(found != STORE_FAILED, "an author cannot be read");
    printf("author %" PRIu64 " %" PRIu64 "\n", author.counter, author.room_seq);
    for (size_t i = 0; i < author.id_count; i++) {
        print_hex("id", author.ids[i], PROSA_HASH_SIZE);
    }
}

static void dump_room(struct rig *rig, size_t i)
{
    struct store_room room;
    const enum store_found found =
        store_find_room(rig->store, prosa_bytes_of_string(room_names[i]), rig->ada.key, &room);
    rig_need(found != STORE_FAILED, "a room cannot be read");
    if (found == STORE_NONE) {
        printf("no %s\n", room_names[i]);
        return;
    }
    printf("room %s %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", room_names[i], room.number,
           room.oldest_seq, room.head_seq, room.server_time);
    print_hex("room_id", room.room_id, sizeof room.room_id);
    print_hex("chain", room.chain, sizeof room.chain);
    print_hex("pruned", room.pruned_chain, sizeof room.pruned_chain);
    dump_author(rig, room.number, &rig->ada);
    dump_author(rig, room.number, &rig->bob);
    struct pages *pages = pages_new(rig->store);
    rig_need(pages != NULL, "no memory");
    for (uint64_t seq = room.oldest_seq; seq <= room.head_seq; seq++) {
        const struct prosa_bytes entry = pages_entry(pages, room.number, seq);
        rig_need(entry.size > 0, "an entry cannot be read");
        print_hex("entry", entry.at, entry.size);
    }
    pages_free(pages);
}

static void dump(struct rig *rig)
{
    int64_t place = 0;
    struct store_name name;
    for (size_t i = 0; i < ROOMS; i++) {
        dump_room(rig, i);
    }
    while (store_next_name(rig->store, &place, &name) == STORE_FOUND) {
        printf("name %.*s %d %d\n", (int)name.nick_size, (const char *)name.nick, name.bound, name.banned);
        print_hex("key", name.key, sizeof name.key);
    }
}

/* --- write --- */

/* Entries kept in the second room, which is pruned all the time. */
#define KEPT ((uint64_t)200)

/* The chain before entry `seq`. */
static void prune(struct rig *rig, struct rig_room *room, uint64_t seq)
{
    uint8_t *octets;
    size_t end = 0;
    size_t found;
    struct prosa_frame frame;
    struct prosa_message message;
    rig_need(store_read(rig->store, room->stored.number, seq, 1, &octets, &end, &found) == STORE_FOUND &&
                 prosa_frame_parse(prosa_bytes(octets, end), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
                 prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK,
             "an entry cannot be read");
    rig_need(store_put_pruned(rig->store, room->stored.number, seq, message.deliver.prev_hash) != 0,
             "no memory");
    room->stored.oldest_seq = seq;
    free(octets);
}

static void tell_heads(const struct rig_room rooms[static ROOMS], const char *word)
{
    printf("%s", word);
    for (size_t i = 0; i < ROOMS; i++) {
        printf(" %" PRIu64, rooms[i].stored.head_seq);
    }
    printf("\n");
    rig_need(fflush(stdout) == 0, "nobody listens");
}

static void write_for_ever(struct rig *rig, unsigned seed)
{
    struct rig_room rooms[ROOMS];
    srand(seed);
    for (size_t i = 0; i < ROOMS; i++) {
        rooms[i] = take_room(rig, i);
    }
    rig_settle(rig);
    tell_heads(rooms, "open");
    for (;;) {
        for (int n = 1 + rand() % 40; n > 0; n--) {
            (void)say_next(rig, &rooms[rand() % (int)ROOMS]);
        }
        rig_settle(rig);
        tell_heads(rooms, "acked");
        if (rooms[1].stored.head_seq > rooms[1].stored.oldest_seq + 2 * KEPT) {
            prune(rig, &rooms[1], rooms[1].stored.head_seq - KEPT);
        }
    }
}

/* --- measure --- */

static void tell_speed(const char *what, uint64_t count, uint64_t commits, uint64_t start_ms)
{
    const double seconds = (double)(clock_now_ms() - start_ms) / 1000;
    printf("%-28s %9.0f messages/s  %6.0f commits/s\n", what, (double)count / seconds,
           (double)commits / seconds);
}

static void measure_writing(struct rig *rig, struct rig_room *room, const char *what, uint64_t count,
                            size_t queue)
{
    uint64_t commits = 0;
    const uint64_t start = clock_now_ms();
    for (uint64_t n = 0; n < count; n++) {
        (void)say_next(rig, room);
        while (store_waiting(rig->store) >= queue) {
            rig_need(rig_outcome(rig).good, "a commit failed");
            commits++;
        }
    }
    rig_settle(rig);
    tell_speed(what, count, commits, start);
}

static void measure_reading(struct rig *rig, const struct rig_room *room, const char *what)
{
    struct pages *pages = pages_new(rig->store);
    rig_need(pages != NULL, "no memory");
    uint64_t octets = 0;
    const uint64_t start = clock_now_ms();
    for (uint64_t seq = 1; seq <= room->stored.head_seq; seq++) {
        octets += pages_entry(pages, room->stored.number, seq).size;
    }
    tell_speed(what, room->stored.head_seq, 0, start);
    rig_need(octets > 0, "nothing was read");
    pages_free(pages);
}

/* One by one, while all that was said before is being deleted. */
static void measure_pruning(struct rig *rig, struct rig_room *room, uint64_t count)
{
    uint64_t longest = 0;
    rig_need(
        store_put_pruned(rig->store, room->stored.number, room->stored.head_seq + 1, room->stored.chain) != 0,
        "no memory");
    rig_settle(rig);
    const uint64_t start = clock_now_ms();
    for (uint64_t n = 0; n < count; n++) {
        const uint64_t before = clock_now_ms();
        (void)say_next(rig, room);
        rig_settle(rig);
        const uint64_t took = clock_now_ms() - before;
        longest = took > longest ? took : longest;
    }
    tell_speed("one by one, while pruning", count, count, start);
    printf("%-28s %9" PRIu64 " ms\n", "the longest of them", longest);
}

static void measure(struct rig *rig, uint64_t count)
{
    rig->hollow = true;
    struct rig_room room = take_room(rig, 0);
    rig_settle(rig);
    measure_writing(rig, &room, "written one by one", count / 50, 1);
    measure_writing(rig, &room, "written, 64 on their way", count / 4, 64);
    measure_writing(rig, &room, "written, full queue", count, RIG_WAITING / 2);
    measure_reading(rig, &room, "read in order");
    rig_close(rig);
    const uint64_t start = clock_now_ms();
    rig_open(rig);
    tell_speed("checked at the start", room.stored.head_seq, 0, start);
    measure_pruning(rig, &room, count / 100);
}

int main(int argc, char **argv)
{
    struct rig rig;
    char why[1024] = "";
    rig_need(argc >= 3, "what, and in which folder?");
    const char *what = argv[1];
    const uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    rig_init(&rig, argv[2]);
    rig.store = store_open(rig.folder, rig.server.key, strcmp(what, "retire") == 0, why, sizeof why);
    if (rig.store == NULL) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (strcmp(what, "fill") == 0) {
        fill(&rig, number);
    } else if (strcmp(what, "crash") == 0) {
        fill(&rig, number);
        _exit(0);
    } else if (strcmp(what, "dump") == 0) {
        dump(&rig);
    } else if (strcmp(what, "write") == 0) {
        rig.hollow = true;
        write_for_ever(&rig, (unsigned)number);
    } else if (strcmp(what, "hold") == 0) {
        printf("held\n");
        rig_need(fflush(stdout) == 0 && getchar() == EOF, "not the end of file");
    } else if (strcmp(what, "measure") == 0) {
        measure(&rig, number);
    } else {
        rig_need(strcmp(what, "retire") == 0, "what?");
    }
    rig_close(&rig);
    return 0;
}
