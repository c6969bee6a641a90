/* SPDX-License-Identifier: MIT */
#include "journey.h"

#include "chat.h"
#include "clock.h"
#include "console.h"
#include "dial.h"
#include "signals.h"
#include "tell.h"
#include "wishes.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum phase { DIALING, TALKING, WAITING, OVER };

struct journey {
    struct client *client;
    enum phase phase;
    struct dial *dial;
    struct chat chat;
    bool has_resume;      /* a session with `resume` has been READY */
    unsigned attempt;     /* since the last session that reached JOINED */
    uint64_t again_ms;    /* the next attempt */
    struct farewell told; /* the last reason that a person was told */
    struct signals_seen seen;
};

/* --- the end, and the way back ---------------------------------------------------------------- */

/* The last report; `reason` may be what `disconnected` said already. */
static void close_down(struct journey *journey, enum exit_code exit, uint16_t code, const char *reason)
{
    struct client *client = journey->client;
    const struct report closed = {.kind = REPORT_CLOSED,
                                  .exit = (int)exit,
                                  .code = code,
                                  .reason = prosa_bytes_of_string(reason),
                                  .unsent = rooms_unsent(&client->rooms) + client->dropped,
                                  .unacked = rooms_unacked(&client->rooms)};
    if (closed.unacked > 0 && client->settings->level > 1) {
        ui_say(client->ui, REPORT_NOTE,
               "what the server has not confirmed is kept in %s, and sent again when you come back",
               client->messages);
    }
    client->exit = exit;
    ui_report(client->ui, &closed);
    journey->phase = OVER;
}

/* True when there is something to come back for. */
static bool wants_back(const struct client *client)
{
    return client->exit == EXIT_GOOD && !client->is_stopped && client->leaving != LEAVING_NOW &&
           (client->leaving == STAYING || rooms_unsent(&client->rooms) + rooms_unacked(&client->rooms) > 0);
}

static void dial(struct journey *journey)
{
    const struct settings *settings = journey->client->settings;
    journey->dial = dial_new(settings->host, settings->port);
    if (journey->dial == NULL) {
        close_down(journey, EXIT_NO_CONNECTION, 0, "there is no memory to look a name up");
        return;
    }
    journey->phase = DIALING;
}

/* A person is not told the same again and again; a program is told of each attempt. */
static void say_gone(struct journey *journey, const struct farewell *farewell, bool again)
{
    struct client *client = journey->client;
    const struct report gone = {.kind = REPORT_DISCONNECTED,
                                .how = farewell->how,
                                .again = again,
                                .reason = prosa_bytes_of_string(farewell->reason)};
    if (client->settings->is_json || !again || strcmp(journey->told.reason, farewell->reason) != 0) {
        ui_report(client->ui, &gone);
    }
    journey->told = *farewell;
}

/* The connection is gone, or did not come about; `may_retry`: what ended it allows to come back. */
static void part(struct journey *journey, const struct farewell *farewell, uint16_t code, bool may_retry,
                 uint32_t after_ms, uint64_t now_ms)
{
    struct client *client = journey->client;
    uint32_t random = 0;
    const bool again = may_retry && journey->has_resume && wants_back(client);
    const bool is_news = strcmp(journey->told.reason, farewell->reason) != 0;

    say_gone(journey, farewell, again);
    if (!again) {
        /* What has gone wrong already on this side outweighs how the connection ended. */
        close_down(journey, client->exit == EXIT_GOOD ? farewell->exit : client->exit, code,
                   farewell->reason);
        return;
    }
    entropy_fill(&random, sizeof random);
    const uint64_t wait_ms = prosa_backoff_ms(journey->attempt, random, after_ms);
    journey->attempt++;
    journey->again_ms = now_ms + wait_ms;
    journey->phase = WAITING;
    if (is_news) {
        ui_say(client->ui, REPORT_NOTE, "trying again in %" PRIu64 ".%" PRIu64 " s, and until it is back",
               wait_ms / 1000, wait_ms / 100 % 10);
    }
}

