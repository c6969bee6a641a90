/* SPDX-License-Identifier: MIT */
#include "events.h"

#include "hex.h"

#include <prosa/json.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* The longest text is 4,096 octets, each at worst six characters, and two quotation marks. */
#define STRING_SIZE (6 * 4096 + 3)

static void begin(const char *event)
{
    printf("{\"event\":\"%s\"", event);
}

static void end(void)
{
    puts("}");
    fflush(stdout);
}

static void add_string(const char *name, struct prosa_bytes text)
{
    char json[STRING_SIZE];
    const size_t size = prosa_json_string(text, json, sizeof json);
    assert(size < sizeof json);
    (void)size;
    printf(",\"%s\":%s", name, json);
}

static void add_hex(const char *name, const uint8_t *octets, size_t size)
{
    char digits[2 * PROSA_HASH_SIZE + 1];
    assert(2 * size < sizeof digits);
    hex_print(prosa_bytes(octets, size), digits);
    printf(",\"%s\":\"%s\"", name, digits);
}

/* [WIRE-34]: many readers of JSON round numbers above 2^53. */
static void add_u64(const char *name, uint64_t value)
{
    printf(",\"%s\":\"%" PRIu64 "\"", name, value);
}

static void add_number(const char *name, uint64_t value)
{
    printf(",\"%s\":%" PRIu64, name, value);
}

static void add_bool(const char *name, bool value)
{
    printf(",\"%s\":%s", name, value ? "true" : "false");
}

static void add_code(uint16_t code)
{
    const char *name = prosa_code_name(code);
    if (name != NULL) {
        printf(",\"code\":\"%s\"", name);
    } else {
        add_number("code", code);
    }
}

static void add_joined(const struct report *report)
{
    const struct prosa_joined *joined = &report->event->joined;
    add_string("room", report->room);
    add_hex("room_id", joined->room_id, PROSA_HASH_SIZE);
    add_hex("epoch", joined->epoch, PROSA_EPOCH_SIZE);
    add_hex("server_key", report->server_key, PROSA_KEY_SIZE);
    add_u64("last_counter", joined->last_counter);
    add_u64("start_seq", joined->start_seq);
    add_bool("lost_history", report->event->lost_history);
}

static void add_message(const struct report *report)
{
    const struct prosa_deliver *deliver = &report->event->deliver;
    add_string("room", report->room);
    add_u64("room_seq", deliver->room_seq);
    add_string("nick", deliver->nick);
    add_hex("author_key", deliver->author_key, PROSA_KEY_SIZE);
    add_u64("counter", deliver->counter);
    add_u64("sent_at", deliver->sent_at);
    add_u64("server_time", deliver->server_time);
    add_hex("id", report->event->id, PROSA_HASH_SIZE);
    add_string("text", deliver->text);
    add_bool("own", report->event->own);
    if (deliver->has_display) {
        add_string("display", deliver->display);
    }
    if (deliver->has_reply_to) {
        add_hex("reply_to", deliver->reply_to, PROSA_HASH_SIZE);
    }
}

static void add_member(const struct report *report)
{
    const struct prosa_member *member = &report->event->member;
    add_string("room", report->room);
    for (size_t i = 0; i < PROSA_EVENTS_COUNT; i++) {
        if (prosa_registry_events[i].value == member->event) {
            add_string("change", prosa_bytes_of_string(prosa_registry_events[i].name));
        }
    }
    if (member->has_nick) {
        add_string("nick", member->nick);
    }
    if (member->has_member_key) {
        add_hex("member_key", member->member_key, PROSA_KEY_SIZE);
    }
    if (member->has_count) {
        add_number("count", member->count);
    }
}

static void add_acked(const struct report *report)
{
    add_string("room", report->room);
    add_u64("counter", report->counter);
    if (report->room_seq != 0) {
        add_u64("room_seq", report->room_seq);
    }
}

static void add_error(const struct report *report)
{
    printf(",\"from\":\"%s\"", report->from_server ? "server" : "client");
    add_code(report->code);
    add_string("reason", report->reason);
    if (report->room.size > 0) {
        add_string("room", report->room);
    }
    if (report->counter != 0) {
        add_u64("counter", report->counter);
    }
    if (report->text.size > 0) {
        add_string("text", report->text);
    }
}

static void add_closed(const struct report *report)
{
    printf(",\"exit\":%d", report->exit);
    if (report->code != 0) {
        add_code(report->code);
    } else {
        printf(",\"code\":null");
    }
    add_string("reason", report->reason);
    add_number("unsent", report->unsent);
    add_number("unacked", report->unacked);
}

void events_write(const struct report *report)
{
    assert(report->kind != REPORT_NOTE && report->kind != REPORT_ALARM);
    switch (report->kind) {
    case REPORT_NOTE:
    case REPORT_ALARM:
        return;
    case REPORT_JOINED:
        begin("joined");
        add_joined(report);
        break;
    case REPORT_MESSAGE:
        begin("message");
        add_message(report);
        break;
    case REPORT_MEMBER:
        begin("member");
        add_member(report);
        break;
    case REPORT_ACKED:
        begin("acked");
        add_acked(report);
        break;
    case REPORT_ERROR:
        begin("error");
        add_error(report);
        break;
    case REPORT_DISCONNECTED:
        begin("disconnected");
        printf(",\"how\":\"%s\"", report->how);
        add_bool("again", report->again);
        add_string("reason", report->reason);
        break;
    case REPORT_CLOSED:
        begin("closed");
        add_closed(report);
        break;
    }
    end();
}
