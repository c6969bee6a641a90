/* SPDX-License-Identifier: MIT */
/*
 * crowd: thousands of members of PROSA/1 in one process, told by lines on stdin what to do, telling on
 * stdout in JSON what came of it. One line is done at a time, by all that it names at once:
 *
 *   connect COUNT                                        COUNT more members, each with a key of its own
 *   join ROOM FIRST COUNT                                members FIRST, FIRST + 1, ... join the room
 *   say ROOM FIRST COUNT TIMES BURST EVERY_MS OCTETS     each says TIMES messages of OCTETS, BURST of them
 *                                                        every EVERY_MS (0: all, as credit allows), and has
 *                                                        seen them come back
 *   see ROOM FIRST COUNT SEQ                             they have been shown room_seq SEQ
 *   ping FIRST COUNT                                     they have the PONG to a PING
 *   bye                                                  all say BYE NORMAL: the end, as is the end of stdin
 *
 * It refuses to go on when a member is lost, or with --returns when one has lost anything but its connection:
 * the line says which and why, and the exit code is 1.
 */
#include "clock.h"
#include "guest.h"
#include "lines.h"
#include "options.h"
#include "print.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { COMMANDS_SOURCE = GUEST_SOURCE + 1 };

#define NUMBERS_MAX 6
#define CROWD_MAX   60000u

enum exit_code { EXIT_GOOD, EXIT_LOST, EXIT_SETTINGS };

enum { SERVER, NICK, SEED, WINDOW, RECV_WINDOW, SOURCES, HANDSHAKES, EVENTS, RETURNS, HELP, OPTION_COUNT };

