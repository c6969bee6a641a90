/* SPDX-License-Identifier: MIT */
/* prosa-bridge: settings, then a loop with a relay and perhaps a feed. */
#include "feed.h"
#include "options.h"
#include "probe.h"
#include "relay.h"

#include <prosa/sign.h>

#include <netdb.h>
#include <stdio.h>

enum {
    HOST,
    PORT,
    SERVER,
    MAX_CLIENTS,
    HIGH_WATER_MARK,
    FEED,
    FEED_ROOMS,
    FEED_NICK,
    DATA,
    CURVE,
    CURVE_CLIENTS,
    PROBE,
    HELP,
    COUNT
};

enum exit_code { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_SETTINGS = 2, EXIT_LISTEN = 3 };

#define WHY_SIZE      512
#define ENDPOINT_SIZE (NI_MAXHOST + 32)
#define NAMES         "abcdefghijklmnopqrstuvwxyz0123456789_-"

static const struct option_spec table[COUNT] = {
    [HOST] = {"host", "PROSA_HOST", "HOST", "127.0.0.1",
              "address to listen on for ZeroMQ clients; 127.0.0.1 when not given, * for all"},
    [PORT] = {"port", "PROSA_PORT", "PORT", "65433", "its port; 65433 when not given, 0 chooses one"},
    [SERVER] = {"server", "PROSA_SERVER", "HOST:PORT", "127.0.0.1:65432",
                "the server, over TCP; 127.0.0.1:65432 when not given"},
    [MAX_CLIENTS] = {"max-clients", NULL, "NUMBER", "500", "clients at once; 500 when not given"},
    [HIGH_WATER_MARK] = {"high-water-mark", NULL, "NUMBER", "16384",
                         "messages of one client that wait for the bridge, or of the feed for one\n"
                         "subscriber; 16384 when not given, far above what credit allows"},
    [FEED] = {"feed", "PROSA_FEED", "ENDPOINT", NULL,
              "publish what is said in rooms at this endpoint, such as tcp://127.0.0.1:65434"},
    [FEED_ROOMS] = {"feed-rooms", "PROSA_FEED_ROOMS", "ROOM,...", NULL, "the rooms of the feed"},
    [FEED_NICK] = {"feed-nick", NULL, "NICK", "feed", "the feed's name in them; feed when not given"},
    [DATA] = {"data", "PROSA_DATA", "FOLDER", NULL,
              "folder of the feed's key and its server's; $XDG_DATA_HOME/prosa or\n"
              "~/.local/share/prosa when not given"},
    [CURVE] = {"curve", NULL, "FILE", NULL, "encrypt with this certificate, as zmakecert makes it"},
    [CURVE_CLIENTS] = {"curve-clients", NULL, "FOLDER", NULL,
                       "let in only those whose public certificates are there; anybody when not given"},
    [PROBE] = {"probe", NULL, "HOST:PORT", NULL,
               "ask the server who it is, through the bridge at this place, and end as prosa-probe does"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

struct settings {
    struct relay_settings relay;
    struct feed_settings feed; /* endpoint NULL: there is none */
    const char *curve, *curve_clients;
    char server[NI_MAXHOST];
    char endpoint[ENDPOINT_SIZE];
};

static void print_help(void)
{
    puts("usage: prosa-bridge [OPTION]...\n"
         "\n"
         "Let ZeroMQ clients (DEALER) talk to a PROSA/1 server. Frames pass unchanged.\n");
    options_print(table, COUNT);
    puts("\n"
         "Exit codes: 0 ended as asked; 1 failed; 2 bad settings; 3 cannot listen.");
}

static bool bad(char *why, const char *what, const char *value, const char *rule)
{
    snprintf(why, WHY_SIZE, "%s \"%s\": %s", what, value, rule);
    return false;
}

static bool read_feed(struct settings *settings, const char *const *values, char *why)
{
    const char *rooms = values[FEED_ROOMS];
    if ((values[FEED] == NULL) != (rooms == NULL)) {
        snprintf(why, WHY_SIZE, "--feed and --feed-rooms go together");
        return false;
    }
    if (rooms != NULL && (strspn(rooms, NAMES ",") != strlen(rooms) || rooms[0] == '\0')) {
        return bad(why, "feed-rooms", rooms, "names of a-z 0-9 _ - with commas between; @host is private");
    }
    if (strspn(values[FEED_NICK], NAMES) != strlen(values[FEED_NICK]) || strlen(values[FEED_NICK]) > 32) {
        return bad(why, "feed-nick", values[FEED_NICK], "a nick is 1 to 32 of a-z 0-9 _ -");
    }
    settings->feed = (struct feed_settings){.endpoint = values[FEED],
                                            .host = settings->server,
                                            .port = settings->relay.port,
                                            .high_water_mark = settings->relay.high_water_mark,
                                            .rooms = rooms,
                                            .nick = values[FEED_NICK],
                                            .data = values[DATA]};
    return true;
}

static bool read_settings(struct settings *settings, const char *const *values, char *why)
{
    uint64_t port = 0;
    uint64_t clients = 0;
    uint64_t waiting = 0;
    if (!number_parse(values[PORT], 0, 65535, &port)) {
        return bad(why, "port", values[PORT], "a port is a number from 0 to 65535");
    }
    if (!address_parse(values[SERVER], settings->server, sizeof settings->server, &settings->relay.port)) {
        return bad(why, "server", values[SERVER], "it is HOST:PORT, an IPv6 address in brackets");
    }
    if (!number_parse(values[MAX_CLIENTS], 1, 100000, &clients)) {
        return bad(why, "max-clients", values[MAX_CLIENTS], "it is a number from 1 to 100000");
    }
    if (!number_parse(values[HIGH_WATER_MARK], 1, 1000000, &waiting)) {
        return bad(why, "high-water-mark", values[HIGH_WATER_MARK], "it is a number from 1 to 1000000");
    }
    const bool is_ipv6 = strchr(values[HOST], ':') != NULL;
    const int size =
        snprintf(settings->endpoint, sizeof settings->endpoint, is_ipv6 ? "tcp://[%s]:%s" : "tcp://%s:%s",
                 values[HOST], port == 0 ? "*" : values[PORT]);
    if (size < 0 || (size_t)size >= sizeof settings->endpoint) {
        return bad(why, "host", values[HOST], "it is too long");
    }
    settings->relay.endpoint = settings->endpoint;
    settings->relay.host = settings->server;
    settings->relay.max_clients = (size_t)clients;
    settings->relay.high_water_mark = (int)waiting;
    settings->curve = values[CURVE];
    settings->curve_clients = values[CURVE_CLIENTS];
    return read_feed(settings, values, why);
}

/* READY and the endpoint, as a server announces itself [CON-05]. */
static void announce(const struct relay *relay)
{
    const char *endpoint = zsock_endpoint(relay->router);
    printf("READY %s\n", endpoint + strlen("tcp://"));
    fflush(stdout);
}

static enum exit_code serve(const struct settings *settings)
{
    struct relay relay;
    struct feed *feed = NULL;
    char why[WHY_SIZE];
    zloop_t *loop = zloop_new();
    if (loop == NULL || !relay_init(&relay, &settings->relay, loop, why, sizeof why)) {
        fprintf(stderr, "prosa-bridge: %s\n", loop != NULL ? why : "there is no memory");
        zloop_destroy(&loop);
        return EXIT_LISTEN;
    }
    if (settings->feed.endpoint != NULL) {
        feed = feed_new(&settings->feed, loop, why, sizeof why);
    }
    const bool is_good = settings->feed.endpoint == NULL || feed != NULL;
    if (is_good) {
        announce(&relay);
        zloop_start(loop);
    } else {
        fprintf(stderr, "prosa-bridge: %s\n", why);
    }
    feed_free(feed);
    relay_fini(&relay);
    zloop_destroy(&loop);
    return is_good ? EXIT_GOOD : EXIT_LISTEN;
}

/* CURVE: who may come in is asked of an actor of CZMQ's. */
static zactor_t *start_authentication(const struct settings *settings)
{
    zactor_t *actor = zactor_new(zauth, NULL);
    if (actor != NULL) {
        zstr_sendx(actor, "CURVE",
                   settings->curve_clients != NULL ? settings->curve_clients : CURVE_ALLOW_ANY, NULL);
        zsock_wait(actor);
    }
    return actor;
}

static enum exit_code run(struct settings *settings)
{
    zactor_t *authentication = NULL;
    if (settings->curve != NULL) {
        settings->relay.certificate = settings->feed.certificate = zcert_load(settings->curve);
        if (settings->relay.certificate == NULL) {
            fprintf(stderr, "prosa-bridge: %s is no certificate with a secret key\n", settings->curve);
            return EXIT_SETTINGS;
        }
        authentication = start_authentication(settings);
    }
    const enum exit_code exit = serve(settings);
    zactor_destroy(&authentication);
    zcert_destroy(&settings->relay.certificate);
    return exit;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    const char *values[COUNT];
    char why[WHY_SIZE];
    int operands = 0;
    if (!options_read(table, COUNT, argc, argv, values, &operands, why, sizeof why)) {
        fprintf(stderr, "prosa-bridge: %s; --help tells more\n", why);
        return EXIT_SETTINGS;
    }
    if (values[HELP] != NULL) {
        print_help();
        return EXIT_GOOD;
    }
    if (operands < argc) {
        fprintf(stderr, "prosa-bridge: there are no operands, but \"%s\"; --help tells more\n",
                argv[operands]);
        return EXIT_SETTINGS;
    }
    if (values[PROBE] == NULL && !read_settings(&settings, values, why)) {
        fprintf(stderr, "prosa-bridge: %s; --help tells more\n", why);
        return EXIT_SETTINGS;
    }
    zsys_init();
    zsys_set_logstream(stderr);
    zsys_set_logident("prosa-bridge");
    if (prosa_sign_init() != PROSA_OK) {
        fprintf(stderr, "prosa-bridge: %s\n", prosa_status_text(PROSA_ERR_CRYPTO));
        return EXIT_FAILED;
    }
    const int exit = values[PROBE] != NULL ? probe_run(values[PROBE]) : (int)run(&settings);
    zsys_shutdown();
    return exit;
}