static void part_from_session(struct journey *journey, uint64_t now_ms)
{
    struct client *client = journey->client;
    const struct chat *chat = &journey->chat;
    const struct prosa_ended *ended = &chat->ended;
    const struct farewell farewell = farewell_of(ended);

    if (ended->how == PROSA_ENDING_ERROR) {
        tell_fatal(client->ui, ended);
    }
    if (ended->code == PROSA_CODE_PIN_MISMATCH && !ended->from_peer) {
        tell_mismatch(client->ui, client->settings->target, client->pins, client->config.pinned_key,
                      prosa_client_session_server_key(&chat->session));
    }
    if (ended->code == PROSA_CODE_REPLACED && ended->from_peer) {
        ui_say(client->ui, REPORT_ALARM,
               "another program has connected to this server with your key, which is in %s: one key is one "
               "person, and the newest session counts. For a second person use --data with another folder.",
               client->folder);
    }
    if (chat->has_resume) {
        journey->has_resume = true;
        journey->told.reason[0] = '\0'; /* it had come back: what happens now is news */
    }
    if (chat->has_joined) { /* [RES-11] */
        journey->attempt = 0;
    }
    part(journey, &farewell, ended->code, ended->retry, ended->after_ms, now_ms);
    chat_end(&journey->chat);
}

/* --- the three phases ------------------------------------------------------------------------- */

static void begin_talk(struct journey *journey, uint64_t now_ms)
{
    struct client *client = journey->client;
    const int fd = dial_take_socket(journey->dial);
    dial_free(journey->dial);
    journey->dial = NULL;
    journey->phase = TALKING;
    if (!chat_begin(&journey->chat, client, fd, now_ms)) {
        close_down(journey, EXIT_PROTOCOL, 0, "the session cannot begin");
        return;
    }
    /* A server of one client lets the next one wait until its turn comes [LIM-01]. */
    ui_say(client->ui, REPORT_NOTE, "reached %s, waiting for its answer", client->settings->target);
}

static void go_on_dialing(struct journey *journey, uint64_t now_ms)
{
    const enum dial_outcome outcome = dial_step(journey->dial, now_ms);
    struct farewell farewell = {.exit = EXIT_NO_CONNECTION};

    if (outcome == DIAL_CONNECTED) {
        begin_talk(journey, now_ms);
    } else if (outcome != DIAL_GOES_ON) {
        farewell.how = outcome == DIAL_UNRESOLVED ? "unresolved" : "refused";
        snprintf(farewell.reason, sizeof farewell.reason, "%s", dial_why(journey->dial));
        dial_free(journey->dial);
        journey->dial = NULL;
        part(journey, &farewell, 0, true, 0, now_ms);
    }
}

/* Whether the person is done with it although there is no connection. Lines that come from a file or a
 * program before the first one stands wait for it, with the `exit` behind them. */
static bool is_done_waiting(const struct journey *journey)
{
    const struct client *client = journey->client;
    if (client->is_stopped) {
        return true;
    }
    return journey->has_resume
               ? !wants_back(client)
               : client->leaving == LEAVING_NOW && rooms_unsent(&client->rooms) == 0 && isatty(STDIN_FILENO);
}

static void go_on_talking(struct journey *journey, uint64_t now_ms)
{
    do {
        console_take(journey->client);
        chat_pump(&journey->chat, now_ms);
    } while (!journey->chat.is_over && console_can_take(journey->client)); /* what was sent made room */
    if (journey->chat.is_over) {
        part_from_session(journey, now_ms);
    }
}

