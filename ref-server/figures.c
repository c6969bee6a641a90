/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define NS_A_SECOND UINT64_C(1000000000)

/* The page has a place for every line: their number is fixed, and so is the length of their names. */
__attribute__((format(printf, 2, 3))) static void put(struct figures *page, const char *format, ...)
{
    const size_t space = sizeof page->text - page->size;
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(page->text + page->size, space, format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < space);
    page->size += (size_t)size;
}

static void head(struct figures *page, const char *type, const char *name, const char *help)
{
    put(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct figures *page, const char *series, uint64_t number)
{
    put(page, "%s %llu\n", series, (unsigned long long)number);
}

/* A number with digits behind its point, whatever the locale. */
static void fraction(struct figures *page, const char *series, uint64_t number, uint64_t of, int digits)
{
    put(page, "%s %llu.%0*llu\n", series, (unsigned long long)(number / of), digits,
        (unsigned long long)(number % of));
}

static void gauge(struct figures *page, const char *name, uint64_t number, const char *help)
{
    head(page, "gauge", name, help);
    value(page, name, number);
}

static void counter(struct figures *page, const char *name, uint64_t number, const char *help)
{
    head(page, "counter", name, help);
    value(page, name, number);
}

static void put_process(struct figures *page, const struct stats *stats)
{
    head(page, "gauge", "prosa_build_info", "The version that runs; always 1.");
    value(page, "prosa_build_info{version=\"" PROSA_SERVER_VERSION "\"}", 1);
    head(page, "gauge", "process_start_time_seconds", "When the server started, in seconds since 1970.");
    fraction(page, "process_start_time_seconds", stats->started_ms, 1000, 3);
}

static void put_people(struct figures *page, const struct stats *stats)
{
    gauge(page, "prosa_connections", stats->strangers + stats->clients,
          "Connections now, authenticated or not.");
    gauge(page, "prosa_sessions", stats->clients, "Authenticated clients now.");
    gauge(page, "prosa_rooms", stats->rooms, "Rooms in memory: with members, or with something on its way.");
    counter(page, "prosa_connections_accepted_total", stats->accepted_connections,
            "Connections taken in so far.");
    counter(page, "prosa_connections_refused_total", stats->refused_connections,
            "Connections closed at once, for want of a place for strangers.");
    counter(page, "prosa_connections_evicted_total", stats->evicted_connections,
            "Strangers who had said nothing, closed to give their place to another.");
    counter(page, "prosa_sessions_opened_total", stats->sessions, "Clients that authenticated so far.");
}

static void put_work(struct figures *page, const struct stats *stats)
{
    counter(page, "prosa_messages_accepted_total", stats->accepted,
            "Messages of clients that were committed so far.");
    gauge(page, "prosa_undecided_octets", stats->undecided,
          "Octets of messages that were read and are not committed.");
    head(page, "gauge", "prosa_queue_depth",
         "What waits: signatures to be checked, records to be written to the log.");
    value(page, "prosa_queue_depth{queue=\"verify\"}", stats->verifying);
    value(page, "prosa_queue_depth{queue=\"commit\"}", stats->committing);
    counter(page, "prosa_verified_total", stats->verified, "Signatures checked so far.");
    head(page, "counter", "prosa_verify_seconds_total", "Time spent on signatures, on all threads.");
    fraction(page, "prosa_verify_seconds_total", stats->verify_ns, NS_A_SECOND, 9);
    counter(page, "prosa_commits_total", stats->commits, "Transactions of the log so far, good or not.");
    counter(page, "prosa_commit_failures_total", stats->commit_failures,
            "Transactions of the log that failed.");
    head(page, "counter", "prosa_octets_total", "Octets of the protocol so far.");
    value(page, "prosa_octets_total{direction=\"in\"}", stats->octets_in);
    value(page, "prosa_octets_total{direction=\"out\"}", stats->octets_out);
}

/* All codes from the start, so that a rate has a zero to begin with. */
static void put_refused(struct figures *page, const struct stats *stats)
{
    head(page, "counter", "prosa_refused_total", "ERRORs and BYEs that ended a session, by their code.");
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++) {
        put(page, "prosa_refused_total{code=\"%s\"} %llu\n", prosa_registry_codes[i].name,
            (unsigned long long)stats->refused[i]);
    }
}

void figures_print(struct figures *page, const struct stats *stats)
{
    page->size = 0;
    put_process(page, stats);
    put_people(page, stats);
    put_work(page, stats);
    put_refused(page, stats);
}
