/* SPDX-License-Identifier: MIT */
/* ZeroMQ's own protocol, ZMTP 3.0 without security: SUB sockets that read and PUB sockets that write, at the
 * two ends of an XPUB/XSUB proxy. Nobody says when a subscription holds, so whoever reads has joined when it
 * is shown something. */
#include "../load.h"

#define GREETING_SIZE 64u
#define FLAG_LONG     2u
#define FLAG_COMMAND  4u
#define SHORT_MAX     255u
#define PROBE_RUN     0xFFFFFFu

static bool greet(struct member *member)
{
    uint8_t greeting[GREETING_SIZE] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
    return member_say(member, greeting, sizeof greeting);
}

static bool say_ready(struct member *member)
{
    static const char before[] = "\4\x19\5READY\xBSocket-Type\0\0\0\3"; /* a command of 25 octets */
    const char *kind = member->writer != MEMBER_NOBODY ? "PUB" : "SUB";
    return member_say(member, before, sizeof before - 1) && member_say(member, kind, 3);
}

static bool join(struct member *member)
{
    static const uint8_t everything[] = {0, 1,
                                         1}; /* a message of one octet: subscribe to what begins with "" */
    if (member->writer != MEMBER_NOBODY) {
        member_has_joined(member);
        return true;
    }
    return member_say(member, everything, sizeof everything);
}

static size_t write_body(struct body body, size_t body_size, uint8_t *out, size_t cap)
{
    const size_t header = body_size > SHORT_MAX ? 9 : 2;
    if (cap < header + body_size) {
        return 0;
    }
    if (header == 2) {
        out[0] = 0;
        out[1] = (uint8_t)body_size;
    } else {
        out[0] = FLAG_LONG;
        prosa_store_u64(out + 1, body_size);
    }
    body_write(body, out + header, body_size);
    return header + body_size;
}

static size_t write_post(struct member *member, uint32_t index, uint8_t *out, size_t cap)
{
    const struct plan *plan = member->load->plan;
    return write_body((struct body){plan->run, (uint16_t)member->writer, index}, plan->body_size, out, cap);
}

static bool probe(struct member *member)
{
    uint8_t frame[BODY_MIN + 9];
    const size_t size = write_body((struct body){PROBE_RUN, 0, 0}, BODY_MIN, frame, sizeof frame);
    return member_say(member, frame, size) && (member_flush(member) || true);
}

static bool on_frame(struct member *member, uint8_t flags, struct prosa_bytes body)
{
    struct body said;
    if ((flags & FLAG_COMMAND) != 0) {
        if (member->stage == MEMBER_GREETING) {
            member_is_present(member);
        }
        return true;
    }
    if (member->writer != MEMBER_NOBODY) {
        return true; /* a subscription, handed on by the proxy */
    }
    if (member->stage == MEMBER_JOINING) {
        member_has_joined(member);
    }
    (void)load_shown(member, body, prosa_bytes(NULL, 0), &said);
    return true;
}

/* The whole frame at the start of `octets`; 0 while it is not whole. */
static size_t find_frame(struct prosa_bytes octets, struct prosa_bytes *body)
{
    const size_t header = octets.size > 0 && (octets.at[0] & FLAG_LONG) != 0 ? 9 : 2;
    if (octets.size < header) {
        return 0;
    }
    const uint64_t size = header == 2 ? octets.at[1] : prosa_load_u64(octets.at + 1);
    if (size > octets.size - header) {
        return 0;
    }
    *body = prosa_bytes(octets.at + header, (size_t)size);
    return header + (size_t)size;
}

static size_t take(struct member *member, const uint8_t *at, size_t size)
{
    struct prosa_bytes body;
    size_t done = 0, frame;
    if (!member->has_greeted) { /* its greeting is yet to come */
        if (size < GREETING_SIZE) {
            return 0;
        }
        if (at[0] != 0xFF || at[10] < 3 || !say_ready(member)) {
            (void)member_lose(member, "it is no ZMTP 3");
            return DIALECT_BROKEN;
        }
        member->has_greeted = true;
        done = GREETING_SIZE;
    }
    while ((frame = find_frame(prosa_bytes(at + done, size - done), &body)) != 0) {
        if (!on_frame(member, at[done], body)) {
            return DIALECT_BROKEN;
        }
        done += frame;
    }
    return done;
}

const struct dialect dialect_zmtp = {.name = "zmtp",
                                     .writers_apart = true,
                                     .repeats = true,
                                     .greet = greet,
                                     .take = take,
                                     .join = join,
                                     .probe = probe,
                                     .write = write_post};
