/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include "options.h"
#include "timers.h"

#include <ctype.h>
#include <stdio.h>

enum { HOST, PORT, DATA, LEVEL, TIMERS, ANSWER, ANSWER_TIMEOUT, LOG_LEVEL, HELP, OPTION_COUNT };

static const struct option_spec table[OPTION_COUNT] = {
    [HOST] = {"host", "PROSA_HOST", "HOST", "127.0.0.1",
              "name or address to listen on; 127.0.0.1 when not given.\n"
              "0.0.0.0 is every IPv4 address of this machine, :: is every address"},
    [PORT] = {"port", "PROSA_PORT", "PORT", "65432",
              "TCP port, 0 for one that is free; 65432 when not given"},
    [DATA] = {"data", "PROSA_DATA", "FOLDER", NULL,
              "folder of the server's key; $XDG_DATA_HOME/prosa or ~/.local/share/prosa\n"
              "when not given"},
    [LEVEL] = {"level", "PROSA_LEVEL", "LEVEL", "L1", "behave as this level of PROSA/1 asks: L1"},
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
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

void settings_help(void)
{
    puts("usage: prosa-server [OPTION]...\n"
         "\n"
         "Serve PROSA/1. Prints \"READY host:port\" when clients can come. At the console a line\n"
         "answers the oldest question, \"@nick text\" goes to that client, \"exit\" says goodbye\n"
         "to all and ends; end of file leaves the server without an operator.\n");
    options_print(table, OPTION_COUNT);
    puts("\n"
         "Exit codes: 0 ended as asked; 1 failed; 2 bad settings; 3 cannot listen;\n"
         "89 does not have the level.");
}

static enum settings_outcome read_level(const char *level, char *why, size_t why_size)
{
    if (strcmp(level, "L1") == 0) {
        return SETTINGS_GOOD;
    }
    if (level[0] == 'L' && isdigit((unsigned char)level[1]) && level[2] == '\0') {
        snprintf(why, why_size, "this server does not have level %s; it has L1", level);
        return SETTINGS_NO_LEVEL;
    }
    snprintf(why, why_size, "level \"%s\": a level is L1, L2, L3 or L4", level);
    return SETTINGS_BAD;
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

static bool read_numbers(struct settings *settings, const char *const *values, char *why, size_t why_size)
{
    uint64_t port, seconds;
    if (!number_parse(values[PORT], 0, 65535, &port)) {
        snprintf(why, why_size, "port \"%s\": a port is a number from 0 to 65535", values[PORT]);
        return false;
    }
    if (!number_parse(values[ANSWER_TIMEOUT], 1, 86400, &seconds)) {
        snprintf(why, why_size, "answer-timeout \"%s\": it is 1 to 86400 seconds", values[ANSWER_TIMEOUT]);
        return false;
    }
    settings->port = (uint16_t)port;
    settings->answer_timeout_ms = seconds * 1000;
    return true;
}

enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv, char *why,
                                    size_t why_size)
{
    const char *values[OPTION_COUNT];
    int operands = 0;

    if (!options_read(table, OPTION_COUNT, argc, argv, values, &operands, why, why_size)) {
        return SETTINGS_BAD;
    }
    if (values[HELP] != NULL) {
        return SETTINGS_HELP;
    }
    const enum settings_outcome level = read_level(values[LEVEL], why, why_size);
    if (level != SETTINGS_GOOD) {
        return level;
    }
    if (operands < argc) {
        snprintf(why, why_size, "\"%s\": every setting is an option", argv[operands]);
        return SETTINGS_BAD;
    }
    *settings =
        (struct settings){.host = values[HOST], .data = values[DATA], .limits = prosa_limits_default()};
    read_answer(settings, values[ANSWER]);
    if (!log_level_parse(values[LOG_LEVEL], &settings->log_level)) {
        snprintf(why, why_size, "log-level \"%s\": it is debug, info, warn or error", values[LOG_LEVEL]);
        return SETTINGS_BAD;
    }
    if (values[TIMERS] != NULL && !timers_parse(values[TIMERS], &settings->limits, why, why_size)) {
        return SETTINGS_BAD;
    }
    return read_numbers(settings, values, why, why_size) ? SETTINGS_GOOD : SETTINGS_BAD;
}