static const struct option_spec table[OPTION_COUNT] = {
    [SERVER] = {"server", NULL, "ADDRESS:PORT", "127.0.0.1:65432",
                "numeric IPv4 address and port of the server"},
    [NICK] = {"nick", NULL, "NAME", "guest", "members are NAME-0, NAME-1, ...; 20 characters at most"},
    [SEED] = {"seed", NULL, "TEXT", "crowd", "their keys are made of this text and their nicks"},
    [WINDOW] = {"window", NULL, "NUMBER", "64", "PUBLISHes in flight that a member asks for"},
    [RECV_WINDOW] = {"recv-window", NULL, "NUMBER", "64", "DELIVERs that a member takes before its ACK"},
    [SOURCES] = {"sources", NULL, "NUMBER", "0", "so many addresses 127.0.x.y to come from; 0: one"},
    [HANDSHAKES] = {"handshakes", NULL, "NUMBER", "24", "at once, at most"},
    [EVENTS] = {"events", NULL, "FILE", NULL,
                "gets a line for all that is said, joined, shown and acknowledged"},
    [RETURNS] = {"returns", NULL, NULL, "no",
                 "members whose connection is lost come back to the room that they joined last"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

struct crowd {
    struct party party;
    const char *nick, *seed;
    uint64_t handshakes;
    struct guest *guests[CROWD_MAX];
    size_t count, arrived; /* made; told to arrive */
    struct lines lines;
    struct loop_source commands;
    char command[LINES_MAX + 1]; /* that is being done; empty: none is */
    size_t members;              /* that it names */
    uint64_t began_ns;
    bool is_leaving, is_over;
};

/* --- commands --- */

struct order {
    char room[GUEST_ROOM_SIZE];
    uint64_t numbers[NUMBERS_MAX];
};

static bool add_guest(struct crowd *crowd)
{
    const uint32_t number = (uint32_t)crowd->count;
    uint8_t seed[PROSA_HASH_SIZE];
    char nick[GUEST_NICK_SIZE];
    struct prosa_sha256 hash;
    struct guest *guest = crowd->count < CROWD_MAX ? malloc(sizeof *guest) : NULL;
    if (guest == NULL) {
        return false;
    }
    snprintf(nick, sizeof nick, "%.20s-%u", crowd->nick, (unsigned)number);
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(crowd->seed, strlen(crowd->seed) + 1));
    prosa_sha256_add(&hash, prosa_bytes_of_string(nick));
    prosa_sha256_final(&hash, seed);
    guest_init(guest, &crowd->party, number, nick, seed);
    crowd->guests[crowd->count++] = guest;
    return true;
}

static void do_connect(struct crowd *crowd, const struct order *order)
{
    crowd->members = (size_t)order->numbers[0];
    for (size_t i = 0; i < crowd->members; i++) {
        if (!add_guest(crowd)) {
            print_refused(crowd->command, "so many members have no place here");
            crowd->party.has_failed = true;
            return;
        }
    }
}

/* The members that an order names, its last two numbers before the others; NULL: there are not so many. */
static struct guest **named(struct crowd *crowd, uint64_t first, uint64_t count)
{
    crowd->members = (size_t)count;
    if (first > crowd->count || count > crowd->count - first) {
        print_refused(crowd->command, "there are not so many members");
        crowd->party.has_failed = true;
        crowd->members = 0;
    }
    return crowd->guests + (crowd->members > 0 ? first : 0);
}

static void do_join(struct crowd *crowd, const struct order *order)
{
    struct guest **guests = named(crowd, order->numbers[0], order->numbers[1]);
    for (size_t i = 0; i < crowd->members; i++) {
        guest_join(guests[i], order->room);
    }
}

static void do_say(struct crowd *crowd, const struct order *order)
{
    struct guest **guests = named(crowd, order->numbers[0], order->numbers[1]);
    const struct speech speech = {.left = (uint32_t)order->numbers[2],
                                  .every_ms = (uint32_t)order->numbers[4],
                                  .burst = (uint32_t)(order->numbers[4] > 0 ? order->numbers[3] : UINT32_MAX),
                                  .size = (uint32_t)order->numbers[5]};
    if (speech.size > GUEST_TEXT_MAX || speech.burst == 0) {
        print_refused(crowd->command, "a message has at most 4096 octets, a burst at least one message");
        crowd->party.has_failed = true;
        return;
    }
    for (size_t i = 0; i < crowd->members; i++) {
        guest_say(guests[i], order->room, &speech);
    }
}

static void do_see(struct crowd *crowd, const struct order *order)
{
    struct guest **guests = named(crowd, order->numbers[0], order->numbers[1]);
    for (size_t i = 0; i < crowd->members; i++) {
        guest_see(guests[i], order->room, order->numbers[2]);
    }
}

static void do_ping(struct crowd *crowd, const struct order *order)
{
    struct guest **guests = named(crowd, order->numbers[0], order->numbers[1]);
    for (size_t i = 0; i < crowd->members; i++) {
        guest_ping(guests[i]);
    }
}

static void do_bye(struct crowd *crowd, const struct order *order)
{
    (void)order;
    crowd->is_leaving = true;
    crowd->members = crowd->count;
    for (size_t i = 0; i < crowd->count; i++) {
        guest_leave(crowd->guests[i]);
    }
}

static const struct {
    const char *name;
    bool has_room;
    size_t numbers;
    void (*run)(struct crowd *crowd, const struct order *order);
} commands[] = {
    {"connect", false, 1, do_connect}, {"join", true, 2, do_join},  {"say", true, 6, do_say},
    {"see", true, 3, do_see},          {"ping", false, 2, do_ping}, {"bye", false, 0, do_bye},
};

static bool parse(char *words, bool has_room, size_t numbers, struct order *order)
{
    char *rest = words;
    (void)strsep(&rest, " "); /* its name */
    if (has_room) {
        const char *room = strsep(&rest, " ");
        snprintf(order->room, sizeof order->room, "%s", room != NULL ? room : "");
    }
    for (size_t i = 0; i < numbers; i++) {
        const char *word = strsep(&rest, " ");
        if (word == NULL || !number_parse(word, 0, UINT32_MAX, &order->numbers[i])) {
            return false;
        }
    }
    return rest == NULL;
}

static void run(struct crowd *crowd, struct prosa_bytes line)
{
    char words[LINES_MAX + 1];
    struct order order = {0};
    snprintf(crowd->command, sizeof crowd->command, "%.*s", (int)line.size, (const char *)line.at);
    memcpy(words, crowd->command, sizeof words);
    crowd->began_ns = clock_now_ns();
    crowd->members = 0;
    tally_clear(&crowd->party.tally);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const size_t size = strlen(commands[i].name);
        if (strncmp(words, commands[i].name, size) == 0 && (words[size] == ' ' || words[size] == '\0') &&
            parse(words, commands[i].has_room, commands[i].numbers, &order)) {
            commands[i].run(crowd, &order);
            return;
        }
    }
    print_refused(crowd->command, "there is no such command, or it has other words");
    crowd->party.has_failed = true;
}

