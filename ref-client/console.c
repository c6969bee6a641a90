/* SPDX-License-Identifier: MIT */
#include "console.h"

#include "commands.h"
#include "tell.h"

#include <prosa/text.h>

static void take_text(struct client *client, struct prosa_bytes line)
{
    struct room *room = client->rooms.current;
    if (!prosa_text_is_valid(line)) {
        tell_own_error(client->ui, PROSA_CODE_BAD_TEXT, "a line that is not UTF-8 text is not sent");
    } else if (room == NULL) {
        tell_own_error(client->ui, PROSA_CODE_NO_ROOM,
                       "you are in no room: the line is not sent; /join ROOM");
    } else if (!outbox_put(&room->outbox, line)) {
        tell_own_error(client->ui, PROSA_CODE_INTERNAL, "there is no memory: a line is not sent");
    }
}

static void take_line(struct client *client, struct prosa_bytes line)
{
    const bool has_commands = client->settings->level > 1;
    if (line.size == 0) {
        return;
    }
    if (prosa_bytes_equal(line, prosa_bytes_of_string("exit"))) {
        client->leaving = LEAVING_NOW;
    } else if (has_commands && line.size > 1 && line.at[0] == '/' && line.at[1] == '/') {
        take_text(client, prosa_bytes(line.at + 1, line.size - 1));
    } else if (has_commands && line.at[0] == '/') {
        commands_do(client, prosa_bytes(line.at + 1, line.size - 1));
    } else {
        take_text(client, line);
    }
}

static bool has_room(const struct client *client)
{
    return client->rooms.current == NULL || outbox_has_room(&client->rooms.current->outbox);
}

bool console_can_take(const struct client *client)
{
    return client->leaving == STAYING && !client->is_drained && has_room(client);
}

void console_take(struct client *client)
{
    struct prosa_bytes line;
    client->is_drained = false;
    while (console_can_take(client)) {
        switch (ui_next(client->ui, &line)) {
        case LINES_LINE:
            take_line(client, line);
            break;
        case LINES_TOO_LONG:
            tell_own_error(client->ui, PROSA_CODE_TOO_LARGE, "a line of more than 4096 octets is not sent");
            break;
        case LINES_NONE:
            client->is_drained = true;
            break;
        }
    }
    if (client->is_drained && ui_has_ended(client->ui)) {
        client->leaving = LEAVING_ANSWERED;
    }
}

bool console_wants_more(const struct client *client)
{
    return client->leaving == STAYING && client->is_drained;
}
