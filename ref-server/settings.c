/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include "timers.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NAME_ALPHABET "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define MS_A_DAY      UINT64_C(86400000)

enum {
    CONFIG,
    HOST,
    PORT,
    DATA,
    LEVEL,
    TIMERS,
    ANSWER,
    ANSWER_TIMEOUT,
    LOG_LEVEL,
    MEMORY,
    RESTORED,
    AUDIT,
    KEEP_MESSAGES,
    KEEP_DAYS,
    ROOMS,
    MAX_CLIENTS,
    VERIFIERS,
    EXEMPT,
    METRICS,
    SANDBOX,
    HELP,
    OPTION_COUNT
};

static const struct option_spec table[OPTION_COUNT] = {
    [CONFIG] = {"config", "PROSA_CONFIG", "FILE", NULL,
                "file with settings, one `name = value` a line, names as here; SIGHUP has\n"
                "the server read it again"},
    [HOST] = {"host", "PROSA_HOST", "HOST", "127.0.0.1",
              "name or address to listen on; 127.0.0.1 when not given.\n"
              "0.0.0.0 is every IPv4 address of this machine, :: is every address"},
    [PORT] = {"port", "PROSA_PORT", "PORT", "65432",
              "TCP port, 0 for one that is free; 65432 when not given"},
    [DATA] = {"data", "PROSA_DATA", "FOLDER", NULL,
              "folder of the server's key and of the log; $XDG_DATA_HOME/prosa or\n"
              "~/.local/share/prosa when not given"},
    [LEVEL] = {"level", "PROSA_LEVEL", "LEVEL", "L4",
               "behave as this level of PROSA/1 asks: L1, L2, L3 or L4; L4 when not given"},
    [TIMERS] = {"timers", "PROSA_TIMERS", "NAME=NUMBER,...", NULL,
                "timers and limits to announce and go by, for instance\n"
                "handshake_ms=600,linger_ms=300"},
    [ANSWER] = {"answer", NULL, "echo|console|COMMAND", "console",
                "who answers questions: the same text again, the operator who types\n"
                "here, or a program that /bin/sh starts for each: question on its stdin,\n"
                "answer on its stdout; console when not given"},
    [ANSWER_TIMEOUT] = {"answer-timeout", NULL, "SECONDS", "30",
                        "how long COMMAND may take; 30 when not given"},
    [LOG_LEVEL] = {"log-level", NULL, "LEVEL", "info", "debug, info, warn or error; info when not given"},
    [MEMORY] = {"memory", NULL, NULL, "no", "keep no log on the disk; clients cannot resume"},
    [RESTORED] = {"restored", NULL, NULL, "no",
                  "the log is a copy of an older one: every room begins anew.\n"
                  "For one start, after which clients know of their loss"},
    [AUDIT] = {"audit", NULL, NULL, "yes",
               "sign what the log says, so that clients can hold the server to it"},
    [KEEP_MESSAGES] = {"keep-messages", "PROSA_KEEP_MESSAGES", "NUMBER", "0",
                       "messages that are kept in a room; 0, which is the default: all"},
    [KEEP_DAYS] = {"keep-days", NULL, "DAYS", "0",
                   "age up to which messages are kept; 0, which is the default: for ever"},
    [ROOMS] = {"rooms", NULL, "ROOM,...", NULL,
               "the rooms that there are; when not given, a room is made when somebody\n"
               "joins it"},
    [MAX_CLIENTS] = {"max-clients", NULL, "NUMBER", "0",
                     "clients at once; 0, which is the default: as many as there are\n"
                     "descriptors for"},
    [VERIFIERS] = {"verifiers", NULL, "NUMBER", "0",
                   "signatures that are checked at once, each on a thread of its own, one of\n"
                   "them on the main one; 0, which is the default: one a processor"},
    [EXEMPT] = {"exempt", NULL, "ADDRESS,...", NULL,
                "addresses that may hold any number of the places for newcomers, such as\n"
                "that of a lecture hall"},
    [METRICS] = {"metrics", NULL, "HOST:PORT", NULL,
                 "answer GET /metrics there, in the text format of Prometheus; for the eyes\n"
                 "of the operator, so rather on 127.0.0.1"},
    [SANDBOX] = {"sandbox", NULL, NULL, "no",
                 "take from this process all that serving does not need: capabilities,\n"
                 "files but the data folder's, system calls. No COMMAND can answer then"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

void settings_help(void)
{
    puts("usage: prosa-server [OPTION]...\n"
         "\n"
         "Serve PROSA/1. Prints \"READY host:port\" when clients can come. At the console a line\n"
         "answers the oldest question, \"@nick text\" goes to that client, \"/help\" lists the\n"
         "commands that there are from level L2 on, \"exit\" says goodbye to all and ends; end of\n"
         "file leaves the server without an operator.\n");
    options_print(table, OPTION_COUNT);
    puts("\n"
         "Exit codes: 0 ended as asked; 1 failed; 2 bad settings; 3 cannot listen;\n"
         "89 does not have the level.");
}

/* What is read, and where its faults are told. */
struct reading {
    struct settings *settings;
    const struct option_spec *rows; /* whose fallbacks may be the file's */
    char *why;
    size_t why_size;
};

static const char *value_of(const struct reading *reading, int option)
{
    return reading->settings->values[option];
}

/* Puts the place in front of a sentence about a value that the file gave. */
static size_t tell_place(const struct reading *reading, int option)
{
    const struct options_file *file = &reading->settings->file;
    int size = 0;
    reading->why[0] = '\0';
    if (file->lines[option] != 0 && value_of(reading, option) == reading->rows[option].fallback) {
        size = snprintf(reading->why, reading->why_size, "%s line %u: ", file->path, file->lines[option]);
    }
    return (size_t)size < reading->why_size ? (size_t)size : reading->why_size - 1;
}

/* Always false. */
static bool bad(const struct reading *reading, int option, const char *rule)
{
    const size_t used = tell_place(reading, option);
    snprintf(reading->why + used, reading->why_size - used, "%s \"%s\": %s", table[option].name,
             value_of(reading, option), rule);
    return false;
}

static bool read_number(const struct reading *reading, int option, uint64_t min, uint64_t max,
                        const char *rule, uint64_t *number)
{
    return number_parse(value_of(reading, option), min, max, number) || bad(reading, option, rule);
}

static bool read_numbers(const struct reading *reading)
{
    struct settings *settings = reading->settings;
    uint64_t port, seconds, days, clients, verifiers;
    if (!read_number(reading, PORT, 0, 65535, "a port is a number from 0 to 65535", &port) ||
        !read_number(reading, ANSWER_TIMEOUT, 1, 86400, "it is 1 to 86400 seconds", &seconds) ||
        !read_number(reading, KEEP_MESSAGES, 0, 1000000000, "it is a number up to 1000000000",
                     &settings->keep_messages) ||
        !read_number(reading, KEEP_DAYS, 0, 36500, "it is 0 to 36500 days", &days) ||
        !read_number(reading, MAX_CLIENTS, 0, 1000000, "it is a number up to 1000000", &clients) ||
        !read_number(reading, VERIFIERS, 0, 64, "it is 0 to 64", &verifiers)) {
        return false;
    }
    settings->port = (uint16_t)port;
    settings->answer_timeout_ms = seconds * 1000;
    settings->keep_ms = days * MS_A_DAY;
    settings->max_clients = (size_t)clients;
    settings->verifiers = (size_t)verifiers;
    return true;
}

static bool is_room(const char *name)
{
    const size_t size = strlen(name);
    return size >= 1 && size <= 32 && strspn(name, NAME_ALPHABET) == size;
}

/* Written as the server writes it, for it is compared as text. */
static bool is_address(const char *text)
{
    const int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    struct in6_addr address;
    char again[INET6_ADDRSTRLEN];
    return inet_pton(family, text, &address) == 1 &&
           inet_ntop(family, &address, again, sizeof again) != NULL && strcmp(text, again) == 0;
}

/* Every word of a list, which may be NULL, is one that `is_good` takes. */
static bool read_list(const struct reading *reading, int option, bool (*is_good)(const char *),
                      const char *rule, const char **list)
{
    const char *at = value_of(reading, option);
    *list = at;
    while (at != NULL) {
        char word[64];
        const size_t size = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)size, at);
        if (size >= sizeof word || !is_good(word)) {
            return bad(reading, option, rule);
        }
        at = at[size] == ',' ? at + size + 1 : NULL;
    }
    return true;
}

