/* SPDX-License-Identifier: MIT */
/* prosa-listen: settings, then a listener. */
#include "listener.h"
#include "options.h"

#include <prosa/sign.h>

#include <netdb.h>
#include <stdio.h>

enum { BRIDGE, FEED, ROOM, NICK, DATA, SILENCE, HIGH_WATER_MARK, HELP, COUNT };

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_SETTINGS = 2 };

#define WHY_SIZE 512
#define NAMES    "abcdefghijklmnopqrstuvwxyz0123456789_-"

static const struct option_spec table[COUNT] = {
    [BRIDGE] = {"bridge", "PROSA_BRIDGE", "HOST:PORT", "127.0.0.1:65433",
                "the bridge, for what the feed has lost; 127.0.0.1:65433 when not given"},
    [FEED] = {"feed", "PROSA_FEED", "ENDPOINT", "tcp://127.0.0.1:65434",
              "where its feed is published; tcp://127.0.0.1:65434 when not given"},
    [ROOM] = {"room", "PROSA_ROOM", "ROOM", "lobby", "the room to listen to; lobby when not given"},
    [NICK] = {"nick", "PROSA_NICK", "NICK", "listener",
              "the name under which it asks; listener when not given"},
    [DATA] = {"data", "PROSA_DATA", "FOLDER", NULL,
              "folder of its key and its server's; $XDG_DATA_HOME/prosa or\n"
              "~/.local/share/prosa when not given"},
    [SILENCE] = {"check-after", NULL, "SECONDS", "60",
                 "silence of the feed after which it asks whether that is all;\n60 when not given"},
    [HIGH_WATER_MARK] = {"high-water-mark", NULL, "NUMBER", "16384",
                         "messages of the feed that wait for it; 16384 when not given"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

static void print_help(void)
{
    puts("usage: prosa-listen [OPTION]...\n"
         "\n"
         "Listen to a room by the feed of a prosa-bridge: each message is verified, and what the feed has\n"
         "lost is asked for over the bridge. Prints JSON lines, as prosa-client --json does.\n");
    options_print(table, COUNT);
    puts("\n"
         "Exit codes: 0 ended as asked; 1 the protocol, or a room that is refused; 2 bad settings;\n"
         "4 authentication or pin failed.");
}

static bool bad(char *why, const char *what, const char *value, const char *rule)
{
    snprintf(why, WHY_SIZE, "%s \"%s\": %s", what, value, rule);
    return false;
}

static bool is_name(const char *text)
{
    const size_t size = strlen(text);
    return size >= 1 && size <= 32 && strspn(text, NAMES) == size;
}

static bool read_settings(struct listener_settings *settings, char host[static NI_MAXHOST],
                          const char *const *values, char *why)
{
    uint64_t seconds = 0;
    uint64_t waiting = 0;
    if (!address_parse(values[BRIDGE], host, NI_MAXHOST, &settings->port)) {
        return bad(why, "bridge", values[BRIDGE], "it is HOST:PORT, an IPv6 address in brackets");
    }
    if (!is_name(values[ROOM])) {
        return bad(why, "room", values[ROOM], "a name is 1 to 32 of a-z 0-9 _ -; @host is in no feed");
    }
    if (!is_name(values[NICK])) {
        return bad(why, "nick", values[NICK], "a nick is 1 to 32 of a-z 0-9 _ -");
    }
    if (!number_parse(values[SILENCE], 1, 86400, &seconds)) {
        return bad(why, "check-after", values[SILENCE], "it is a number from 1 to 86400");
    }
    if (!number_parse(values[HIGH_WATER_MARK], 1, 1000000, &waiting)) {
        return bad(why, "high-water-mark", values[HIGH_WATER_MARK], "it is a number from 1 to 1000000");
    }
    settings->host = host;
    settings->feed = values[FEED];
    settings->room = values[ROOM];
    settings->nick = values[NICK];
    settings->data = values[DATA];
    settings->silence_ms = seconds * 1000;
    settings->high_water_mark = (int)waiting;
    return true;
}

int main(int argc, char **argv)
{
    struct listener_settings settings = {0};
    const char *values[COUNT];
    char host[NI_MAXHOST];
    char why[WHY_SIZE];
    int operands = 0;
    if (!options_read(table, COUNT, argc, argv, values, &operands, why, sizeof why)) {
        fprintf(stderr, "prosa-listen: %s; --help tells more\n", why);
        return EXIT_SETTINGS;
    }
    if (values[HELP] != NULL) {
        print_help();
        return EXIT_GOOD;
    }
    if (operands < argc) {
        fprintf(stderr, "prosa-listen: there are no operands, but \"%s\"; --help tells more\n",
                argv[operands]);
        return EXIT_SETTINGS;
    }
    if (!read_settings(&settings, host, values, why)) {
        fprintf(stderr, "prosa-listen: %s; --help tells more\n", why);
        return EXIT_SETTINGS;
    }
    zsys_init();
    zsys_set_logstream(stderr);
    zsys_set_logident("prosa-listen");
    if (prosa_sign_init() != PROSA_OK) {
        fprintf(stderr, "prosa-listen: %s\n", prosa_status_text(PROSA_ERR_CRYPTO));
        return EXIT_FAILED;
    }
    const int exit = listener_run(&settings);
    zsys_shutdown();
    return exit;
}
