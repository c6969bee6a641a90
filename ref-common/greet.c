/* SPDX-License-Identifier: MIT */
#include "greet.h"

#include "clock.h"
#include "hex.h"
#include "keyfile.h"
#include "options.h"

#include <prosa/text.h>

#include <stdio.h>

#define NICK       "probe" /* is never said: there is no AUTH */
#define WORDS_SIZE 600

/* Reads the digits of a key or a fingerprint, passing over blanks. */
static bool read_key(struct greeting *greeting, const char *text)
{
    char digits[2 * PROSA_KEY_SIZE + 1];
    size_t size = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ') {
            continue;
        }
        if (size == sizeof digits - 1) {
            return false;
        }
        digits[size++] = *text;
    }
    greeting->wanted_size = size / 2;
    return (size == 2 * (size_t)PROSA_KEY_SIZE || size == 2 * (size_t)PROSA_FINGERPRINT_SIZE) &&
           hex_parse(digits, greeting->wanted, greeting->wanted_size);
}

static bool is_wanted(const struct greeting *greeting, const uint8_t key[static PROSA_KEY_SIZE])
{
    uint8_t fingerprint[PROSA_FINGERPRINT_SIZE];
    prosa_key_fingerprint(key, fingerprint);
    const uint8_t *shown = greeting->wanted_size == PROSA_KEY_SIZE ? key : fingerprint;
    return memcmp(greeting->wanted, shown, greeting->wanted_size) == 0;
}

enum greet_outcome greet_begin(struct greeting *greeting, const char *target, const char *key, char *host,
                               size_t host_size, uint16_t *port)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    uint8_t seed[PROSA_SEED_SIZE];
    *greeting = (struct greeting){0};
    if (!address_parse(target, host, host_size, port) || *port == 0) {
        snprintf(greeting->why, sizeof greeting->why,
                 "\"%s\" is not HOST:PORT; an IPv6 address stands in brackets", target);
        return GREET_SETTINGS;
    }
    if (key != NULL && !read_key(greeting, key)) {
        snprintf(greeting->why, sizeof greeting->why,
                 "\"%s\" is no key: that is 64 lower-case hexadecimal digits, its fingerprint 32", key);
        return GREET_SETTINGS;
    }
    if (!net_target_format(host, *port, greeting->target, greeting->why, sizeof greeting->why)) {
        return GREET_SETTINGS;
    }
    entropy_fill(seed, sizeof seed);
    entropy_fill(nonce, sizeof nonce);
    prosa_keypair_from_seed(&greeting->config.keypair, seed);
    prosa_wipe(seed, sizeof seed);
    greeting->config.nick = prosa_bytes_of_string(NICK);
    greeting->config.target = prosa_bytes_of_string(greeting->target);
    if (prosa_client_session_init(&greeting->session, &greeting->config, nonce, clock_now_ms()) != PROSA_OK) {
        snprintf(greeting->why, sizeof greeting->why, "there is no memory for a session");
        return GREET_PROTOCOL;
    }
    return GREET_GOES_ON;
}

void greet_end(struct greeting *greeting)
{
    prosa_client_session_fini(&greeting->session);
    prosa_keypair_wipe(&greeting->config.keypair);
}

struct prosa_bytes greet_hello(const struct greeting *greeting)
{
    return prosa_client_session_send_peek(&greeting->session);
}

struct prosa_bytes greet_farewell(const struct greeting *greeting)
{
    return prosa_bytes(greeting->farewell, greeting->farewell_size);
}

/* As a client ends after such a code [ERR-09]. */
static enum greet_outcome outcome_of(uint16_t code)
{
    switch (prosa_code_class(code)) {
    case PROSA_CLASS_AUTHENTICATION:
        return GREET_KEY;
    case PROSA_CLASS_GOING_AWAY:
        return GREET_AWAY;
    default:
        return GREET_PROTOCOL;
    }
}

/* The fault of what came, by the code that the server is told. */
static enum greet_outcome take_fault(struct greeting *greeting, uint16_t code)
{
    snprintf(greeting->why, sizeof greeting->why, "what %s answered is at fault: %s", greeting->target,
             prosa_status_text((enum prosa_status) - (int)code));
    return outcome_of(code);
}

/* What the session has to say is an ERROR: the server hears it before the end. */
static enum greet_outcome keep_error(struct greeting *greeting)
{
    struct prosa_frame frame;
    struct prosa_message message = {0};
    const struct prosa_bytes error = prosa_client_session_send_peek(&greeting->session);
    if (error.size > sizeof greeting->farewell ||
        prosa_frame_parse(error, PROSA_MAX_FRAME_HANDSHAKE, &frame) != PROSA_OK ||
        prosa_message_decode(&frame, PROSA_FROM_CLIENT, &message) != PROSA_OK) {
        return take_fault(greeting, PROSA_CODE_INTERNAL);
    }
    memcpy(greeting->farewell, error.at, error.size);
    greeting->farewell_size = error.size;
    return take_fault(greeting, message.error.code);
}