static void read_answer(struct settings *settings, const char *answer)
{
    settings->answer_words = answer;
    settings->answer_mode = ANSWER_COMMAND;
    if (strcmp(answer, "echo") == 0) {
        settings->answer_mode = ANSWER_ECHO;
    } else if (strcmp(answer, "console") == 0) {
        settings->answer_mode = ANSWER_CONSOLE;
    }
}

static bool read_words(const struct reading *reading)
{
    struct settings *settings = reading->settings;
    settings->host = value_of(reading, HOST);
    settings->data = value_of(reading, DATA);
    read_answer(settings, value_of(reading, ANSWER));
    if (!log_level_parse(value_of(reading, LOG_LEVEL), &settings->log_level)) {
        return bad(reading, LOG_LEVEL, "it is debug, info, warn or error");
    }
    if (value_of(reading, METRICS) != NULL &&
        !address_parse(value_of(reading, METRICS), settings->metrics_host, sizeof settings->metrics_host,
                       &settings->metrics_port)) {
        return bad(reading, METRICS, "it is host:port, an IPv6 address in brackets");
    }
    return read_list(reading, ROOMS, is_room, "rooms are 1 to 32 of a-z 0-9 _ - each, with commas between",
                     &settings->rooms) &&
           read_list(reading, EXEMPT, is_address,
                     "these are numeric addresses, IPv6 ones in their shortest form, with commas between",
                     &settings->exempt);
}

