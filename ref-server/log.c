/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "clock.h"

#include <assert.h>
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

/* Kinds of events that are held back, and for how long after a line of theirs. */
#define FLOODS   16
#define FLOOD_MS 1000u

static struct flood {
    const char *event; /* NULL: free, as are all after it */
    uint64_t printed_ms;
    enum log_level level;
    unsigned held; /* lines since */
} floods[FLOODS];

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

bool log_shows(enum log_level level)
{
    return level >= lowest;
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

/* Begins a line; what follows may be cut. Returns its size so far. */
static size_t begin(char line[static LINE_SIZE], enum log_level level, const char *event)
{
    size_t size = print_time(line, LINE_SIZE);
    size += (size_t)snprintf(line + size, LINE_SIZE - size, " %s %s ", level_names[level], event);
    if (dropped > 0) {
        size += (size_t)snprintf(line + size, LINE_SIZE - size, "dropped_lines=%u ", dropped);
        dropped = 0;
    }
    return size;
}

static bool is_held(const struct flood *flood, uint64_t now_ms)
{
    return now_ms - flood->printed_ms < FLOOD_MS;
}

static void tell_held(bool all)
{
    char line[LINE_SIZE];
    const uint64_t now_ms = clock_now_ms();
    for (struct flood *flood = floods; flood < floods + FLOODS && flood->event != NULL; flood++) {
        if (flood->held > 0 && (all || !is_held(flood, now_ms))) {
            size_t size = begin(line, flood->level, "suppressed");
            size += (size_t)snprintf(line + size, sizeof line - size, "event=%s lines=%u", flood->event,
                                     flood->held);
            put_line(STDERR_FILENO, line, size);
            flood->held = 0;
        }
    }
}

void log_fini(void)
{
    tell_held(true);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    tell_held(false);
    if (!log_shows(level)) {
        return;
    }
    size_t size = begin(line, level, event);
    va_start(arguments, format);
    size += (size_t)vsnprintf(line + size, sizeof line - size, format, arguments);
    va_end(arguments);
    put_line(STDERR_FILENO, line, size);
}

void log_flood(enum log_level level, const char *event, const char *format, ...)
{
    const uint64_t now_ms = clock_now_ms();
    struct flood *flood = floods;
    char line[LINE_SIZE];
    va_list arguments;

    tell_held(false);
    if (!log_shows(level)) {
        return;
    }
    while (flood < floods + FLOODS && flood->event != NULL && strcmp(flood->event, event) != 0) {
        flood++;
    }
    assert(flood < floods + FLOODS);
    if (flood->event != NULL && is_held(flood, now_ms)) {
        flood->held++;
        return;
    }
    *flood = (struct flood){.event = event, .level = level, .printed_ms = now_ms};
    size_t size = begin(line, level, event);
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

const char *log_value(struct prosa_bytes text, char out[static LOG_VALUE_SIZE])
{
    size_t size = 0;
    text.size = text.size < TEXT_SIZE ? text.size : TEXT_SIZE;
    out[size++] = '"';
    for (;;) {
        const uint8_t *quote = text.size > 0 ? memchr(text.at, '"', text.size) : NULL;
        const size_t before = quote != NULL ? (size_t)(quote - text.at) : text.size;
        size += prosa_text_sanitize(prosa_bytes(text.at, before), out + size, LOG_VALUE_SIZE - size);
        if (quote == NULL) {
            break;
        }
        out[size++] = '\\';
        out[size++] = '"';
        text = prosa_bytes(quote + 1, text.size - before - 1);
    }
    out[size++] = '"';
    out[size] = '\0';
    return out;
}
