/* SPDX-License-Identifier: MIT */
/* prosa-server: reads its settings and its key, listens, and turns the loop until it is told to end. */
#include "clients.h"
#include "clock.h"
#include "datafolder.h"
#include "files.h"
#include "keyfile.h"
#include "log.h"
#include "operator.h"
#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Exit codes (chapter 13.3). */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_SETTINGS = 2, EXIT_LISTEN = 3, EXIT_NO_LEVEL = 89 };

/* Whom the loop wakes. */
enum { WAKE_LISTENER, WAKE_CLIENT, WAKE_ANSWERER, WAKE_OPERATOR, WAKE_SIGNAL };

/* Most that one read of a session takes beyond a partial frame, in octets. */
#define READ_SIZE 4096u

/* What is left to those who linger beyond their time when the server ends, in ms. */
#define LAST_GRACE_MS 1000u

#define WHY_SIZE 1024

struct server {
    struct settings settings;
    struct prosa_server_config config;
    struct loop loop;
    struct listener listener;
    struct answerer answerer;
    struct clients clients;
    struct operator_desk desk;
    struct loop_source signals;
    bool ending;   /* goodbye has been said to all */
    bool overtime; /* and somebody did not go */
};

static int fail(int code, const char *why)
{
    fprintf(stderr, "prosa-server: %s\n", why);
    return code;
}

static bool open_key(struct server *server, char *why)
{
    char folder[PATH_MAX];
    char path[PATH_MAX + sizeof "/server.key"];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    bool made;
    if (!datafolder_open(server->settings.data, folder, sizeof folder, why, WHY_SIZE)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/server.key", folder);
    if (!keyfile_open(path, &server->config.keypair, &made, why, WHY_SIZE)) {
        return false;
    }
    fingerprint_format(server->config.keypair.key, fingerprint);
    fprintf(stderr, "prosa-server: %s %s, fingerprint %s\n", made ? "made a new key in" : "the key is in",
            path, fingerprint);
    return true;
}

static int watch_signals(struct server *server)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return -errno;
    }
    const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    server->signals.kind = WAKE_SIGNAL;
    return loop_add(&server->loop, &server->signals, fd, LOOP_READ);
}

/* Nobody comes in any more, and all are told; each session ends by its own deadlines. */
static void begin_to_end(struct server *server, uint16_t code)
{
    if (server->ending) {
        return;
    }
    server->ending = true;
    log_event(LOG_LEVEL_INFO, "ending", "code=%s", prosa_code_name(code));
    listener_fini(&server->listener, &server->loop);
    clients_goodbye(&server->clients, code);
    loop_set_deadline(&server->loop, &server->signals,
                      server->loop.now_ms + server->settings.limits.linger_ms + LAST_GRACE_MS);
}

static void take_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            answerer_reap(&server->answerer);
        } else {
            begin_to_end(server, PROSA_CODE_SHUTDOWN); /* [END-10] */
        }
    }
}

static void listen_to_operator(struct server *server)
{
    if (!operator_pump(&server->desk, &server->loop)) {
        begin_to_end(server, PROSA_CODE_NORMAL); /* [END-08] */
    }
}

static void dispatch(struct server *server, const struct loop_event *event)
{
    switch (event->source->kind) {
    case WAKE_LISTENER:
        if (event->ready == LOOP_TIMEOUT) {
            listener_resume(&server->loop, event->source);
        } else {
            clients_accept(&server->clients, event->source);
        }
        break;
    case WAKE_CLIENT:
        clients_pump(&server->clients, event);
        break;
    case WAKE_ANSWERER:
        answerer_pump(&server->answerer, event);
        break;
    case WAKE_OPERATOR:
        listen_to_operator(server);
        break;
    default:
        server->overtime |= event->ready == LOOP_TIMEOUT;
        take_signals(server);
        break;
    }
}

static int run(struct server *server)
{
    for (;;) {
        struct loop_event event;
        clients_settle(&server->clients);
        if (server->ending && (server->overtime || clients_are_gone(&server->clients))) {
            return EXIT_GOOD;
        }
        const int problem = loop_wait(&server->loop);
        if (problem != 0) {
            return fail(EXIT_FAILED, strerror(-problem));
        }
        while (loop_next(&server->loop, &event)) {
            dispatch(server, &event);
        }
    }
}

static int serve(struct server *server)
{
    const struct settings *settings = &server->settings;
    char why[WHY_SIZE];

    answerer_init(&server->answerer, &server->loop, WAKE_ANSWERER, settings->answer_mode,
                  settings->answer_words, settings->answer_timeout_ms);
    clients_init(&server->clients, &server->loop, WAKE_CLIENT, &server->config, &server->answerer);
    int problem = watch_signals(server);
    problem = problem != 0 ? problem
                           : operator_init(&server->desk, &server->loop, WAKE_OPERATOR, &server->clients,
                                           &server->answerer);
    if (problem != 0) {
        return fail(EXIT_FAILED, strerror(-problem));
    }
    if (!listener_init(&server->listener, &server->loop, WAKE_LISTENER, settings->host, settings->port, why,
                       sizeof why)) {
        return fail(EXIT_LISTEN, why);
    }
    printf("READY %s\n", server->listener.address);
    fflush(stdout);
    if (!server->desk.watched) {
        listen_to_operator(server);
    }
    const int code = run(server);
    clients_fini(&server->clients);
    answerer_fini(&server->answerer);
    listener_fini(&server->listener, &server->loop);
    return code;
}

int main(int argc, char **argv)
{
    static struct server server;
    char why[WHY_SIZE];

    if (!streams_hold()) {
        return EXIT_FAILED;
    }
    switch (settings_read(&server.settings, argc, argv, why, sizeof why)) {
    case SETTINGS_HELP:
        settings_help();
        return EXIT_GOOD;
    case SETTINGS_BAD:
        return fail(EXIT_SETTINGS, why);
    case SETTINGS_NO_LEVEL:
        return fail(EXIT_NO_LEVEL, why);
    case SETTINGS_GOOD:
        break;
    }
    log_init(server.settings.log_level);
    if (prosa_sign_init() != PROSA_OK) {
        return fail(EXIT_FAILED, "the installed libsodium accepts what PROSA/1 refuses (KEY-07)");
    }
    if (!open_key(&server, why)) {
        return fail(EXIT_SETTINGS, why);
    }
    server.config.features = PROSA_FEATURE_LIVENESS;
    server.config.limits = server.settings.limits;
    server.config.read_size = READ_SIZE;
    const int problem = loop_init(&server.loop);
    const int code = problem == 0 ? serve(&server) : fail(EXIT_FAILED, strerror(-problem));
    if (problem == 0) {
        loop_fini(&server.loop);
    }
    prosa_keypair_wipe(&server.config.keypair);
    return code;
}