static bool is_on(const struct reading *reading, int option)
{
    return strcmp(value_of(reading, option), "yes") == 0;
}

static bool read_switches(const struct reading *reading)
{
    struct settings *settings = reading->settings;
    settings->memory = is_on(reading, MEMORY);
    settings->restored = is_on(reading, RESTORED);
    settings->audit = is_on(reading, AUDIT);
    settings->sandbox = is_on(reading, SANDBOX);
    if (settings->memory && settings->restored) {
        return bad(reading, RESTORED, "with memory there is no log that could be restored");
    }
    if (settings->sandbox && settings->answer_mode == ANSWER_COMMAND) {
        return bad(reading, SANDBOX,
                   "no program can be started in it: let echo or console answer, or go without it");
    }
    return true;
}

static bool read_timers(const struct reading *reading)
{
    const char *timers = value_of(reading, TIMERS);
    reading->settings->limits = prosa_limits_default();
    if (timers == NULL) {
        return true;
    }
    const size_t used = tell_place(reading, TIMERS);
    return timers_parse(timers, &reading->settings->limits, reading->why + used, reading->why_size - used);
}

static enum settings_outcome read_level(const struct reading *reading)
{
    unsigned level;
    if (!level_parse(value_of(reading, LEVEL), &level)) {
        bad(reading, LEVEL, "a level is L1, L2, L3 or L4");
        return SETTINGS_BAD;
    }
    if (level < 1 || level > 4) {
        bad(reading, LEVEL, "this server has L1 to L4");
        return SETTINGS_NO_LEVEL;
    }
    reading->settings->level = level;
    return SETTINGS_GOOD;
}

/* Flags and environment first: they say where the file is, and end a program that lacks their level before
 * it opens one [CON-03]. */
static enum settings_outcome read_all(const struct reading *reading, struct option_spec rows[OPTION_COUNT],
                                      int argc, char *const *argv)
{
    struct settings *settings = reading->settings;
    int operands = 0;
    if (!options_read(rows, OPTION_COUNT, argc, argv, settings->values, &operands, reading->why,
                      reading->why_size)) {
        return SETTINGS_BAD;
    }
    if (settings->values[HELP] != NULL) {
        return SETTINGS_HELP;
    }
    enum settings_outcome level = read_level(reading);
    const char *path = settings->values[CONFIG];
    if (level == SETTINGS_GOOD && path != NULL) {
        if (!options_load(&settings->file, path, rows, OPTION_COUNT, reading->why, reading->why_size) ||
            !options_read(rows, OPTION_COUNT, argc, argv, settings->values, &operands, reading->why,
                          reading->why_size)) {
            return SETTINGS_BAD;
        }
        level = read_level(reading);
    }
    if (level != SETTINGS_GOOD) {
        return level;
    }
    if (operands < argc) {
        snprintf(reading->why, reading->why_size, "\"%s\": every setting is an option", argv[operands]);
        return SETTINGS_BAD;
    }
    const bool good =
        read_words(reading) && read_switches(reading) && read_timers(reading) && read_numbers(reading);
    return good ? SETTINGS_GOOD : SETTINGS_BAD;
}

enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv, char *why,
                                    size_t why_size)
{
    struct option_spec rows[OPTION_COUNT];
    struct reading reading = {.settings = settings, .rows = rows, .why_size = why_size};

    reading.why = why;
    memcpy(rows, table, sizeof rows);
    *settings = (struct settings){0};
    const enum settings_outcome outcome = read_all(&reading, rows, argc, argv);
    if (outcome != SETTINGS_GOOD) {
        settings_fini(settings);
    }
    return outcome;
}

void settings_fini(struct settings *settings)
{
    options_unload(&settings->file);
}

static bool are_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool settings_next_change(const struct settings *before, const struct settings *after, size_t *place,
                          struct settings_change *change)
{
    for (; *place < OPTION_COUNT; (*place)++) {
        const size_t i = *place;
        if (!are_equal(before->values[i], after->values[i])) {
            *change = (struct settings_change){.name = table[i].name,
                                               .before = before->values[i],
                                               .after = after->values[i],
                                               .live = i == TIMERS || i == LOG_LEVEL};
            (*place)++;
            return true;
        }
    }
    return false;
}

bool settings_list_has(const char *list, struct prosa_bytes word)
{
    while (list != NULL) {
        const size_t size = strcspn(list, ",");
        if (size == word.size && memcmp(list, word.at, size) == 0) {
            return true;
        }
        list = list[size] == ',' ? list + size + 1 : NULL;
    }
    return false;
}
