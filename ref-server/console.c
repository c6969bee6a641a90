/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <unistd.h>

void console_init(struct console *console)
{
    *console = (struct console){0};
}

void console_read(struct console *console)
{
    console->size -= console->at;
    memmove(console->octets, console->octets + console->at, console->size);
    console->at = 0;

    const ssize_t n = read(STDIN_FILENO, console->octets + console->size, CONSOLE_SIZE - console->size);
    if (n > 0) {
        console->size += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        console->ended = true;
    }
}

enum console_result console_next(struct console *console, struct prosa_bytes *line)
{
    const char *start = console->octets + console->at;
    const size_t left = console->size - console->at;
    const char *end = memchr(start, '\n', left);

    if (end == NULL && left == CONSOLE_SIZE) {
        console->skipping = true;
        console->size = 0;
    }
    if (end == NULL && (!console->ended || left == 0)) {
        return CONSOLE_NOTHING;
    }
    *line = prosa_bytes(start, end == NULL ? left : (size_t)(end - start));
    console->at += end == NULL ? left : line->size + 1;
    if (end != NULL && line->size > 0 && end[-1] == '\r') {
        line->size--; /* section 13.4, for both consoles */
    }
    if (console->skipping) {
        console->skipping = false;
        return CONSOLE_TOO_LONG;
    }
    return CONSOLE_LINE;
}
