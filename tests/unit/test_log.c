/* SPDX-License-Identifier: MIT */
/* The server's log: what a stranger says forges nothing, and what he causes does not fill the disk. The
 * clock is the test's. */
#include "log.h"

#include "check.h"

#include <clock.h>
#include <fcntl.h>
#include <unistd.h>

static uint64_t now_ms = 5000;

uint64_t clock_now_ms(void)
{
    return now_ms;
}

static int printed[2]; /* a pipe: what went to stderr */

/* All that was printed since, without the times; valid until the next call. */
static const char *lines(void)
{
    static char raw[65536], out[65536];
    const ssize_t size = read(printed[0], raw, sizeof raw - 1);
    char *rest = raw;
    size_t used = 0;
    out[0] = '\0';
    raw[size > 0 ? size : 0] = '\0';
    while (rest[0] != '\0') {
        const char *line = strsep(&rest, "\n");
        const char *blank = strchr(line, ' ');
        used += (size_t)snprintf(out + used, sizeof out - used, "%s\n", blank != NULL ? blank + 1 : line);
    }
    return out;
}

static bool value_is(const char *text, size_t size, const char *expected)
{
    static char out[LOG_VALUE_SIZE];
    return strcmp(log_value(prosa_bytes(text, size), out), expected) == 0;
}

static void test_value(void)
{
    PROSA_CLAUSE("MSG-19");
    CHECK(value_is("", 0, "\"\""));
    CHECK(value_is("so long", 7, "\"so long\""));
    CHECK(value_is("a\" code=NORMAL x=\"", 18, "\"a\\\" code=NORMAL x=\\\"\""));
    CHECK(value_is("a\n2026-01-01", 12, "\"a\\u000a2026-01-01\""));
    CHECK(value_is("\\\"", 2, "\"\\\\\\\"\""));
    CHECK(value_is("\\", 1, "\"\\\\\""));
    CHECK(value_is("\0\xff\"", 3, "\"\\u0000\xEF\xBF\xBD\\\"\""));
    CHECK(value_is("\xE2\"\x82", 3, "\"\xEF\xBF\xBD\\\"\xEF\xBF\xBD\""));
}

static void test_longest_value(void)
{
    static char text[TEXT_SIZE + 5], out[LOG_VALUE_SIZE];
    memset(text, '\x01', sizeof text);
    CHECK(strlen(log_value(prosa_bytes(text, sizeof text), out)) == 6 * TEXT_SIZE + 2);
    memset(text, '"', sizeof text);
    CHECK(strlen(log_value(prosa_bytes(text, sizeof text), out)) == 2 * TEXT_SIZE + 2);
}

static void test_level(void)
{
    log_init(LOG_LEVEL_WARN);
    log_event(LOG_LEVEL_INFO, "small", "a=1");
    log_flood(LOG_LEVEL_INFO, "small-flood", "a=1");
    log_event(LOG_LEVEL_WARN, "large", "a=%d", 2);
    CHECK(strcmp(lines(), "warn large a=2\n") == 0);
    log_init(LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_DEBUG, "small", "a=1");
    CHECK(strcmp(lines(), "debug small a=1\n") == 0);
}

static void test_flood(void)
{
    for (int i = 0; i < 1000; i++) {
        log_flood(LOG_LEVEL_WARN, "full", "i=%d", i);
        log_flood(LOG_LEVEL_INFO, "gone", "i=%d", i);
    }
    CHECK(strcmp(lines(), "warn full i=0\ninfo gone i=0\n") == 0);
    log_event(LOG_LEVEL_INFO, "other", "a=1");
    CHECK(strcmp(lines(), "info other a=1\n") == 0);
    now_ms += 1000;
    log_flood(LOG_LEVEL_WARN, "full", "i=1000");
    CHECK(strcmp(lines(), "warn suppressed event=full lines=999\n"
                          "info suppressed event=gone lines=999\n"
                          "warn full i=1000\n") == 0);
}

static void test_held_lines_are_told_with_any_event_and_at_the_end(void)
{
    log_flood(LOG_LEVEL_WARN, "full", "i=1");
    now_ms += 1000;
    log_event(LOG_LEVEL_INFO, "other", "a=1");
    CHECK(strcmp(lines(), "warn suppressed event=full lines=1\ninfo other a=1\n") == 0);
    log_flood(LOG_LEVEL_WARN, "full", "i=2");
    log_flood(LOG_LEVEL_WARN, "full", "i=3");
    log_fini();
    CHECK(strcmp(lines(), "warn full i=2\nwarn suppressed event=full lines=1\n") == 0);
    log_fini();
    CHECK(strcmp(lines(), "") == 0);
}

static void test_nobody_reads(void)
{
    unsigned count = 0;
    for (; count < 20000; count++) {
        log_event(LOG_LEVEL_INFO, "unread", "a=1");
    }
    while (lines()[0] != '\0') {
    }
    log_event(LOG_LEVEL_INFO, "read", "a=1");
    const char *line = lines();
    unsigned dropped = 0;
    CHECK(sscanf(line, "info read dropped_lines=%u a=1\n", &dropped) == 1);
    CHECK(dropped > 0 && dropped < count);
}

int main(void)
{
    const int terminal = dup(STDERR_FILENO);
    if (terminal < 0 || pipe2(printed, O_NONBLOCK) != 0 || dup2(printed[1], STDERR_FILENO) < 0) {
        return 1;
    }
    setvbuf(stderr, NULL, _IOFBF, BUFSIZ); /* what CHECK says goes to the terminal, at the end */
    test_value();
    test_longest_value();
    test_level();
    test_flood();
    test_held_lines_are_told_with_any_event_and_at_the_end();
    test_nobody_reads();
    dup2(terminal, STDERR_FILENO);
    return check_result();
}
