/* SPDX-License-Identifier: MIT */
/*
 * greet: a client that asks a server who it is and wants nothing else: HELLO, CHALLENGE, BYE [END-06]. No
 * nick is bound, and no session begins. For programs that watch over others.
 * It refuses to know a transport: octets come in and go out.
 */
#ifndef REF_COMMON_GREET_H
#define REF_COMMON_GREET_H

#include "net.h"

#include <prosa/client_session.h>

/* What came of it; the numbers are a client's exit codes (chapter 13.4). */
enum greet_outcome {
    GREET_GOOD = 0, /* the server has proven its key; or there is no place now, and no key was asked for */
    GREET_PROTOCOL = 1, /* what came is no PROSA/1, or a fault of ours by the server's word */
    GREET_SETTINGS = 2, /* the caller's words are at fault */
    GREET_REFUSED = 3,  /* there is no connection */
    GREET_KEY = 4,      /* the signature is bad, or the key is another one */
    GREET_SILENT = 5,   /* it said nothing in time, or vanished */
    GREET_AWAY = 6,     /* it ends, or has no place now */
    GREET_GOES_ON = -1
};

#define GREET_WHY_SIZE      1500
#define GREET_FAREWELL_SIZE 512 /* octets of the longest frame that ends it */

/* Must not be moved while it is used: the session points into it. */
struct greeting {
    struct prosa_client_config config;
    struct prosa_client_session session;
    char target[NET_TARGET_SIZE];
    uint8_t wanted[PROSA_KEY_SIZE]; /* as many octets as a key or a fingerprint has */
    size_t wanted_size;             /* 0: any key */
    bool heard;                     /* something came */
    uint8_t farewell[GREET_FAREWELL_SIZE];
    size_t farewell_size;
    char why[GREET_WHY_SIZE];
};

/* Begins with a key of its own that nobody keeps. `target` is HOST:PORT as the person typed it; host and
 * *port are its parts. `key`: 64 hexadecimal digits, or the 32 of a fingerprint, with or without its
 * blanks; NULL: any. GREET_GOES_ON, else the greeting's `why` is a sentence for people, and there is nothing
 * to end. */
PROSA_NODISCARD enum greet_outcome greet_begin(struct greeting *greeting, const char *target, const char *key,
                                               char *host, size_t host_size, uint16_t *port);
void greet_end(struct greeting *greeting);

/* The HELLO, to be sent first; borrowed until octets come. */
struct prosa_bytes greet_hello(const struct greeting *greeting);

/* Octets came, or the end of file when there are none. Unless it GOES_ON, `why` is a sentence for people and
 * greet_farewell is to be sent, then nothing any more. */
PROSA_NODISCARD enum greet_outcome greet_take(struct greeting *greeting, struct prosa_bytes octets);

/* BYE or ERROR; may be empty. */
struct prosa_bytes greet_farewell(const struct greeting *greeting);

#endif
