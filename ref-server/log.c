/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <poll.h>
#include <prosa/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE (LOG_TEXT_SIZE + 512)

/* A pipe that polls writable takes this much without waiting. */
#define CHUNK_SIZE 4096u

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static enum log_level lowest = LOG_LEVEL_INFO;
static unsigned dropped;

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_init(enum log_level level)
{
    lowest = level;
}

static bool put(int fd, const char *line, size_t size)
{
    while (size > 0) {
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) {
            return false;
        }
        const ssize_t n = write(fd, line, size < CHUNK_SIZE ? size : CHUNK_SIZE);
        if (n <= 0) {
            return false;
        }
        line += n;
        size -= (size_t)n;
    }
    return true;
}

/* Ends `line`, whose text of `size` octets may have been cut, and prints it. */
static void put_line(int fd, char line[static LINE_SIZE], size_t size)
{
    if (size > LINE_SIZE - 1) {
        size = LINE_SIZE - 1;
    }
    line[size] = '\n';
    if (!put(fd, line, size + 1)) {
        dropped++;
    }
}

static size_t print_time(char *out, size_t size)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    const size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts);
    return used + (size_t)snprintf(out + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    if (level < lowest) {
        return;
    }
    size_t size = print_time(line, sizeof line);
    size += (size_t)snprintf(line + size, sizeof line - size, " %s %s ", level_names[level], event);
    if (dropped > 0) {
        size += (size_t)snprintf(line + size, sizeof line - size, "dropped_lines=%u ", dropped);
        dropped = 0;
    }
    va_start(arguments, format);
    size += (size_t)vsnprintf(line + size, sizeof line - size, format, arguments);
    va_end(arguments);
    put_line(STDERR_FILENO, line, size);
}

void log_say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put_line(STDOUT_FILENO, line, (size_t)size);
}

const char *log_text(struct prosa_bytes text, char out[static LOG_TEXT_SIZE])
{
    prosa_text_sanitize(text, out, LOG_TEXT_SIZE);
    return out;
}