/* --- the turn --- */

/* A server has few places for strangers [LIM-04], and fewer for those of one address [LIM-05]. */
static void admit(struct crowd *crowd)
{
    while (crowd->arrived < crowd->count && crowd->party.arriving < crowd->handshakes &&
           !crowd->party.has_failed) {
        guest_arrive(crowd->guests[crowd->arrived++]);
    }
}

static bool is_busy(const struct crowd *crowd)
{
    return crowd->party.owed > 0 || crowd->arrived < crowd->count;
}

/* Reports what is done, and begins what is next. */
static void go_on(struct crowd *crowd)
{
    struct prosa_bytes line;
    admit(crowd);
    while (!is_busy(crowd) && !crowd->party.has_failed) {
        if (crowd->command[0] != '\0') {
            const struct tally_summary each = tally_sum(&crowd->party.tally);
            if (crowd->party.events != NULL) {
                fflush(crowd->party.events); /* whoever reads that it is done can read how */
            }
            print_done(crowd->command, crowd->members, clock_now_ns() - crowd->began_ns, &each);
            crowd->command[0] = '\0';
        }
        crowd->is_over = crowd->is_leaving;
        if (crowd->is_over) {
            return;
        }
        if (lines_next(&crowd->lines, &line) == LINES_LINE) {
            run(crowd, line);
        } else if (crowd->lines.has_ended) {
            run(crowd, prosa_bytes_of_string("bye"));
        } else {
            return;
        }
        admit(crowd);
    }
}

static void read_commands(struct crowd *crowd)
{
    size_t cap;
    uint8_t *at = lines_space(&crowd->lines, &cap);
    const ssize_t n = cap > 0 ? read(STDIN_FILENO, at, cap) : -1;
    if (n >= 0) {
        lines_commit(&crowd->lines, (size_t)n);
    }
    if (n == 0) {
        loop_remove(&crowd->party.loop, &crowd->commands);
    }
}

static void wake(struct crowd *crowd, const struct loop_event *event)
{
    if (event->source == NULL) {
        return; /* gone since */
    }
    if (event->source->kind == COMMANDS_SOURCE) {
        read_commands(crowd);
    } else {
        guest_wake(event->source->owner, event->ready);
    }
}

/* Until all is done, a member is lost, or there is nothing to wait with. */
static void live(struct crowd *crowd)
{
    struct loop *loop = &crowd->party.loop;
    struct loop_event event;
    int problem = 0;
    go_on(crowd);
    while (problem == 0 && !crowd->party.has_failed && !crowd->is_over) {
        fflush(stdout);
        problem = loop_wait(loop, false);
        while (problem == 0 && !crowd->party.has_failed && loop_next(loop, &event)) {
            wake(crowd, &event);
        }
        go_on(crowd);
    }
    crowd->party.has_failed = crowd->party.has_failed || problem != 0;
}

/* --- settings --- */

