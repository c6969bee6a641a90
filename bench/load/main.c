/* SPDX-License-Identifier: MIT */
/*
 * load: many members of a chat server in one process, one thread: see course.h for what they do. Messages
 * are made, and signed, before time begins to count. What came of it is told on stdout, in JSON.
 */
#include "clock.h"
#include "course.h"
#include "options.h"
#include "report.h"

#include <prosa/sign.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum exit_code { EXIT_GOOD, EXIT_FAILED, EXIT_SETTINGS };

enum {
    DIALECT,
    SERVER,
    ENTRANCE,
    SOURCE,
    RUN,
    READERS,
    WRITERS,
    STALLED,
    WINDOW,
    RECV_WINDOW,
    POSTS,
    BODY,
    RATE,
    OVER,
    PATIENCE,
    AT_ONCE,
    SECONDS,
    PAUSES,
    TOGETHER,
    WATCH,
    COUNTERS,
    HELP,
    OPTION_COUNT
};

static const struct option_spec table[OPTION_COUNT] = {
    [DIALECT] = {"dialect", NULL, "NAME", "prosa", "prosa, relay, redis, nats, mqtt, irc or zmtp"},
    [SERVER] = {"server", NULL, "ADDRESS:PORT", "127.0.0.1:65432", "numeric IPv4 address and port"},
    [ENTRANCE] = {"entrance", NULL, "ADDRESS:PORT", NULL, "where writers go, if that is elsewhere"},
    [SOURCE] = {"source", NULL, "LETTER", "m", "the first letter of all nicks"},
    [RUN] = {"run", NULL, "NUMBER", NULL,
             "what bodies are marked with; drawn by lot when not given.\n"
             "A replay is of the run of this number"},
    [READERS] = {"readers", NULL, "NUMBER", "1",
                 "members that are shown all messages; writers are some of them"},
    [WRITERS] = {"writers", NULL, "NUMBER", "1", "members that say something"},
    [STALLED] = {"stalled", NULL, "NUMBER", "0", "members that join and never read"},
    [WINDOW] = {"window", NULL, "NUMBER", "256", "messages of a writer that it was not shown itself yet"},
    [RECV_WINDOW] = {"recv-window", NULL, "NUMBER", "8192", "messages that a reader takes before its ACK"},
    [POSTS] = {"posts", NULL, "NUMBER", "1000", "messages of each writer"},
    [BODY] = {"body", NULL, "OCTETS", "128", "of each message"},
    [RATE] = {"rate", NULL, "NUMBER", "0", "messages of all a second; 0: as fast as the window allows"},
    [OVER] = {"over", NULL, "WINDOWS", "0", "how far a flood goes beyond its credit"},
    [PATIENCE] = {"patience", NULL, "SECONDS", "5",
                  "without a delivery, after which the rest counts as lost"},
    [AT_ONCE] = {"at-once", NULL, "NUMBER", "24", "members that arrive at a time"},
    [SECONDS] = {"seconds", NULL, "NUMBER", "0", "of a flood, at most"},
    [TOGETHER] = {"together", NULL, NULL, "no",
                  "a message counts against the window until all were shown it,\n"
                  "wherever its writer stands among them"},
    [PAUSES] = {"pauses", NULL, NULL, "no", "a line on stdin begins each step, or ends a flood"},
    [WATCH] = {"watch", NULL, "PID", "0", "the server: its time, switches and memory are told, too"},
    [COUNTERS] = {"counters", NULL, "ADDRESS:PORT", NULL, "where the server tells its own"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

static const struct {
    const char *name;
    bool (*run)(struct load *load);
} courses[] = {
    {"stream", course_stream}, {"flood", course_flood}, {"replay", course_replay}, {"arrive", course_arrive}};

struct reading {
    const char *const *values;
    char *why;
    size_t why_size;
};

const struct dialect *dialect_find(const char *name)
{
    static const struct dialect *const all[] = {&dialect_prosa, &dialect_relay, &dialect_redis, &dialect_nats,
                                                &dialect_mqtt,  &dialect_irc,   &dialect_zmtp};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}

/* Always false. */
static bool bad(const struct reading *reading, int option, const char *rule)
{
    snprintf(reading->why, reading->why_size, "%s \"%s\": it is %s", table[option].name,
             reading->values[option], rule);
    return false;
}

static bool read_address(const struct reading *reading, int option, struct sockaddr_in *address)
{
    char host[64];
    uint16_t port;
    if (!address_parse(reading->values[option], host, sizeof host, &port) ||
        inet_pton(AF_INET, host, &address->sin_addr) != 1) {
        return bad(reading, option, "a numeric IPv4 address, a colon, and a port");
    }
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    return true;
}

static bool read_number(const struct reading *reading, int option, uint32_t min, uint32_t max,
                        uint32_t *number)
{
    uint64_t value;
    if (!number_parse(reading->values[option], min, max, &value)) {
        char rule[64];
        snprintf(rule, sizeof rule, "a number from %u to %u", (unsigned)min, (unsigned)max);
        return bad(reading, option, rule);
    }
    *number = (uint32_t)value;
    return true;
}

static bool read_numbers(const struct reading *reading, struct plan *plan)
{
    uint32_t watched = 0;
    const struct {
        int option;
        uint32_t min, max, *number;
    } rows[] = {
        {READERS, 1, 60000, &plan->readers},
        {WRITERS, 0, 60000, &plan->writers},
        {STALLED, 0, 100, &plan->stalled},
        {WINDOW, 1, 65535, &plan->window},
        {RECV_WINDOW, 2, 65535, &plan->recv_window},
        {POSTS, 1, 10000000, &plan->posts},
        {BODY, BODY_MIN, BODY_MAX, &plan->body_size},
        {RATE, 0, 1000000, &plan->rate},
        {OVER, 0, 100000, &plan->over},
        {PATIENCE, 1, 600, &plan->patience_s},
        {AT_ONCE, 1, 4096, &plan->at_once},
        {SECONDS, 0, 3600, &plan->seconds},
        {WATCH, 0, INT32_MAX, &watched},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!read_number(reading, rows[i].option, rows[i].min, rows[i].max, rows[i].number)) {
            return false;
        }
    }
    plan->watched.pid = (pid_t)watched;
    return true;
}

/* What does not go together. */
static bool check_plan(const struct reading *reading, const struct plan *plan, const char *course)
{
    if (plan->writers > plan->readers && !plan->replays) {
        return bad(reading, WRITERS, "at most the number of readers");
    }
    if ((strcmp(course, "flood") == 0) != (plan->seconds > 0)) {
        return bad(reading, SECONDS, "above 0 for a flood, and 0 for anything else");
    }
    return true;
}

static bool read_all(const struct reading *reading, struct plan *plan, const char *course)
{
    plan->dialect = dialect_find(reading->values[DIALECT]);
    if (plan->dialect == NULL) {
        return bad(reading, DIALECT, table[DIALECT].text);
    }
    if (!read_address(reading, SERVER, &plan->server) || !read_numbers(reading, plan)) {
        return false;
    }
    plan->entrance = plan->server;
    if (reading->values[ENTRANCE] != NULL && !read_address(reading, ENTRANCE, &plan->entrance)) {
        return false;
    }
    if (reading->values[COUNTERS] != NULL && !read_address(reading, COUNTERS, &plan->watched.counters)) {
        return false;
    }
    if (reading->values[RUN] == NULL) {
        entropy_fill(&plan->run, sizeof plan->run);
        plan->run %= 0xFFFFFF; /* the highest is that of probes */
    } else if (!read_number(reading, RUN, 0, 0xFFFFFE, &plan->run)) {
        return false;
    }
    plan->target = prosa_bytes_of_string(reading->values[SERVER]);
    plan->source = reading->values[SOURCE];
    plan->replays = strcmp(course, "replay") == 0;
    plan->pauses = strcmp(reading->values[PAUSES], "yes") == 0;
    plan->together = strcmp(reading->values[TOGETHER], "yes") == 0;
    if (strlen(plan->source) != 1 || *plan->source < 'a' || *plan->source > 'z') {
        return bad(reading, SOURCE, "one letter from a to z");
    }
    return check_plan(reading, plan, course);
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

static int run(const struct plan *plan, const char *course)
{
    struct load load;
    bool is_good = load_init(&load, plan);
    for (size_t i = 0; is_good && i < sizeof courses / sizeof courses[0]; i++) {
        if (strcmp(courses[i].name, course) == 0) {
            is_good = courses[i].run(&load);
        }
    }
    if (!is_good) {
        report_failed(load.why);
    }
    load_fini(&load);
    return is_good ? EXIT_GOOD : EXIT_FAILED;
}

static bool is_course(const char *name)
{
    for (size_t i = 0; i < sizeof courses / sizeof courses[0]; i++) {
        if (strcmp(courses[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct plan plan = {0};
    const char *values[OPTION_COUNT];
    char why[256] = "";
    int operands = argc;
    const struct reading reading = {values, why, sizeof why};

    const bool is_read = options_read(table, OPTION_COUNT, argc, argv, values, &operands, why, sizeof why);
    if (is_read && values[HELP] != NULL) {
        puts("usage: load [OPTION]... stream|flood|replay|arrive\n");
        options_print(table, OPTION_COUNT);
        return EXIT_GOOD;
    }
    if (is_read && (operands + 1 != argc || !is_course(argv[operands]))) {
        snprintf(why, sizeof why, "after the options comes one of stream, flood, replay and arrive");
    } else if (is_read && read_all(&reading, &plan, argv[operands])) {
        if (prosa_sign_init() == PROSA_OK) {
            raise_descriptors();
            return run(&plan, argv[operands]);
        }
        snprintf(why, sizeof why, "libsodium does not do what it should");
    }
    fprintf(stderr, "load: %s\n", why);
    return EXIT_SETTINGS;
}
