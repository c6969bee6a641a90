/* SPDX-License-Identifier: MIT */
#include "operator.h"

#include "log.h"

#include <errno.h>
#include <prosa/text.h>
#include <unistd.h>

int operator_init(struct operator_desk *desk, struct loop *loop, int kind, struct clients *clients,
                  struct answerer *answerer)
{
    *desk = (struct operator_desk){.clients = clients, .answerer = answerer, .source.kind = kind};
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
    switch (clients_tell(desk->clients, nick, line)) {
    case CLIENTS_TOLD:
        break;
    case CLIENTS_NOBODY:
        log_say("not sent: no client %.*s is here", (int)nick.size, (const char *)nick.at);
        break;
    case CLIENTS_FULL:
        log_say("not sent: %.*s has not taken what was said before", (int)nick.size, (const char *)nick.at);
        break;
    }
}

static void obey(struct operator_desk *desk, struct prosa_bytes line)
{
    const struct prosa_bytes nick = take_nick(&line);
    if (line.size == 0) {
        return;
    }
    if (line.size > TEXT_SIZE || !prosa_text_is_valid(line)) {
        log_say("not sent: a message is 1 to %u octets of UTF-8", TEXT_SIZE);
    } else if (answerer_reply(desk->answerer, nick, line)) {
        return;
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
        log_event(LOG_LEVEL_INFO, "operator-gone", "end of the console: serving on");
        answerer_operator_leaves(desk->answerer); /* [END-12] */
        if (desk->watched) {
            loop_remove(loop, &desk->source);
            desk->watched = false;
        }
    }
    return true;
}
