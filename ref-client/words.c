/* SPDX-License-Identifier: MIT */
#include "words.h"

#include "keyfile.h"

#include <prosa/text.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* The longest text is 4,096 octets, each at worst six characters. */
#define SAFE_SIZE (6 * 4096 + 1)

#define DIM    "\033[2m"
#define BOLD   "\033[1m"
#define NORMAL "\033[0m"

#define ANY_COLOUR "\033[39m"

static void write_safe(FILE *out, struct prosa_bytes text)
{
    char safe[SAFE_SIZE];
    const size_t size = prosa_text_sanitize(text, safe, sizeof safe);
    assert(size < sizeof safe);
    (void)size;
    fputs(safe, out);
}

/* A line feed in a text begins a new, indented line; no other control does anything [MSG-19]. */
static void write_text(FILE *out, struct prosa_bytes text)
{
    const uint8_t *feed = memchr(text.at, '\n', text.size);
    while (feed != NULL) {
        const size_t size = (size_t)(feed - text.at);
        write_safe(out, prosa_bytes(text.at, size));
        fputs("\n         ", out);
        text = prosa_bytes(feed + 1, text.size - size - 1);
        feed = memchr(text.at, '\n', text.size);
    }
    write_safe(out, text);
}

/* HH:MM:SS of this place. */
static void write_time(FILE *out, uint64_t unix_ms)
{
    char text[16] = "--:--:--";
    struct tm local;
    const time_t seconds = (time_t)(unix_ms / 1000);
    if (localtime_r(&seconds, &local) != NULL) {
        strftime(text, sizeof text, "%H:%M:%S", &local);
    }
    fputs(text, out);
}

/* The colour is the key's for ever: red, green, yellow, blue, magenta or cyan of the terminal. */
static void write_name(FILE *out, struct words_style style, struct prosa_bytes nick,
                       const uint8_t key[static PROSA_KEY_SIZE])
{
    char suffix[KEY_SUFFIX_SIZE];
    key_suffix_format(key, suffix);
    if (style.has_colour) {
        fprintf(out, "\033[%lum", 31 + strtoul(suffix, NULL, 16) % 6);
    }
    write_safe(out, nick);
    fprintf(out, "#%s%s", suffix, style.has_colour ? ANY_COLOUR : "");
}

static void write_room(FILE *out, struct words_style style, const struct report *report)
{
    if (style.names_room && report->room.size > 0) {
        fputc('[', out);
        write_safe(out, report->room);
        fputs("] ", out);
    }
}

static void write_message(FILE *out, struct words_style style, const struct report *report)
{
    const struct prosa_client_event *event = report->event;
    const struct prosa_deliver *deliver = &event->deliver;
    write_time(out, deliver->server_time);
    fputc(' ', out);
    write_room(out, style, report);
    style.has_colour = style.has_colour && !event->own; /* what is dimmed as a whole stays so */
    write_name(out, style, deliver->nick, deliver->author_key);
    if (deliver->has_display) {
        fputs(" (", out);
        write_safe(out, deliver->display);
        fputc(')', out);
    }
    /* Only what verified comes here. */
    fputs(style.is_utf8 ? " \u2713" : " +", out);
    if (deliver->has_reply_to) {
        fputs(style.is_utf8 ? " \u21b3" : " re:", out);
    }
    fputc(' ', out);
    write_text(out, deliver->text);
}

static void write_joined(FILE *out, const struct report *report)
{
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(report->server_key, fingerprint);
    fputs("* joined ", out);
    write_safe(out, report->room);
    fprintf(out, " at the server with the key %s", fingerprint);
    if (report->event->lost_history) {
        fputs("; messages from before are lost", out);
    }
}

static void write_member(FILE *out, struct words_style style, const struct report *report)
{
    const struct prosa_member *member = &report->event->member;
    fputs("* ", out);
    write_room(out, style, report);
    if (member->event == PROSA_EVENT_COUNT) {
        fprintf(out, "%" PRIu32 " members are here", member->count);
        return;
    }
    if (member->event == PROSA_EVENT_RESYNC) {
        fputs("the list of members begins anew", out);
        return;
    }
    write_name(out, style, member->nick, member->member_key);
    fputs(member->event == PROSA_EVENT_HERE     ? " is here"
          : member->event == PROSA_EVENT_JOINED ? " joined"
                                                : " left",
          out);
}

static void write_error(FILE *out, struct words_style style, const struct report *report)
{
    const char *name = prosa_code_name(report->code);
    fputs("! ", out);
    write_room(out, style, report);
    fputs(report->from_server ? "the server says " : "", out);
    if (name != NULL) {
        fputs(name, out);
    } else {
        fprintf(out, "code 0x%04x", report->code);
    }
    if (report->counter != 0) {
        fprintf(out, " about message %" PRIu64, report->counter);
    }
    fputs(": ", out);
    write_safe(out, report->reason);
}

static void write_closed(FILE *out, const struct report *report)
{
    if (report->unacked > 0) {
        fprintf(out, "! %zu message%s may not have arrived", report->unacked,
                report->unacked == 1 ? "" : "s");
    }
    if (report->unsent > 0) {
        fprintf(out, "%s%zu line%s not sent", report->unacked > 0 ? ", " : "! ", report->unsent,
                report->unsent == 1 ? " was" : "s were");
    }
}

/* False for what a person is not told. */
static bool is_told(const struct report *report)
{
    return report->kind != REPORT_ACKED &&
           (report->kind != REPORT_CLOSED || report->unsent > 0 || report->unacked > 0);
}

static const char *emphasis(const struct report *report)
{
    switch (report->kind) {
    case REPORT_ALARM:
    case REPORT_ERROR:
    case REPORT_DISCONNECTED:
        return BOLD;
    case REPORT_MESSAGE:
        return report->event->own ? DIM : "";
    default:
        return "";
    }
}

void words_write(FILE *out, struct words_style style, const struct report *report)
{
    if (!is_told(report)) {
        return;
    }
    const char *start = style.has_emphasis ? emphasis(report) : "";
    fputs(start, out);
    switch (report->kind) {
    case REPORT_NOTE:
    case REPORT_ALARM:
    case REPORT_DISCONNECTED:
        fputs("* ", out);
        write_text(out, report->reason);
        break;
    case REPORT_JOINED:
        write_joined(out, report);
        break;
    case REPORT_MESSAGE:
        write_message(out, style, report);
        break;
    case REPORT_MEMBER:
        write_member(out, style, report);
        break;
    case REPORT_ERROR:
        write_error(out, style, report);
        break;
    case REPORT_CLOSED:
        write_closed(out, report);
        break;
    case REPORT_ACKED:
        break;
    }
    fprintf(out, "%s\n", start[0] != '\0' ? NORMAL : "");
    fflush(out);
}
