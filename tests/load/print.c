/* SPDX-License-Identifier: MIT */
#include "print.h"

#include "hex.h"

#include <prosa/json.h>

#include <inttypes.h>
#include <stdio.h>

/* The longest text, each octet at worst six characters, and two quotation marks. */
#define STRING_SIZE (6 * GUEST_TEXT_MAX + 3)

static void add_string(FILE *out, const char *name, struct prosa_bytes text)
{
    char json[STRING_SIZE];
    if (prosa_json_string(text, json, sizeof json) < sizeof json) {
        fprintf(out, ",\"%s\":%s", name, json);
    }
}

static void add_hex(FILE *out, const char *name, const uint8_t *octets, size_t size)
{
    char digits[2 * PROSA_HASH_SIZE + 1];
    hex_print(prosa_bytes(octets, size), digits);
    fprintf(out, ",\"%s\":\"%s\"", name, digits);
}

static void add_u64(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ",\"%s\":\"%" PRIu64 "\"", name, value);
}

/* The line of an event; which goes to the party's file. */
static FILE *begin(const char *event, const struct guest *guest)
{
    FILE *out = guest->party->events;
    fprintf(out, "{\"event\":\"%s\",\"member\":\"%s\"", event, guest->nick);
    return out;
}

static void add_room(FILE *out, const struct prosa_client_event *event)
{
    add_string(out, "room", prosa_bytes(event->room->name, event->room->name_size));
}

static void print_joined(const struct guest *guest, const struct prosa_client_event *event)
{
    FILE *out = begin("joined", guest);
    add_room(out, event);
    add_hex(out, "room_id", event->joined.room_id, PROSA_HASH_SIZE);
    add_hex(out, "epoch", event->joined.epoch, PROSA_EPOCH_SIZE);
    add_hex(out, "server_key", guest->party->server_key, PROSA_KEY_SIZE);
    add_u64(out, "last_counter", event->joined.last_counter);
    add_u64(out, "start_seq", event->joined.start_seq);
    fprintf(out, ",\"lost_history\":%s}\n", event->lost_history ? "true" : "false");
}

static void print_message(const struct guest *guest, const struct prosa_client_event *event)
{
    const struct prosa_deliver *deliver = &event->deliver;
    FILE *out = begin("message", guest);
    add_room(out, event);
    add_u64(out, "room_seq", deliver->room_seq);
    add_string(out, "nick", deliver->nick);
    add_hex(out, "author_key", deliver->author_key, PROSA_KEY_SIZE);
    add_u64(out, "counter", deliver->counter);
    add_u64(out, "sent_at", deliver->sent_at);
    add_u64(out, "server_time", deliver->server_time);
    add_hex(out, "id", event->id, PROSA_HASH_SIZE);
    add_string(out, "text", deliver->text);
    fprintf(out, ",\"own\":%s}\n", event->own ? "true" : "false");
}

static void print_acked(const struct guest *guest, const struct prosa_client_event *event)
{
    if (event->acked_counter == guest->reported_counter) {
        return; /* the limit alone rose */
    }
    FILE *out = begin("acked", guest);
    add_room(out, event);
    add_u64(out, "counter", event->acked_counter);
    if (event->acked_seq != 0) {
        add_u64(out, "room_seq", event->acked_seq);
    }
    fputs("}\n", out);
}

void print_event(const struct guest *guest, const struct prosa_client_event *event)
{
    switch (event->kind) {
    case PROSA_CLIENT_JOINED:
        print_joined(guest, event);
        break;
    case PROSA_CLIENT_MESSAGE:
        print_message(guest, event);
        break;
    case PROSA_CLIENT_ACKED:
        print_acked(guest, event);
        break;
    default:
        break; /* the rest is no part of a history, or the end of the crowd */
    }
}

void print_said(const struct guest *guest, struct prosa_bytes text)
{
    FILE *out = begin("said", guest);
    add_string(out, "room", prosa_bytes_of_string(guest->room));
    add_string(out, "text", text);
    fputs("}\n", out);
}

void print_lost(const struct guest *guest, const char *how, const char *reason)
{
    FILE *out = stdout;
    fprintf(out, "{\"event\":\"lost\",\"member\":\"%s\"", guest->nick);
    add_string(out, "how", prosa_bytes_of_string(how));
    add_string(out, "reason", prosa_bytes_of_string(reason));
    fputs("}\n", out);
}

void print_done(const char *command, size_t count, uint64_t time_ns, const struct tally_summary *each)
{
    FILE *out = stdout;
    fprintf(out, "{\"event\":\"done\"");
    add_string(out, "command", prosa_bytes_of_string(command));
    fprintf(out,
            ",\"members\":%zu,\"us\":%" PRIu64 ",\"times\":%zu,\"p50_us\":%" PRIu32 ",\"p90_us\":%" PRIu32
            ",\"p99_us\":%" PRIu32 ",\"max_us\":%" PRIu32 "}\n",
            count, time_ns / 1000, each->count, each->p50_us, each->p90_us, each->p99_us, each->max_us);
}

void print_refused(const char *command, const char *why)
{
    FILE *out = stdout;
    fprintf(out, "{\"event\":\"refused\"");
    add_string(out, "command", prosa_bytes_of_string(command));
    add_string(out, "reason", prosa_bytes_of_string(why));
    fputs("}\n", out);
}
