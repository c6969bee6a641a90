/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "hex.h"
#include "keyfile.h"
#include "options.h"
#include "tell.h"

#include <prosa/text.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 128u /* no command is longer */

struct command {
    const char *name;
    const char *argument; /* for /help; NULL: it has none */
    bool is_needed;       /* the argument is not optional */
    const char *meaning;
    void (*run)(struct client *client, const char *argument);
};

__attribute__((format(printf, 3, 4))) static void refuse(struct client *client, uint16_t code,
                                                         const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell_own_error(client->ui, code, text);
}

/* The room that is named, or the current one; NULL after a word to the person. */
static struct room *room_of(struct client *client, const char *name)
{
    struct room *room =
        name[0] == '\0' ? client->rooms.current : rooms_find(&client->rooms, prosa_bytes_of_string(name));
    if (room == NULL && name[0] == '\0') {
        refuse(client, PROSA_CODE_NO_ROOM, "you are in no room: /join ROOM");
    } else if (room == NULL) {
        refuse(client, PROSA_CODE_NO_ROOM, "you are not in %s: /join %s", name, name);
    }
    return room;
}

/* --- rooms ------------------------------------------------------------------------------------ */

/* True when one more room may be joined; false after a word to the person. */
static bool may_join(struct client *client, const char *name)
{
    const size_t count = rooms_count(&client->rooms);
    if (!settings_is_room(name)) {
        refuse(client, PROSA_CODE_BAD_TEXT, "\"%s\" is no room: " SETTINGS_ROOM_RULE, name);
    } else if (client->settings->level < 3 && strcmp(name, "@host") != 0) {
        refuse(client, PROSA_CODE_NOT_SUPPORTED, "at level L2 there is only @host");
    } else if (count >= client->max_rooms) {
        refuse(client, PROSA_CODE_TOO_MANY_ROOMS, "the server lets you be in %" PRIu32 " rooms: /leave one",
               client->max_rooms);
    } else {
        return true;
    }
    return false;
}

static void do_join(struct client *client, const char *name)
{
    struct room *room = rooms_find(&client->rooms, prosa_bytes_of_string(name));
    if (room != NULL && room->wants_leave) {
        refuse(client, PROSA_CODE_BAD_STATE, "%s is being left: try again in a moment", name);
    } else if (room != NULL) {
        client->rooms.current = room;
    } else if (may_join(client, name)) {
        room = rooms_add(&client->rooms, name);
        if (room == NULL) {
            refuse(client, PROSA_CODE_INTERNAL, "there is no memory for a room");
            return;
        }
        room->is_typed = true;
    }
}

static void do_leave(struct client *client, const char *name)
{
    struct room *room = room_of(client, name);
    if (room == NULL) {
        return;
    }
    room->wants_leave = true;
    for (struct room *other = client->rooms.first; other != NULL && client->rooms.current == room;
         other = other->next) {
        if (!other->wants_leave) {
            client->rooms.current = other;
        }
    }
    if (client->rooms.current == room) {
        client->rooms.current = NULL;
    }
}

static const char *state_of(const struct room *room)
{
    if (room->wants_leave) {
        return "is being left";
    }
    return room->state == ROOM_IN ? "joined" : "to be joined";
}

static void do_room(struct client *client, const char *name)
{
    if (name[0] != '\0') {
        struct room *room = room_of(client, name);
        client->rooms.current = room != NULL && !room->wants_leave ? room : client->rooms.current;
        return;
    }
    for (const struct room *room = client->rooms.first; room != NULL; room = room->next) {
        ui_say(client->ui, REPORT_NOTE, "%s %s, %s", room == client->rooms.current ? ">" : "-", room->name,
               state_of(room));
    }
}

static void do_who(struct client *client, const char *name)
{
    const struct room *room = room_of(client, name);
    if (room == NULL) {
        return;
    }
    if (room->state != ROOM_IN) {
        refuse(client, PROSA_CODE_BAD_STATE, "%s is not joined now", room->name);
        return;
    }
    if (room->name[0] == '@') {
        ui_say(client->ui, REPORT_NOTE, "%s: you, and whoever answers at the server", room->name);
        return;
    }
    ui_say(client->ui, REPORT_NOTE, "%s: %" PRIu64 " member%s%s", room->name, room->members.count,
           room->members.count == 1 ? "" : "s", room->members.listed == 0 ? ", too many for names" : "");
    for (size_t i = 0; i < room->members.listed; i++) {
        char suffix[KEY_SUFFIX_SIZE];
        key_suffix_format(room->members.list[i].key, suffix);
        ui_say(client->ui, REPORT_NOTE, "  %s#%s", room->members.list[i].nick, suffix);
    }
}

