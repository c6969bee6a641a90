/* SPDX-License-Identifier: MIT */
/* MQTT 3.1.1, quality of service 0. */
#include "../load.h"

#include <stdio.h>

#define TOPIC      "bench"
#define TOPIC_SIZE (sizeof TOPIC - 1)

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, SUBSCRIBE = 0x82, SUBACK = 0x90 };

/* A packet is its type, a length of seven bits an octet, the low ones first, and so many octets. */
static size_t write_header(uint8_t *out, uint8_t type, size_t length)
{
    size_t at = 0;
    out[at++] = type;
    do {
        out[at] = (uint8_t)(length & 127);
        length >>= 7;
        out[at] |= length > 0 ? 128 : 0;
        at++;
    } while (length > 0);
    return at;
}

static size_t write_text(uint8_t *out, const char *text)
{
    const struct prosa_bytes octets = prosa_bytes_of_string(text);
    prosa_store_u16(out, (uint16_t)octets.size);
    memcpy(out + 2, octets.at, octets.size);
    return 2 + octets.size;
}

static bool greet(struct member *member)
{
    static const uint8_t settings[] = {4 /* 3.1.1 */, 2 /* a clean session */, 0, 0 /* no keep-alive */};
    uint8_t packet[64], body[48];
    size_t size = write_text(body, "MQTT");
    memcpy(body + size, settings, sizeof settings);
    size += sizeof settings;
    size += write_text(body + size, member->nick);
    const size_t header = write_header(packet, CONNECT, size);
    memcpy(packet + header, body, size);
    return member_say(member, packet, header + size);
}

static bool join(struct member *member)
{
    uint8_t packet[32];
    const size_t header = write_header(packet, SUBSCRIBE, 2 + 2 + TOPIC_SIZE + 1);
    prosa_store_u16(packet + header, 1);
    const size_t size = header + 2 + write_text(packet + header + 2, TOPIC);
    packet[size] = 0; /* quality of service */
    return member_say(member, packet, size + 1);
}

/* The whole packet at the start of `octets`; 0 while it is not whole. */
static size_t find_packet(struct prosa_bytes octets, struct prosa_bytes *body)
{
    size_t length = 0, at = 1;
    for (unsigned shift = 0; at < octets.size && shift < 28; shift += 7) {
        const uint8_t octet = octets.at[at++];
        length |= (size_t)(octet & 127) << shift;
        if (octet < 128) {
            *body = prosa_bytes(octets.at + at, length);
            return octets.size - at >= length ? at + length : 0;
        }
    }
    return 0;
}

static bool take_packet(struct member *member, uint8_t type, struct prosa_bytes body)
{
    struct body said;
    const size_t before = 2 + TOPIC_SIZE;
    if (type == PUBLISH && body.size > before && memcmp(body.at + 2, TOPIC, TOPIC_SIZE) == 0) {
        (void)load_shown(member, prosa_bytes(body.at + before, body.size - before), prosa_bytes(NULL, 0),
                         &said);
    } else if (type == CONNACK && body.size == 2 && body.at[1] == 0) {
        member_is_present(member);
    } else if (type == SUBACK && body.size == 3 && body.at[2] == 0) {
        member_has_joined(member);
    } else {
        return member_lose(member, "the server sent a packet that does not fit");
    }
    return true;
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    struct prosa_bytes body;
    size_t done = 0, packet;
    while (done < size && (packet = find_packet(prosa_bytes(at + done, size - done), &body)) != 0) {
        if (!take_packet(member, at[done], body)) {
            return DIALECT_BROKEN;
        }
        done += packet;
    }
    return done;
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    const struct plan *plan = member->load->plan;
    uint8_t header[8];
    const size_t before = write_header(header, PUBLISH, 2 + TOPIC_SIZE + plan->body_size);
    const size_t size = before + 2 + TOPIC_SIZE + plan->body_size;
    if (cap < size) {
        return 0;
    }
    memcpy(out, header, before);
    (void)write_text(out + before, TOPIC);
    body_write((struct body){plan->run, (uint16_t)member->writer, index}, out + before + 2 + TOPIC_SIZE,
               plan->body_size);
    return size;
}

const struct dialect dialect_mqtt = {
    .name = "mqtt", .repeats = true, .greet = greet, .take = take, .join = join, .write = write_post};
