/* SPDX-License-Identifier: MIT */
/*
 * session: a log as a process of its own, on a disk that fails.
 *   session run FOLDER ROUNDS  says a little in three rooms in each round, as a server would, and reads all
 * of it back; prints what is committed and what is refused, tries again what was session probe opens each
 * folder that it reads on stdin, prints in one line what a server sees there, says something more, and closes
 * it; "restored FOLDER" is a copy of an older one A log that cannot be opened: its sentence on stderr and
 * exit code 1, or in the line.
 */
#include "rig.h"

#include "hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How often a batch is tried before the session ends without it. */
#define ATTEMPTS 3

static const char *const room_names[] = {"dev", "lab", "@host"};

#define ROOMS (sizeof room_names / sizeof room_names[0])

/* The entries of a room that are kept. */
#define KEPT ((uint64_t)12)

struct session {
    struct rig rig;
    struct rig_room rooms[ROOMS]; /* as committed; number 0: not there yet */
    unsigned misread;             /* entries that the disk did not give back */
};

/* --- run -------------------------------------------------------------------------------------- */

/* Every third entry is Bob's; the last of a round is long, so that it takes pages of its own. */
static void say(struct session *session, struct rig_room *room, bool is_long)
{
    char text[3000];
    const uint64_t n = room->stored.head_seq + 1;
    const bool is_bob = n % 3 == 0;
    const int size = snprintf(text, sizeof text, "entry %" PRIu64 " of %.32s ", n, room->stored.name);
    memset(text + size, '.', sizeof text - 1 - (size_t)size);
    text[is_long ? sizeof text - 1 : (size_t)size] = '\0';
    (void)rig_say(&session->rig, room, is_bob ? &session->rig.bob : &session->rig.ada,
                  is_bob ? n / 3 : n - n / 3, text);
}

