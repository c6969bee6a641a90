/* SPDX-License-Identifier: MIT */
/* IRC. A server does not show its own messages to whoever writes, so writers are apart: they speak from
 * outside of the channel, which its settings allow. */
#include "words.h"

#include <stdio.h>

#define CHANNEL "#bench"

static bool greet(struct member *member)
{
    char words[96];
    snprintf(words, sizeof words, "NICK %s\r\nUSER bench 0 * :bench\r\n", member->nick);
    return words_say(member, words);
}

static bool join(struct member *member)
{
    if (member->writer != MEMBER_NOBODY) {
        member_has_joined(member);
        return true;
    }
    return words_say(member, "JOIN " CHANNEL "\r\n");
}

/* The words of a line from the `number`th on, counted from 0. */
static struct prosa_bytes from_word(struct prosa_bytes line, unsigned number)
{
    while (number-- > 0) {
        const uint8_t *space = line.size > 0 ? memchr(line.at, ' ', line.size) : NULL;
        const size_t size = space != NULL ? (size_t)(space - line.at) + 1 : line.size;
        line = prosa_bytes(line.at + size, line.size - size);
    }
    return line;
}

static bool take_command(struct member *member, struct prosa_bytes line, struct prosa_bytes command)
{
    struct body body;
    if (words_begin(command, "PRIVMSG " CHANNEL " :")) {
        const size_t before = sizeof "PRIVMSG " CHANNEL " :" - 1;
        if (command.size < before + 2 || command.at[command.size - 2] != '\r') {
            return words_broken(member, line) != DIALECT_BROKEN;
        }
        (void)load_shown(member, prosa_bytes(command.at + before, command.size - before - 2),
                         prosa_bytes(NULL, 0), &body);
    } else if (member->stage == MEMBER_GREETING &&
               (words_begin(command, "376 ") || words_begin(command, "422 "))) { /* end of the greeting */
        member_is_present(member);
    } else if (member->stage == MEMBER_JOINING && words_begin(command, "366 ")) { /* end of the names */
        member_has_joined(member);
    } else if (words_begin(command, "4")) { /* an error, such as 404: may not speak there */
        return words_broken(member, line) != DIALECT_BROKEN;
    }
    return true;
}

static bool take_line(struct member *member, struct prosa_bytes line)
{
    if (words_begin(line, "PING ")) {
        return member_say(member, "PONG ", 5) && member_say(member, line.at + 5, line.size - 5);
    }
    if (words_begin(line, "ERROR ")) {
        return words_broken(member, line) != DIALECT_BROKEN;
    }
    return take_command(member, line, words_begin(line, ":") ? from_word(line, 1) : line);
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    size_t done = 0, line;
    while ((line = words_line(prosa_bytes(at + done, size - done))) != 0) {
        if (!take_line(member, prosa_bytes(at + done, line))) {
            return DIALECT_BROKEN;
        }
        done += line;
    }
    return done;
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    return words_write(member, "PRIVMSG " CHANNEL " :", index, out, cap);
}

const struct dialect dialect_irc = {.name = "irc",
                                    .writers_apart = true,
                                    .repeats = true,
                                    .greet = greet,
                                    .take = take,
                                    .join = join,
                                    .write = write_post};
