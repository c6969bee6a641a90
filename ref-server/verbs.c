/* SPDX-License-Identifier: MIT */
#include "verbs.h"

#include "clients.h"
#include "clock.h"
#include "log.h"
#include "moderation.h"

#include <inttypes.h>
#include <prosa/text.h>
#include <stdio.h>

/* A client's rooms in one line; more are counted. */
#define ROOMS_TEXT_SIZE 512

typedef void verb_function(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text);

/* What stands behind a verb's name. */
enum wanted { NOTHING, WORD, WORD_AND_TEXT };

struct verb {
    const char *name, *usage, *meaning;
    enum wanted wanted;
    verb_function *obey;
};

static verb_function who, say, kick, ban, unban, unbind, show_stats, help;

static const struct verb verbs[] = {
    {"who", "/who", "clients, the oldest first, and their rooms", NOTHING, who},
    {"say", "/say ROOM text", "speak to everybody in a room", WORD_AND_TEXT, say},
    {"kick", "/kick NICK", "end the sessions of a nick", WORD, kick},
    {"ban", "/ban NICK", "kick, and let its key in no more", WORD, ban},
    {"unban", "/unban NICK", "let it in again", WORD, unban},
    {"unbind", "/unbind NICK", "make a nick free for another key", WORD, unbind},
    {"stats", "/stats", "what the server counts", NOTHING, show_stats},
    {"help", "/help", "this list; //text sends /text", NOTHING, help},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

/* What was typed, printable. */
static const char *shown(struct prosa_bytes word, char out[static LOG_TEXT_SIZE])
{
    return log_text(word, out);
}

static void note(const char *event, struct prosa_bytes nick)
{
    char value[LOG_VALUE_SIZE];
    log_event(LOG_LEVEL_INFO, event, "nick=%s", log_value(nick, value));
}

/* "tea, coffee, @host" */
static void list_rooms(const struct conn *conn, char out[static ROOMS_TEXT_SIZE])
{
    const struct prosa_room *room;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; (room = prosa_server_session_room(&conn->session, i)) != NULL; i++) {
        if (used + sizeof ", , and more" + room->name_size > ROOMS_TEXT_SIZE) {
            snprintf(out + used, ROOMS_TEXT_SIZE - used, ", and more");
            return;
        }
        used += (size_t)snprintf(out + used, ROOMS_TEXT_SIZE - used, "%s%.*s", used > 0 ? ", " : "",
                                 room->name_size, (const char *)room->name);
    }
}

static void who(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    char rooms[ROOMS_TEXT_SIZE];
    size_t count = 0;
    (void)word;
    (void)text;
    for (const struct conn *conn = clients_next(hub, NULL); conn != NULL; conn = clients_next(hub, conn)) {
        const struct conn_words words = conn_describe(conn);
        list_rooms(conn, rooms);
        log_say("%s#%s session %" PRIu64 " from %s in %s", words.nick, words.key_suffix, conn->number,
                words.address, rooms[0] != '\0' ? rooms : "no room");
        count++;
    }
    log_say("%zu client%s", count, count == 1 ? " is here" : "s are here");
}

static void say(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    char name[LOG_TEXT_SIZE];
    if (text.size > TEXT_SIZE || !prosa_text_is_valid(text)) {
        log_say("not sent: a message is 1 to %u octets of UTF-8", TEXT_SIZE);
        return;
    }
    switch (moderation_say(hub, word, text)) {
    case MODERATION_TOLD:
        break;
    case MODERATION_NOBODY:
        log_say("not sent: there is no room %s", shown(word, name));
        break;
    case MODERATION_FULL:
        log_say("not sent: there is no memory for it");
        break;
    }
}

static void kick(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    char nick[LOG_TEXT_SIZE];
    const size_t count = moderation_kick(hub, word);
    (void)text;
    if (count == 0) {
        log_say("no client %s is here", shown(word, nick));
        return;
    }
    note("operator-kicked", word);
    log_say("%s is told to go", shown(word, nick));
}