/* h_(seq - 1), from the entry itself; false: it cannot be read. */
static bool chain_before(struct session *session, const struct rig_room *room, uint64_t seq,
                         uint8_t chain[static PROSA_HASH_SIZE])
{
    uint8_t *octets;
    size_t end = 0;
    size_t found;
    struct prosa_frame frame;
    struct prosa_message message;
    if (store_read(session->rig.store, room->stored.number, seq, 1, &octets, &end, &found) != STORE_FOUND) {
        return false;
    }
    rig_need(prosa_frame_parse(prosa_bytes(octets, end), PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
                 prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK &&
                 message.deliver.room_seq == seq,
             "what was read is not what was written");
    memcpy(chain, message.deliver.prev_hash, PROSA_HASH_SIZE);
    free(octets);
    return true;
}

static void put_round(struct session *session, struct rig_room rooms[static ROOMS], uint64_t round)
{
    struct rig *rig = &session->rig;
    uint8_t chain[PROSA_HASH_SIZE];
    if (round == 0) {
        rig_need(store_put_name(rig->store, prosa_bytes_of_string("ada"), rig->ada.key, true) != 0 &&
                     store_put_name(rig->store, prosa_bytes_of_string("bob"), rig->bob.key, true) != 0,
                 "no memory");
    }
    for (size_t i = 0; i < ROOMS; i++) {
        struct rig_room *room = &rooms[i];
        if (room->stored.number == 0) {
            *room = rig_make_room(rig, room_names[i], (uint8_t)(i + 1));
        }
        for (uint64_t n = 0; n <= (round + i) % 3; n++) {
            say(session, room, n == 2);
        }
        const uint64_t keep_from = room->stored.head_seq > KEPT ? room->stored.head_seq - KEPT : 0;
        if (keep_from > room->stored.oldest_seq && keep_from <= session->rooms[i].stored.head_seq &&
            chain_before(session, room, keep_from, chain)) {
            rig_need(store_put_pruned(rig->store, room->stored.number, keep_from, chain) != 0, "no memory");
            room->stored.oldest_seq = keep_from;
        }
    }
}

static void tell_heads(const struct session *session, const char *word)
{
    printf("%s", word);
    for (size_t i = 0; i < ROOMS; i++) {
        printf(" %" PRIu64, session->rooms[i].stored.head_seq);
    }
    printf("\n");
    rig_need(fflush(stdout) == 0, "nobody listens");
}

/* A part of the round may have been committed before the rest was refused: the rooms are as the log has them.
 */
static bool look_again(struct session *session)
{
    for (size_t i = 0; i < ROOMS; i++) {
        struct store_room room;
        const enum store_found found = store_find_room(
            session->rig.store, prosa_bytes_of_string(room_names[i]), session->rig.ada.key, &room);
        if (found == STORE_FAILED) {
            session->misread++;
            return false;
        }
        session->rooms[i] = (struct rig_room){.stored = found == STORE_FOUND ? room : (struct store_room){0}};
    }
    return true;
}

/* True: the round is committed. */
static bool try_round(struct session *session, uint64_t round)
{
    struct rig_room rooms[ROOMS];
    bool good = look_again(session);
    if (good) {
        memcpy(rooms, session->rooms, sizeof rooms);
        put_round(session, rooms, round);
    }
    while (store_waiting(session->rig.store) > 0) {
        const struct store_outcome outcome = rig_outcome(&session->rig);
        if (!outcome.good) {
            printf("failed %s\n", outcome.why);
            good = false;
        }
    }
    if (good) {
        memcpy(session->rooms, rooms, sizeof rooms);
    }
    if (good || look_again(session)) {
        tell_heads(session, "acked");
    }
    return good;
}

/* Everything that is kept can be read, or the disk has failed: then it is said, and nothing wrong is given.
 */
static void read_back(struct session *session)
{
    uint8_t chain[PROSA_HASH_SIZE];
    for (size_t i = 0; i < ROOMS; i++) {
        const struct store_room *stored = &session->rooms[i].stored;
        for (uint64_t seq = stored->oldest_seq; stored->number != 0 && seq <= stored->head_seq; seq++) {
            session->misread += chain_before(session, &session->rooms[i], seq, chain) ? 0 : 1;
        }
    }
}

static void run(struct session *session, uint64_t rounds)
{
    for (uint64_t round = 0; round < rounds; round++) {
        int attempts = 0;
        while (attempts < ATTEMPTS && !try_round(session, round)) {
            attempts++;
        }
        if (attempts == ATTEMPTS) {
            printf("given up\n");
            break;
        }
        read_back(session);
    }
    printf("misread %u\n", session->misread);
}

/* --- probe ------------------------------------------------------------------------------------ */

static void print_hex(char separator, const uint8_t *octets, size_t size)
{
    char text[2 * PROSA_HASH_SIZE + 1];
    hex_print(prosa_bytes(octets, size), text);
    printf("%c%s", separator, text);
}

static void tell_room(struct session *session, size_t i)
{
    struct store_room *room = &session->rooms[i].stored;
    const struct prosa_bytes name = prosa_bytes_of_string(room_names[i]);
    const enum store_found found = store_find_room(session->rig.store, name, session->rig.ada.key, room);
    rig_need(found != STORE_FAILED, "a room cannot be read");
    if (found == STORE_FOUND) {
        printf(" %s", room_names[i]);
        print_hex(':', room->room_id, sizeof room->room_id);
        printf(":%" PRIu64 ":%" PRIu64, room->oldest_seq, room->head_seq);
        print_hex(':', room->chain, sizeof room->chain);
        print_hex(':', room->pruned_chain, sizeof room->pruned_chain);
    } else {
        *room = (struct store_room){0};
    }
}

static void tell_names(struct session *session)
{
    int64_t place = 0;
    struct store_name name;
    while (store_next_name(session->rig.store, &place, &name) == STORE_FOUND) {
        printf(" nick:%.*s", (int)name.nick_size, (const char *)name.nick);
    }
}

/* A log that was opened goes on: one more entry, of the server, in each room that is there. */
static void go_on(struct session *session)
{
    for (size_t i = 0; i < ROOMS; i++) {
        struct rig_room *room = &session->rooms[i];
        struct store_author author;
        if (room->stored.number != 0) {
            rig_need(store_find_author(session->rig.store, room->stored.number, session->rig.server.key,
                                       &author) != STORE_FAILED,
                     "an author cannot be read");
            (void)rig_say(&session->rig, room, &session->rig.server, author.counter + 1, "and on it goes");
        }
    }
    rig_settle(&session->rig);
}

static void probe(struct session *session, const char *folder, bool restored)
{
    char why[1024] = "";
    snprintf(session->rig.folder, sizeof session->rig.folder, "%s", folder);
    session->rig.store = store_open(folder, session->rig.server.key, restored, why, sizeof why);
    if (session->rig.store == NULL) {
        printf("refused %s\n", why);
        return;
    }
    printf("good");
    for (size_t i = 0; i < ROOMS; i++) {
        tell_room(session, i);
    }
    tell_names(session);
    printf("\n");
    go_on(session);
    rig_close(&session->rig);
}

static void probe_all(struct session *session)
{
    static const char restored[] = "restored ";
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const bool is_restored = strncmp(line, restored, sizeof restored - 1) == 0;
        probe(session, line + (is_restored ? sizeof restored - 1 : 0), is_restored);
        rig_need(fflush(stdout) == 0, "nobody listens");
    }
}

int main(int argc, char **argv)
{
    static struct session session;
    char why[1024] = "";
    const bool is_probe = argc == 2 && strcmp(argv[1], "probe") == 0;
    rig_need(is_probe || (argc == 4 && strcmp(argv[1], "run") == 0), "run FOLDER ROUNDS, or probe?");
    rig_init(&session.rig, is_probe ? "" : argv[2]);
    session.rig.hollow = true;
    if (is_probe) {
        probe_all(&session);
        return 0;
    }
    session.rig.store = store_open(session.rig.folder, session.rig.server.key, false, why, sizeof why);
    if (session.rig.store == NULL) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    tell_heads(&session, "open");
    run(&session, strtoull(argv[3], NULL, 10));
    rig_close(&session.rig);
    printf("closed\n");
    return 0;
}
