/* SPDX-License-Identifier: MIT */
/* prosa-server: reads its settings and its key, listens, and turns the loop until it is told to end. */
#include "clients.h"
#include "clock.h"
#include "datafolder.h"
#include "descriptors.h"
#include "files.h"
#include "keyfile.h"
#include "log.h"
#include "metrics.h"
#include "operator.h"
#include "reload.h"
#include "sandbox.h"
#include "service.h"
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
enum {
    WAKE_LISTENER,
    WAKE_CLIENT,
    WAKE_THREAD,
    WAKE_ALARM,
    WAKE_ANSWERER,
    WAKE_OPERATOR,
    WAKE_METRICS,
    WAKE_SERVICE,
    WAKE_SIGNAL
};

/* What is left to those who linger beyond their time when the server ends, in ms. */
#define LAST_GRACE_MS 1000u

#define WHY_SIZE 1024

struct server {
    struct settings settings;
    struct reload reload;
    char folder[PATH_MAX];
    struct prosa_keypair keypair;
    struct loop loop;
    struct listener listener;
    struct answerer answerer;
    struct hub hub;
    struct operator_desk desk;
    struct metrics metrics;
    struct service service;
    struct loop_source signals;
    uint32_t linger_ms;   /* the longest that any session goes by */
    bool files_confined;  /* in the sandbox, by the kernel */
    bool leaving;         /* the operator has said `exit` */
    uint64_t last_ticket; /* in the log, of what he had said before */
    bool ending;          /* goodbye has been said to all */
    bool overtime;        /* and somebody did not go */
};

static int fail(int code, const char *why)
{
    fprintf(stderr, "prosa-server: %s\n", why);
    return code;
}

static bool open_key(struct server *server, char *why)
{
    char path[PATH_MAX + sizeof "/server.key"];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    bool made;
    snprintf(path, sizeof path, "%s/server.key", server->folder);
    if (!keyfile_open(path, &server->keypair, &made, why, WHY_SIZE)) {
        return false;
    }
    fingerprint_format(server->keypair.key, fingerprint);
    fprintf(stderr, "prosa-server: %s %s, fingerprint %s\n", made ? "made a new key in" : "the key is in",
            path, fingerprint);
    return true;
}

/* Threads begin with what they are left by the first one, so this comes before them. */
static bool enter_sandbox(struct server *server, char *why)
{
    const struct settings *settings = &server->settings;
    return !settings->sandbox ||
           sandbox_enter(server->folder, settings->file.path, &server->files_confined, why, WHY_SIZE);
}

/* Before anybody is served. */
static bool seal_sandbox(struct server *server, char *why)
{
    if (!server->settings.sandbox) {
        return true;
    }
    if (!sandbox_seal(why, WHY_SIZE)) {
        return false;
    }
    log_event(server->files_confined ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "sandboxed", "files=%s",
              server->files_confined ? "confined" : "\"this kernel cannot confine them\"");
    return true;
}

static int watch_signals(struct server *server)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
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
    service_tell_stopping();
    listener_fini(&server->listener, &server->loop);
    clients_goodbye(&server->hub, code);
    loop_set_deadline(&server->loop, &server->signals,
                      server->loop.now_ms + server->linger_ms + LAST_GRACE_MS);
}

static void read_settings_again(struct server *server)
{
    service_tell_reloading();
    const struct settings *settings = reload_read(&server->reload);
    if (settings != NULL && !clients_set_limits(&server->hub, &settings->limits)) {
        log_event(LOG_LEVEL_ERROR, "reload-failed", "why=\"there is no memory\"");
    } else if (settings != NULL) {
        log_init(settings->log_level);
        if (settings->limits.linger_ms > server->linger_ms) {
            server->linger_ms = settings->limits.linger_ms;
        }
    }
    service_tell_reloaded();
}

/* Without a file there is nothing to read again: the terminal that it stands for is gone. */
static void take_hangup(struct server *server)
{
    if (!reload_is_possible(&server->reload)) {
        begin_to_end(server, PROSA_CODE_SHUTDOWN);
    } else if (!server->ending) {
        read_settings_again(server);
    }
}

static void take_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            answerer_reap(&server->answerer);
        } else if (info.ssi_signo == SIGHUP) {
            take_hangup(server);
        } else {
            begin_to_end(server, PROSA_CODE_SHUTDOWN); /* [END-10] */
        }
    }
}

static void listen_to_operator(struct server *server)
{
    if (!server->leaving && !operator_pump(&server->desk, &server->loop)) {
        server->leaving = true;
        operator_leave(&server->desk, &server->loop);
        server->last_ticket = server->hub.last_ticket;
    }
}

/* Gives everybody a turn. What the operator said before `exit` goes out before the goodbye [END-08]. */
static void settle(struct server *server)
{
    clients_settle(&server->hub);
    if (server->leaving && !server->ending && server->hub.decided_ticket >= server->last_ticket) {
        begin_to_end(server, PROSA_CODE_NORMAL);
        clients_settle(&server->hub);
    }
}