static void set_ban(struct hub *hub, struct prosa_bytes word, bool banned)
{
    char nick[LOG_TEXT_SIZE];
    if (!moderation_ban(hub, word, banned)) {
        log_say("not done: nobody is known by the nick %s", shown(word, nick));
        return;
    }
    note(banned ? "operator-banned" : "operator-unbanned", word);
    log_say("the key of %s %s", shown(word, nick), banned ? "is banned" : "may come in");
}

static void ban(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    (void)text;
    set_ban(hub, word, true);
}

static void unban(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    (void)text;
    set_ban(hub, word, false);
}

static void unbind(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    char nick[LOG_TEXT_SIZE];
    (void)text;
    if (!moderation_unbind(hub, word)) {
        log_say("not done: the nick %s belongs to nobody", shown(word, nick));
        return;
    }
    note("operator-unbound", word);
    log_say("the nick %s is free", shown(word, nick));
}

static void show_refused(const struct stats *stats)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++) {
        if (stats->refused[i] > 0) {
            log_say("ended with %s: %" PRIu64, prosa_registry_codes[i].name, stats->refused[i]);
        }
    }
}

static void show_stats(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    const struct stats *stats = clients_stats(hub);
    const uint64_t now_ms = clock_unix_ms();
    const uint64_t minutes = now_ms > stats->started_ms ? (now_ms - stats->started_ms) / 60000 : 0;
    (void)word;
    (void)text;
    log_say("up %" PRIu64 " d %" PRIu64 " h %" PRIu64 " min; now %zu clients, %zu newcomers, %zu rooms",
            minutes / 1440, minutes / 60 % 24, minutes % 60, stats->clients, stats->strangers, stats->rooms);
    log_say("so far %" PRIu64 " connections, %" PRIu64 " sessions, %" PRIu64 " messages, %" PRIu64
            " octets in, %" PRIu64 " out",
            stats->accepted_connections, stats->sessions, stats->accepted, stats->octets_in,
            stats->octets_out);
    log_say("%" PRIu64 " signatures checked in %" PRIu64 " ms; %" PRIu64 " transactions, %" PRIu64 " failed",
            stats->verified, stats->verify_ns / 1000000, stats->commits, stats->commit_failures);
    log_say("waiting: %zu signatures, %zu records, %zu octets undecided", stats->verifying, stats->committing,
            stats->undecided);
    show_refused(stats);
}

static void help(struct hub *hub, struct prosa_bytes word, struct prosa_bytes text)
{
    (void)hub;
    (void)word;
    (void)text;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        log_say("%-14s  %s", verbs[i].usage, verbs[i].meaning);
    }
    log_say("@NICK text      speak to a client; a line alone answers the oldest question");
    log_say("exit            say goodbye to all and end");
}

/* Takes the first word off `line`, and the blanks before and after it. */
static struct prosa_bytes take_word(struct prosa_bytes *line)
{
    while (line->size > 0 && line->at[0] == ' ') {
        *line = prosa_bytes(line->at + 1, line->size - 1);
    }
    struct prosa_bytes word = prosa_bytes(line->at, 0);
    while (word.size < line->size && line->at[word.size] != ' ') {
        word.size++;
    }
    const size_t taken = word.size + (word.size < line->size ? 1 : 0);
    *line = prosa_bytes(line->at + taken, line->size - taken);
    return word;
}

static bool is_complete(const struct verb *verb, struct prosa_bytes word, struct prosa_bytes text)
{
    switch (verb->wanted) {
    case NOTHING:
        return word.size == 0;
    case WORD:
        return word.size > 0 && take_word(&text).size == 0;
    case WORD_AND_TEXT:
        break;
    }
    return word.size > 0 && text.size > 0;
}

void verbs_obey(struct hub *hub, struct prosa_bytes line)
{
    char typed[LOG_TEXT_SIZE];
    const struct prosa_bytes name = take_word(&line);
    const struct prosa_bytes word = take_word(&line);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (!prosa_bytes_equal(name, prosa_bytes_of_string(verbs[i].name))) {
            continue;
        }
        if (is_complete(&verbs[i], word, line)) {
            verbs[i].obey(hub, word, line);
        } else {
            log_say("not done: it is %s", verbs[i].usage);
        }
        return;
    }
    log_say("not done: there is no command /%s; /help lists them, and //%s... sends it as text",
            shown(name, typed), typed);
}
