/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_ALPHABET "abcdefghijklmnopqrstuvwxyz0123456789_-"

enum { HOST, PORT, NICK, ROOM, HISTORY, DATA, LEVEL, SCREEN, JSON, HELP, OPTION_COUNT };

static const struct option_spec table[OPTION_COUNT] = {
    [HOST] = {"host", "PROSA_HOST", "HOST", "127.0.0.1",
              "name or address of the server; 127.0.0.1 when not given"},
    [PORT] = {"port", "PROSA_PORT", "PORT", "65432", "its TCP port; 65432 when nobody says otherwise"},
    [NICK] = {"nick", "PROSA_NICK", "NICK", NULL,
              "your name, 1 to 32 of a-z 0-9 _ -; made from $USER when it is not given"},
    [ROOM] = {"room", "PROSA_ROOM", "ROOM", "@host",
              "room to join; @host, the conversation with the server's operator, when not given"},
    [HISTORY] = {"history", NULL, "NUMBER", "0",
                 "messages from before that are shown at the first visit of a room, or \"all\"; 0 when\n"
                 "it is not given. Later visits show what was said since"},
    [DATA] = {"data", "PROSA_DATA", "FOLDER", NULL,
              "folder of your key, the servers' keys, and what was not sent yet;\n"
              "$XDG_DATA_HOME/prosa or ~/.local/share/prosa when it is not given"},
    [LEVEL] = {"level", "PROSA_LEVEL", "LEVEL", "L4",
               "behave as this level of PROSA/1 asks: L1, L2, L3 or L4; L4 when it is not given"},
    [SCREEN] = {"screen", NULL, NULL, NULL, "the whole terminal, with what was said to page back in"},
    [JSON] = {"json", NULL, NULL, NULL, "events on stdout as JSON, one a line; all else on stderr"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

void settings_help(void)
{
    puts("usage: prosa-client [OPTION]... [HOST[:PORT]]\n"
         "\n"
         "Talk over PROSA/1 with whoever serves at HOST. Each line that you type is a message;\n"
         "\"exit\" says goodbye, end of file sends what is pending and then says goodbye.\n"
         "From level L2 on a line that begins with / is a command: /help lists them.\n");
    options_print(table, OPTION_COUNT);
    puts("\n"
         "Exit codes: 0 good end; 1 protocol error; 2 bad settings; 3 could not connect;\n"
         "4 authentication or pin failed; 5 the server vanished; 6 the server went away;\n"
         "89 does not have the level.");
}

static bool bad(char *why, size_t why_size, const char *what, const char *value, const char *rule)
{
    snprintf(why, why_size, "%s \"%s\": %s", what, value, rule);
    return false;
}

/* "name", "name:port", "[v6]", "[v6]:port" or a bare IPv6 address; *port is NULL when there is none. */
static bool host_split(char *text, const char **host, const char **port)
{
    char *colon = strrchr(text, ':');
    *host = text;
    *port = NULL;
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return false;
        }
        *port = end[1] == ':' ? end + 2 : NULL;
        *host = text + 1;
        *end = '\0';
    } else if (colon != NULL && strchr(text, ':') == colon) {
        *port = colon + 1;
        *colon = '\0';
    }
    return true;
}

static bool read_target(struct settings *settings, const char *operand, const char *const *values, char *why,
                        size_t why_size)
{
    const char *const typed = operand != NULL ? operand : values[HOST];
    const char *host = NULL;
    const char *port = NULL;
    char text[NET_TARGET_SIZE];
    uint64_t number = 0;

    if (strlen(typed) >= sizeof text) {
        return bad(why, why_size, "host", typed, "it is too long");
    }
    memcpy(text, typed, strlen(typed) + 1);
    if (!host_split(text, &host, &port)) {
        return bad(why, why_size, "host", typed, "a bracket is not closed, or something follows it");
    }
    port = port != NULL ? port : values[PORT];
    if (!number_parse(port, 1, 65535, &number)) {
        return bad(why, why_size, "port", port, "a port is a number from 1 to 65535");
    }
    memcpy(settings->host, host, strlen(host) + 1);
    settings->port = (uint16_t)number;
    return net_target_format(host, settings->port, settings->target, why, why_size);
}