static void dispatch(struct server *server, const struct loop_event *event)
{
    switch (event->source->kind) {
    case WAKE_LISTENER:
        if (event->ready == LOOP_TIMEOUT) {
            listener_resume(&server->loop, event->source);
        } else {
            clients_accept(&server->hub, event->source);
        }
        break;
    case WAKE_CLIENT:
        clients_pump(&server->hub, event);
        break;
    case WAKE_THREAD:
        clients_wake(&server->hub, event);
        break;
    case WAKE_ALARM:
        clients_alarm(&server->hub, event);
        break;
    case WAKE_ANSWERER:
        answerer_pump(&server->answerer, event);
        break;
    case WAKE_OPERATOR:
        listen_to_operator(server);
        break;
    case WAKE_METRICS:
        metrics_pump(&server->metrics, &server->loop, event, clients_stats(&server->hub));
        break;
    case WAKE_SERVICE:
        service_beat(&server->service, &server->loop, clients_stats(&server->hub)->clients);
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
        settle(server);
        if (server->ending && (server->overtime || clients_are_gone(&server->hub))) {
            return EXIT_GOOD;
        }
        const bool busy = clients_work(&server->hub);
        const int problem = loop_wait(&server->loop, busy);
        if (problem != 0) {
            return fail(EXIT_FAILED, strerror(-problem));
        }
        while (loop_next(&server->loop, &event)) {
            dispatch(server, &event);
        }
    }
}

static int watch_house(struct server *server)
{
    int problem = watch_signals(server);
    if (problem == 0) {
        problem = operator_init(&server->desk, &server->loop, WAKE_OPERATOR, &server->hub, &server->answerer,
                                server->settings.level > 1);
    }
    return problem != 0 ? problem : service_init(&server->service, &server->loop, WAKE_SERVICE);
}

/* On the sockets of a service manager, or on our own. */
static bool listen_to_clients(struct server *server, char *why)
{
    const struct settings *settings = &server->settings;
    int fds[LISTENER_MAX];
    const int count = service_sockets(fds, why, WHY_SIZE);
    if (count > 0) {
        return listener_adopt(&server->listener, &server->loop, WAKE_LISTENER, fds, (size_t)count, why,
                              WHY_SIZE);
    }
    return count == 0 && listener_init(&server->listener, &server->loop, WAKE_LISTENER, settings->host,
                                       settings->port, why, WHY_SIZE);
}

static bool listen_to_scrapers(struct server *server, char *why)
{
    const struct settings *settings = &server->settings;
    if (settings->metrics_host[0] == '\0') {
        return true;
    }
    if (!metrics_init(&server->metrics, &server->loop, WAKE_METRICS, settings->metrics_host,
                      settings->metrics_port, why, WHY_SIZE)) {
        return false;
    }
    log_event(LOG_LEVEL_INFO, "metrics", "address=%s", server->metrics.listener.address);
    return true;
}

/* [CON-05] Whoever waits for this line would wait for ever when it is lost. */
static bool say_ready(struct server *server)
{
    if (printf("READY %s\n", server->listener.address) < 0 || fflush(stdout) != 0) {
        return false;
    }
    service_tell_ready(&server->service, &server->loop, server->listener.address);
    return true;
}

/* With everything in place: watches signals and the console, listens, and turns the loop. */
static int open_doors(struct server *server)
{
    char why[WHY_SIZE];
    const int problem = watch_house(server);
    if (problem != 0) {
        return fail(EXIT_FAILED, strerror(-problem));
    }
    int code = EXIT_LISTEN;
    if (!listen_to_clients(server, why) || !listen_to_scrapers(server, why)) {
        fail(code, why);
    } else if (!seal_sandbox(server, why)) {
        code = fail(EXIT_FAILED, why);
    } else if (!say_ready(server)) {
        snprintf(why, sizeof why, "READY could not be printed: %s", strerror(errno));
        code = fail(EXIT_FAILED, why);
    } else {
        if (!server->desk.watched) {
            listen_to_operator(server);
        }
        code = run(server);
    }
    metrics_fini(&server->metrics, &server->loop);
    listener_fini(&server->listener, &server->loop);
    service_fini(&server->service, &server->loop);
    return code;
}

static int serve(struct server *server)
{
    static const struct clients_kinds kinds = {
        .client = WAKE_CLIENT, .wakeup = WAKE_THREAD, .alarm = WAKE_ALARM};
    const struct settings *settings = &server->settings;
    const bool durable = settings->level > 1 && !settings->memory;
    char why[WHY_SIZE];

    answerer_init(&server->answerer, &server->loop, WAKE_ANSWERER, settings->answer_mode,
                  settings->answer_words, settings->answer_timeout_ms);
    if (!clients_init(&server->hub, &server->loop, &kinds, settings, &server->keypair,
                      durable ? server->folder : NULL, &server->answerer, why, sizeof why)) {
        return fail(EXIT_FAILED, why);
    }
    const int code = open_doors(server);
    clients_fini(&server->hub);
    answerer_fini(&server->answerer);
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
    reload_init(&server.reload, argc, argv, &server.settings);
    server.linger_ms = server.settings.limits.linger_ms;
    log_init(server.settings.log_level);
    descriptors_share(&server.settings);
    if (prosa_sign_init() != PROSA_OK) {
        return fail(EXIT_FAILED, "the installed libsodium accepts what PROSA/1 refuses (KEY-07)");
    }
    if (!datafolder_open(server.settings.data, server.folder, sizeof server.folder, why, sizeof why)) {
        return fail(EXIT_SETTINGS, why);
    }
    if (!enter_sandbox(&server, why)) {
        return fail(EXIT_FAILED, why);
    }
    if (!open_key(&server, why)) {
        return fail(EXIT_SETTINGS, why);
    }
    const int problem = loop_init(&server.loop);
    const int code = problem == 0 ? serve(&server) : fail(EXIT_FAILED, strerror(-problem));
    if (problem == 0) {
        loop_fini(&server.loop);
    }
    prosa_keypair_wipe(&server.keypair);
    reload_fini(&server.reload);
    settings_fini(&server.settings);
    log_fini();
    return code;
}