static void do_history(struct client *client, const char *argument)
{
    struct room *room = room_of(client, "");
    uint64_t count = 0;
    if (room == NULL) {
        return;
    }
    if (!number_parse(argument, 1, INT64_MAX, &count)) {
        refuse(client, PROSA_CODE_BAD_TEXT, "/history N: N is how many messages are shown again");
    } else if (room->state != ROOM_IN || room->wants_leave) {
        refuse(client, PROSA_CODE_BAD_STATE, "%s is not joined now", room->name);
    } else if ((client->features & PROSA_FEATURE_RESUME) == 0) {
        refuse(client, PROSA_CODE_NOT_SUPPORTED, "this server does not show history");
    } else {
        room->rewind = count;
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static void say_key(struct client *client, const char *whose, const uint8_t *key)
{
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(key, fingerprint);
    ui_say(client->ui, REPORT_NOTE, "%s: %s", whose, fingerprint);
}

static void verify_member(struct client *client, const char *nick)
{
    bool found = false;
    for (const struct room *room = client->rooms.first; room != NULL && !found; room = room->next) {
        const struct member *member = members_find(&room->members, prosa_bytes_of_string(nick));
        if (member != NULL) {
            say_key(client, nick, member->key);
            found = true;
        }
    }
    if (!found) {
        refuse(client, PROSA_CODE_BAD_STATE, "nobody with the nick %s is in a room with you", nick);
        return;
    }
    ui_say(client->ui, REPORT_NOTE,
           "%s sees this fingerprint with /verify, too. Compare it by another way than this chat, such as "
           "by voice.",
           nick);
}

/* How far a room has come, in one number, and how far the server has put its name under it. */
static void say_chain(struct client *client, const struct room *room)
{
    char chain[2 * PROSA_HASH_SIZE + 1];
    if (!room->is_covered || !room->position.has_chain) {
        return;
    }
    hex_print(prosa_bytes(room->position.chain, PROSA_HASH_SIZE), chain);
    ui_say(client->ui, REPORT_NOTE,
           "%s at message %" PRIu64 ": %s\n"
           "Another member at the same message must see the same, or the server tells two stories; it has "
           "signed all up to message %" PRIu64 ".",
           room->name, room->position.seen_seq, chain, room->covered_seq);
}

static void do_verify(struct client *client, const char *nick)
{
    if (nick[0] != '\0') {
        verify_member(client, nick);
        return;
    }
    if (client->config.pinned_key != NULL) {
        say_key(client, client->settings->target, client->server_key);
    }
    say_key(client, "you", client->config.keypair.key);
    ui_say(client->ui, REPORT_NOTE,
           "Ask the server's operator for the first fingerprint, and tell your friends the second.");
    for (const struct room *room = client->rooms.first; room != NULL; room = room->next) {
        say_chain(client, room);
    }
}

/* --- the rest --------------------------------------------------------------------------------- */

static void do_quit(struct client *client, const char *unused)
{
    (void)unused;
    client->leaving = LEAVING_NOW;
}

static void do_help(struct client *client, const char *unused);

static const struct command table[] = {
    {"join", "ROOM", true, "go into a room; lines go there from then on", do_join},
    {"leave", "[ROOM]", false, "go out of this room, or that one", do_leave},
    {"room", "[ROOM]", false, "lines go to that room; without a name: the rooms that you are in", do_room},
    {"who", "[ROOM]", false, "who is there", do_who},
    {"history", "N", true, "show the last N messages of this room again", do_history},
    {"verify", "[NICK]", false, "fingerprints to compare with the operator, or with somebody", do_verify},
    {"quit", NULL, false, "say goodbye and end, as \"exit\" does", do_quit},
    {"help", NULL, false, "this text", do_help},
};

#define COMMAND_COUNT (sizeof table / sizeof table[0])

static void do_help(struct client *client, const char *unused)
{
    (void)unused;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char words[24];
        snprintf(words, sizeof words, "/%s %s", table[i].name,
                 table[i].argument != NULL ? table[i].argument : "");
        ui_say(client->ui, REPORT_NOTE, "%-15s %s", words, table[i].meaning);
    }
    ui_say(client->ui, REPORT_NOTE, "%-15s %s", "//TEXT", "send /TEXT as a message");
}

/* Cuts blanks off both ends. */
static char *trim(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == ' ') {
        text[--size] = '\0';
    }
    return text + strspn(text, " ");
}

static void run(struct client *client, const struct command *command, const char *argument)
{
    if (command->argument == NULL && argument[0] != '\0') {
        refuse(client, PROSA_CODE_BAD_TEXT, "/%s stands alone", command->name);
    } else if (command->is_needed && argument[0] == '\0') {
        refuse(client, PROSA_CODE_BAD_TEXT, "/%s %s: the word is missing", command->name, command->argument);
    } else if (strchr(argument, ' ') != NULL) {
        refuse(client, PROSA_CODE_BAD_TEXT, "/%s %s: one word is enough", command->name, command->argument);
    } else {
        command->run(client, argument);
    }
}

void commands_do(struct client *client, struct prosa_bytes line)
{
    char text[LINE_SIZE] = "";
    if (line.size < sizeof text && prosa_text_is_valid(line)) {
        memcpy(text, line.at, line.size);
        text[line.size] = '\0';
    }
    char *argument = text + strcspn(text, " ");
    if (*argument != '\0') {
        *argument++ = '\0';
    }
    argument = trim(argument);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(text, table[i].name) == 0) {
            run(client, &table[i], argument);
            return;
        }
    }
    refuse(client, PROSA_CODE_UNSUPPORTED,
           "there is no command /%s: /help lists them, and // begins a message with /", text);
}
