/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NS_A_SECOND 1e9

struct span span_begin(const struct load *load)
{
    struct span span = {.self = {0}};
    const struct watched self = {.pid = getpid()};
    if (load->plan->watched.pid > 0) {
        watch_forget_peak(load->plan->watched.pid);
        span.server = watch_read(&load->plan->watched);
    }
    watch_forget_peak(self.pid);
    span.self = watch_read(&self);
    return span;
}

/* A string of JSON; what is no plain letter becomes a dot, for it may be a peer's word. */
static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        putchar(*text >= ' ' && *text < 0x7F && *text != '"' && *text != '\\' ? *text : '.');
    }
    putchar('"');
}

static void print_watch(const char *name, const struct watch *watch)
{
    printf(", \"%s\": {\"seconds\": %.6f, \"cpu_s\": %.6f, \"verifier_s\": %.6f, \"switches\": %" PRIu64
           ", \"rss\": %" PRIu64 ", \"peak_rss\": %" PRIu64 "}",
           name, (double)watch->at_ns / NS_A_SECOND, (double)watch->cpu_ns / NS_A_SECOND,
           (double)watch->verifier_ns / NS_A_SECOND, watch->switches, watch->rss, watch->peak_rss);
}

static void print_sides(const struct load *load, const struct span *span)
{
    const struct watched itself = {.pid = getpid()};
    const struct watch self = watch_read(&itself);
    const struct watch self_since = watch_since(&span->self, &self);
    print_watch("load", &self_since);
    if (load->plan->watched.pid > 0) {
        const struct watch server = watch_read(&load->plan->watched);
        const struct watch server_since = watch_since(&span->server, &server);
        print_watch("server", &server_since);
    }
}

static void print_each(const struct tally_summary *each)
{
    printf(", \"each_us\": {\"count\": %zu, \"p50\": %" PRIu32 ", \"p90\": %" PRIu32 ", \"p99\": %" PRIu32
           ", \"max\": %" PRIu32 "}",
           each->count, each->p50_us, each->p90_us, each->p99_us, each->max_us);
}

void report_step(const struct load *load, const char *event, const struct span *span,
                 const struct tally_summary *each)
{
    const double seconds = (double)(clock_now_ns() - span->self.at_ns) / NS_A_SECOND;
    printf("{\"event\": \"%s\", \"members\": %" PRIu32 ", \"seconds\": %.6f", event, load->member_count,
           seconds);
    print_each(each);
    print_sides(load, span);
    puts("}");
    fflush(stdout);
}

/* What readers must have been shown of each writer: of a replay all that there is; of a flood beyond all
 * credit nothing, for whoever is sent away misses some. */
static uint64_t *count_said(const struct load *load, uint64_t *sum)
{
    const struct plan *plan = load->plan;
    uint64_t *said = calloc(plan->writers + 1, sizeof *said);
    *sum = 0;
    for (uint32_t i = 0; said != NULL && i < plan->writers; i++) {
        const struct speech *speech = &load->speeches[i];
        const uint64_t sent = speech->stride > 0 ? speech->sent / speech->stride : plan->posts;
        said[i] = plan->over > 0 ? 0 : sent;
        *sum += sent;
    }
    return said;
}

static void print_faults(const struct load *load, const uint64_t *said)
{
    const struct judge_faults faults = judge_sum(&load->judge, said);
    printf(", \"faults\": {\"lost\": %" PRIu64 ", \"doubled\": %" PRIu64 ", \"reordered\": %" PRIu64
           ", \"altered\": %" PRIu64 ", \"gaps\": %" PRIu64 ", \"gone\": %" PRIu32 "}",
           faults.lost, faults.doubled, faults.reordered, faults.altered, faults.gaps,
           load->plan->over > 0 ? 0 : load->gone);
}

/* The least window that a writer had, where the server grants less than was asked for; else 0. */
static uint32_t granted_of(const struct load *load)
{
    uint32_t window = load->plan->window;
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        const uint32_t granted = load->speeches[i].granted;
        window = granted > 0 && granted < window ? granted : window;
    }
    return window < load->plan->window ? window : 0;
}

void report_done(struct load *load, const struct span *span, uint64_t end_ns)
{
    const struct judge *judge = &load->judge;
    const uint64_t began_ns = span->self.at_ns;
    const double seconds = end_ns > began_ns ? (double)(end_ns - began_ns) / NS_A_SECOND : 0;
    const struct tally_summary each = tally_sum(&load->judge.times);
    uint64_t posts;
    const uint32_t granted = granted_of(load);
    uint64_t *said = count_said(load, &posts);
    if (said == NULL) {
        report_failed("no memory");
        return;
    }
    printf("{\"event\": \"done\", \"run\": %" PRIu32 ", \"granted\": %" PRIu32 ", \"members\": %" PRIu32
           ", \"seconds\": %.6f"
           ", \"posts\": %" PRIu64 ", \"deliveries\": %" PRIu64 ", \"foreign\": %" PRIu64
           ", \"verified\": %" PRIu64 ", \"returned\": %" PRIu32 ", \"cut\": %" PRIu32,
           judge->run, granted, load->member_count, seconds, posts, judge->deliveries, judge->foreign,
           load->verified, load->returned, load->cut);
    print_each(&each);
    print_faults(load, said);
    print_sides(load, span);
    printf(", \"why\": ");
    print_text(load->why);
    puts("}");
    fflush(stdout);
    free(said);
}

void report_word(const char *event)
{
    printf("{\"event\": \"%s\"}\n", event);
    fflush(stdout);
}

void report_failed(const char *why)
{
    printf("{\"event\": \"failed\", \"why\": ");
    print_text(why);
    puts("}");
    fflush(stdout);
}