/* Every check of [AUTH-13] but that of the pin has passed: the key is the server's. */
static enum greet_outcome take_key(struct greeting *greeting)
{
    const struct prosa_message bye = {.type = PROSA_FRAME_BYE, .bye = {.code = PROSA_CODE_NORMAL}};
    const uint8_t *key = prosa_client_session_server_key(&greeting->session);
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(key, fingerprint);
    if (!is_wanted(greeting, key)) {
        prosa_client_session_fail(&greeting->session, PROSA_ERR_PIN_MISMATCH, clock_now_ms());
        (void)keep_error(greeting);
        snprintf(greeting->why, sizeof greeting->why, "%s has another key: its fingerprint is %s",
                 greeting->target, fingerprint);
        return GREET_KEY;
    }
    if (prosa_message_encode(&bye, prosa_bytes(NULL, 0), greeting->farewell, sizeof greeting->farewell,
                             &greeting->farewell_size) != PROSA_OK) {
        greeting->farewell_size = 0;
    }
    snprintf(greeting->why, sizeof greeting->why, "%s speaks PROSA/1, fingerprint %s", greeting->target,
             fingerprint);
    return GREET_GOOD;
}

/* The server said BYE or ERROR, or what was meant to be one. */
static enum greet_outcome take_code(struct greeting *greeting, const struct prosa_ended *ended)
{
    char words[WORDS_SIZE];
    const char *name = prosa_code_name(ended->code);
    if (!ended->from_peer) {
        return take_fault(greeting, ended->code);
    }
    (void)prosa_text_sanitize(ended->reason, words, sizeof words);
    snprintf(greeting->why, sizeof greeting->why, "%s said %s 0x%04x %s%s%s", greeting->target,
             ended->how == PROSA_ENDING_GOODBYE ? "BYE" : "ERROR", (unsigned)ended->code,
             name != NULL ? name : "", words[0] != '\0' ? ": " : "", words);
    const bool is_enough = ended->code == PROSA_CODE_BUSY && greeting->wanted_size == 0;
    return is_enough ? GREET_GOOD : outcome_of(ended->code);
}

static enum greet_outcome take_end(struct greeting *greeting, const struct prosa_ended *ended)
{
    if (ended->how == PROSA_ENDING_GOODBYE || ended->how == PROSA_ENDING_ERROR) {
        return take_code(greeting, ended);
    }
    if (ended->how == PROSA_ENDING_QUIET && greeting->heard) {
        snprintf(greeting->why, sizeof greeting->why, "what listens at %s does not speak PROSA/1",
                 greeting->target);
        return GREET_PROTOCOL;
    }
    snprintf(greeting->why, sizeof greeting->why, "%s closed the connection and said nothing",
             greeting->target);
    return GREET_SILENT;
}

/* Gives all octets to the session; one that takes no more of them is at its end. */
static void give(struct greeting *greeting, struct prosa_bytes octets)
{
    const uint64_t now_ms = clock_now_ms();
    uint8_t *at;
    greeting->heard = greeting->heard || octets.size > 0;
    if (octets.size == 0) {
        prosa_client_session_recv_eof(&greeting->session, now_ms);
    }
    while (octets.size > 0) {
        const size_t space = prosa_client_session_recv_space(&greeting->session, &at);
        const size_t size = space < octets.size ? space : octets.size;
        if (size == 0) {
            return;
        }
        memcpy(at, octets.at, size);
        prosa_client_session_recv_commit(&greeting->session, size, now_ms);
        octets = prosa_bytes(octets.at + size, octets.size - size);
    }
}

enum greet_outcome greet_take(struct greeting *greeting, struct prosa_bytes octets)
{
    enum greet_outcome outcome = GREET_GOES_ON;
    struct prosa_client_event event;
    const uint64_t now_ms = clock_now_ms();
    const struct prosa_bytes hello = greet_hello(greeting);
    if (hello.size > 0) {
        prosa_client_session_send_consume(&greeting->session, hello.size, now_ms);
    }
    give(greeting, octets);
    while (outcome == GREET_GOES_ON &&
           prosa_client_session_next(&greeting->session, &event, now_ms) == PROSA_OK) {
        if (event.kind == PROSA_CLIENT_KEY) {
            outcome = take_key(greeting);
        } else if (event.kind == PROSA_CLIENT_ENDED) {
            outcome = take_end(greeting, &event.ended);
        }
    }
    const bool is_fault =
        outcome == GREET_GOES_ON && prosa_client_session_send_peek(&greeting->session).size > 0;
    return is_fault ? keep_error(greeting) : outcome;
}