/* Everything that can be done without waiting. */
static void step(struct journey *journey, uint64_t now_ms)
{
    struct client *client = journey->client;
    if (journey->phase == DIALING) {
        go_on_dialing(journey, now_ms);
    }
    if (journey->phase == WAITING && now_ms >= journey->again_ms) {
        dial(journey);
    }
    if (journey->phase == TALKING) {
        go_on_talking(journey, now_ms);
    } else if (journey->phase != OVER) {
        console_take(client);
        wishes_tend_alone(client);
    }
    if ((journey->phase == DIALING || journey->phase == WAITING) && is_done_waiting(journey)) {
        dial_free(journey->dial);
        journey->dial = NULL;
        close_down(journey, EXIT_GOOD, 0, "stopped while there was no connection");
    }
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void show_status(const struct journey *journey, uint64_t now_ms)
{
    const struct client *client = journey->client;
    const struct room *room = client->rooms.current;
    char words[48] = "connected";
    if (journey->phase == DIALING) {
        snprintf(words, sizeof words, "%s", dial_words(journey->dial));
    } else if (journey->phase == WAITING) {
        const uint64_t left_ms = journey->again_ms > now_ms ? journey->again_ms - now_ms : 0;
        snprintf(words, sizeof words, "again in %" PRIu64 " s", (left_ms + 999) / 1000);
    } else if (!prosa_client_session_ready(&journey->chat.session)) {
        snprintf(words, sizeof words, client->leaving == STAYING ? "waiting for its answer" : "leaving");
    }
    const struct ui_status status = {.room = room != NULL ? room->name : "",
                                     .connection = words,
                                     .waiting = rooms_unsent(&client->rooms) + rooms_unacked(&client->rooms)};
    ui_set_status(client->ui, &status);
}

static uint64_t deadline_of(const struct journey *journey, uint64_t now_ms)
{
    switch (journey->phase) {
    case DIALING:
        return dial_deadline_ms(journey->dial);
    case TALKING:
        return chat_deadline_ms(&journey->chat);
    default: /* once a second: the person sees how long it takes */
        return journey->again_ms - now_ms > 1000 ? now_ms + 1000 : journey->again_ms;
    }
}

/* Nobody hears what is told any more: that counts as a signal to stop. */
static bool has_lost_ui(const struct client *client)
{
    return ui_is_gone(client->ui) && !client->is_stopped;
}

static void heed_signals(struct journey *journey, uint64_t now_ms)
{
    struct client *client = journey->client;
    const struct signals_seen seen = signals_seen();
    const bool is_stopped = seen.stops != journey->seen.stops || has_lost_ui(client);
    const bool is_first = !client->is_stopped;
    if (seen.resizes != journey->seen.resizes) {
        ui_resize(client->ui);
    }
    if (seen.resumes != journey->seen.resumes) {
        ui_resume(client->ui);
    }
    journey->seen = seen;
    if (is_stopped) {
        client->is_stopped = true;
        client->leaving = LEAVING_NOW;
        if (journey->phase == TALKING) {
            chat_stop(&journey->chat, is_first, now_ms);
        }
    }
}

static struct pollfd network_of(struct journey *journey)
{
    switch (journey->phase) {
    case DIALING:
        return dial_poll(journey->dial);
    case TALKING:
        return chat_poll(&journey->chat);
    default:
        return (struct pollfd){.fd = -1};
    }
}

/* Milliseconds until somebody wants to be asked; UINT64_MAX for never. */
static uint64_t time_left(const struct journey *journey, uint64_t now_ms)
{
    const uint64_t ours_ms = deadline_of(journey, now_ms);
    const uint64_t ui_ms = ui_flush(journey->client->ui, now_ms);
    const uint64_t deadline_ms = ours_ms < ui_ms ? ours_ms : ui_ms;
    if (has_lost_ui(journey->client) || deadline_ms <= now_ms) {
        return 0;
    }
    return deadline_ms == PROSA_NEVER ? UINT64_MAX : deadline_ms - now_ms;
}

static void wait_once(struct journey *journey)
{
    struct client *client = journey->client;
    struct pollfd fds[] = {
        network_of(journey),
        {.fd = console_wants_more(client) ? client->ui->input : -1, .events = POLLIN},
    };
    const int ready = signals_poll(fds, sizeof fds / sizeof fds[0], time_left(journey, clock_now_ms()));
    const uint64_t now_ms = clock_now_ms();
    heed_signals(journey, now_ms);
    if (journey->phase == TALKING) {
        chat_wake(&journey->chat, ready > 0 && fds[0].revents != 0, now_ms);
    }
    if (ready > 0 && fds[1].revents != 0) {
        ui_read(client->ui);
    }
}

enum exit_code journey_run(struct client *client)
{
    struct journey journey = {.client = client, .seen = signals_seen()};
    ui_begin_input(client->ui);
    dial(&journey);
    while (journey.phase != OVER) {
        step(&journey, clock_now_ms());
        if (journey.phase != OVER) {
            show_status(&journey, clock_now_ms());
            wait_once(&journey);
        }
    }
    return client->exit;
}
