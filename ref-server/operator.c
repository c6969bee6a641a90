/* SPDX-License-Identifier: MIT */
#include "operator.h"

#include "clients.h"
#include "log.h"
#include "verbs.h"

#include <errno.h>
#include <prosa/text.h>
#include <unistd.h>

int operator_init(struct operator_desk *desk, struct loop *loop, int kind, struct hub *hub,
                  struct answerer *answerer, bool commands)
{
    *desk =
        (struct operator_desk){.hub = hub, .answerer = answerer, .source.kind = kind, .commands = commands};
    console_init(&desk->console);
    const int problem = loop_add(loop, &desk->source, STDIN_FILENO, LOOP_READ);
    desk->watched = problem == 0;
    /* A plain file cannot be watched, for it is always ready: the caller pumps until its end. */
    return problem == -EPERM ? 0 : problem;
}

/* Takes "@nick " off the front of a line; an empty nick when it is not there. */
static struct prosa_bytes take_nick(struct prosa_bytes *line)
{
    const uint8_t *blank = line->size > 0 && line->at[0] == '@' ? memchr(line->at, ' ', line->size) : NULL;
    struct prosa_bytes nick = {NULL, 0};
    if (blank != NULL) {
        nick = prosa_bytes(line->at + 1, (size_t)(blank - line->at) - 1);
        *line = prosa_bytes(blank + 1, line->size - nick.size - 2);
    }
    return nick;
}

static void tell(struct operator_desk *desk, struct prosa_bytes nick, struct prosa_bytes line)
{
    switch (moderation_tell(desk->hub, nick, line)) {
    case MODERATION_TOLD:
        break;
    case MODERATION_NOBODY:
        log_say("not sent: no client %.*s is here", (int)nick.size, (const char *)nick.at);
        break;
    case MODERATION_FULL:
        log_say("not sent: %.*s has not taken what was said before", (int)nick.size, (const char *)nick.at);
        break;
    }
}

/* True: the line was a command, and is done with. `//` stands for a text that begins with `/`. */
static bool take_command(struct operator_desk *desk, struct prosa_bytes *line)
{
    if (!desk->commands || line->size == 0 || line->at[0] != '/') {
        return false;
    }
    *line = prosa_bytes(line->at + 1, line->size - 1);
    if (line->size > 0 && line->at[0] == '/') {
        return false;
    }
    verbs_obey(desk->hub, *line);
    return true;
}

static void obey(struct operator_desk *desk, struct prosa_bytes line)
{
    if (take_command(desk, &line)) {
        return;
    }
    const struct prosa_bytes nick = take_nick(&line);
    if (line.size == 0) {
        return;
    }
    if (line.size > TEXT_SIZE || !prosa_text_is_valid(line)) {
        log_say("not sent: a message is 1 to %u octets of UTF-8", TEXT_SIZE);
    } else if (answerer_reply(desk->answerer, nick, line)) {
        clients_settle(desk->hub); /* the answer is said before what the next line says */
    } else if (nick.size == 0) {
        log_say("not sent: no question is open; \"@nick text\" speaks to a client");
    } else {
        tell(desk, nick, line);
    }
}

/* False: `exit`. */
static bool take_lines(struct operator_desk *desk)
{
    for (;;) {
        struct prosa_bytes line;
        switch (console_next(&desk->console, &line)) {
        case CONSOLE_NOTHING:
            return true;
        case CONSOLE_TOO_LONG:
            log_say("not sent: a message is 1 to %u octets of UTF-8", TEXT_SIZE);
            break;
        case CONSOLE_LINE:
            if (prosa_bytes_equal(line, prosa_bytes_of_string("exit"))) {
                return false;
            }
            obey(desk, line);
            break;
        }
    }
}

bool operator_pump(struct operator_desk *desk, struct loop *loop)
{
    do {
        console_read(&desk->console);
        if (!take_lines(desk)) {
            return false;
        }
    } while (!desk->watched && !desk->console.ended);
    if (desk->console.ended) {
        log_event(LOG_LEVEL_INFO, "operator-gone", "why=\"end of the console\"");
        answerer_operator_leaves(desk->answerer); /* [END-12] */
        operator_leave(desk, loop);
    }
    return true;
}

void operator_leave(struct operator_desk *desk, struct loop *loop)
{
    if (desk->watched) {
        loop_remove(loop, &desk->source);
        desk->watched = false;
    }
}