static bool set_server(struct party *party, const char *text, char *why, size_t why_size)
{
    char host[64];
    uint16_t port;
    if (!address_parse(text, host, sizeof host, &port) ||
        inet_pton(AF_INET, host, &party->server.sin_addr) != 1) {
        snprintf(why, why_size, "server \"%s\": it is a numeric IPv4 address, a colon, and a port", text);
        return false;
    }
    party->server.sin_family = AF_INET;
    party->server.sin_port = htons(port);
    party->target = prosa_bytes_of_string(text);
    return true;
}

static bool set_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *number,
                       char *why, size_t why_size)
{
    if (!number_parse(text, min, max, number)) {
        snprintf(why, why_size, "%s \"%s\": it is a number from %u to %u", name, text, (unsigned)min,
                 (unsigned)max);
        return false;
    }
    return true;
}

static bool set_all(struct crowd *crowd, const char *const *values, char *why, size_t why_size)
{
    uint64_t window, recv_window, sources;
    if (!set_server(&crowd->party, values[SERVER], why, why_size) ||
        !set_number("window", values[WINDOW], 1, 65535, &window, why, why_size) ||
        !set_number("recv-window", values[RECV_WINDOW], PROSA_MIN_RECV_WINDOW, 65535, &recv_window, why,
                    why_size) ||
        !set_number("sources", values[SOURCES], 0, 60000, &sources, why, why_size) ||
        !set_number("handshakes", values[HANDSHAKES], 1, 64, &crowd->handshakes, why, why_size)) {
        return false;
    }
    crowd->nick = values[NICK];
    crowd->seed = values[SEED];
    crowd->party.send_window = (uint32_t)window;
    crowd->party.recv_window = (uint32_t)recv_window;
    crowd->party.sources = (uint32_t)sources;
    crowd->party.returns = strcmp(values[RETURNS], "yes") == 0;
    if (values[EVENTS] != NULL) {
        crowd->party.events = fopen(values[EVENTS], "we");
        if (crowd->party.events == NULL) {
            snprintf(why, why_size, "events %s: %s", values[EVENTS], strerror(errno));
            return false;
        }
    }
    return true;
}

/* As many descriptors as this process may have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void end(struct crowd *crowd)
{
    fflush(stdout);
    if (crowd->party.events != NULL) {
        fclose(crowd->party.events);
    }
    for (size_t i = 0; i < crowd->count; i++) {
        guest_fini(crowd->guests[i]);
        free(crowd->guests[i]);
    }
    shown_fini(&crowd->party.shown);
    tally_fini(&crowd->party.tally);
    loop_fini(&crowd->party.loop);
}

int main(int argc, char **argv)
{
    static struct crowd crowd;
    const char *values[OPTION_COUNT];
    char why[256];
    int operands = argc;

    if (!options_read(table, OPTION_COUNT, argc, argv, values, &operands, why, sizeof why) ||
        (values[HELP] == NULL && !set_all(&crowd, values, why, sizeof why))) {
        fprintf(stderr, "crowd: %s\n", why);
        return EXIT_SETTINGS;
    }
    if (values[HELP] != NULL) {
        options_print(table, OPTION_COUNT);
        return EXIT_GOOD;
    }
    if (operands < argc || prosa_sign_init() != PROSA_OK) {
        fprintf(stderr, "crowd: every setting is an option; the commands come on stdin\n");
        return EXIT_SETTINGS;
    }
    raise_descriptors();
    lines_init(&crowd.lines);
    crowd.commands = (struct loop_source){.kind = COMMANDS_SOURCE, .fd = -1};
    int problem = loop_init(&crowd.party.loop);
    if (problem == 0) {
        problem = loop_add(&crowd.party.loop, &crowd.commands, STDIN_FILENO, LOOP_READ);
    }
    if (problem != 0) {
        fprintf(stderr, "crowd: it cannot wait for its stdin, which should be a pipe: %s\n",
                strerror(-problem));
        return EXIT_SETTINGS;
    }
    live(&crowd);
    end(&crowd);
    return crowd.party.has_failed ? EXIT_LOST : EXIT_GOOD;
}