static bool is_name(const char *text)
{
    const size_t size = strlen(text);
    return size >= 1 && size < SETTINGS_NICK_SIZE && strspn(text, NAME_ALPHABET) == size;
}

bool settings_is_room(const char *name)
{
    return is_name(name[0] == '@' ? name + 1 : name);
}

/* A legal nick for whoever is logged in. */
static void nick_from_user(char out[static SETTINGS_NICK_SIZE])
{
    const char *user = getenv("USER");
    size_t size = 0;
    for (; user != NULL && user[size] != '\0' && size < SETTINGS_NICK_SIZE - 1; size++) {
        const char c = (char)tolower((unsigned char)user[size]);
        out[size] = '-';
        if (strchr(NAME_ALPHABET, c) != NULL) {
            out[size] = c;
        }
    }
    out[size] = '\0';
    if (size == 0) {
        memcpy(out, "guest", sizeof "guest");
    }
}

static bool read_names(struct settings *settings, const char *const *values, char *why, size_t why_size)
{
    const char *room = values[ROOM];
    const char *nick = values[NICK];
    if (nick != NULL && !is_name(nick)) {
        return bad(why, why_size, "nick", nick, "a nick is 1 to 32 of a-z 0-9 _ -");
    }
    if (nick != NULL) {
        memcpy(settings->nick, nick, strlen(nick) + 1);
    } else {
        nick_from_user(settings->nick);
    }
    if (!settings_is_room(room)) {
        return bad(why, why_size, "room", room, SETTINGS_ROOM_RULE);
    }
    memcpy(settings->room, room, strlen(room) + 1);
    return true;
}

static enum settings_outcome read_level(struct settings *settings, const char *level, char *why,
                                        size_t why_size)
{
    if (!level_parse(level, &settings->level)) {
        snprintf(why, why_size, "level \"%s\": a level is L1, L2, L3 or L4", level);
        return SETTINGS_BAD;
    }
    if (settings->level < 1 || settings->level > 4) {
        snprintf(why, why_size, "this client does not have level %s; it has L1 to L4", level);
        return SETTINGS_NO_LEVEL;
    }
    return SETTINGS_GOOD;
}

static bool read_history(struct settings *settings, const char *history, char *why, size_t why_size)
{
    if (strcmp(history, "all") == 0) {
        settings->history = HISTORY_ALL;
        return true;
    }
    return number_parse(history, 0, INT64_MAX, &settings->history) ||
           bad(why, why_size, "history", history, "it is a number of messages, or \"all\"");
}

enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv, char *why,
                                    size_t why_size)
{
    const char *values[OPTION_COUNT];
    int operands = 0;

    memset(settings, 0, sizeof *settings);
    if (!options_read(table, OPTION_COUNT, argc, argv, values, &operands, why, why_size)) {
        return SETTINGS_BAD;
    }
    if (values[HELP] != NULL) {
        return SETTINGS_HELP;
    }
    const enum settings_outcome level = read_level(settings, values[LEVEL], why, why_size);
    if (level != SETTINGS_GOOD) {
        return level;
    }
    if (argc - operands > 1) {
        snprintf(why, why_size, "one HOST[:PORT] is enough, and options stand in front of it: \"%s\"",
                 argv[operands + 1]);
        return SETTINGS_BAD;
    }
    if (values[SCREEN] != NULL && values[JSON] != NULL) {
        snprintf(why, why_size, "--screen is for a person and --json for a program: choose one");
        return SETTINGS_BAD;
    }
    settings->is_screen = values[SCREEN] != NULL;
    settings->is_json = values[JSON] != NULL;
    settings->data = values[DATA];
    const bool good = read_target(settings, operands < argc ? argv[operands] : NULL, values, why, why_size) &&
                      read_names(settings, values, why, why_size) &&
                      read_history(settings, values[HISTORY], why, why_size);
    return good ? SETTINGS_GOOD : SETTINGS_BAD;
}
