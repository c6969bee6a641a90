/* SPDX-License-Identifier: MIT */
/*
 * report: one thing that a person or a program that watches a client is told. The values are those of
 * chapter 13.4; `events` writes them as JSON, `words` as text.
 */
#ifndef REF_COMMON_REPORT_H
#define REF_COMMON_REPORT_H

#include <prosa/client_session.h>

enum report_kind {
    REPORT_NOTE,  /* `reason`: words that are no event of the contract */
    REPORT_ALARM, /* likewise, and a person has to act on them */
    REPORT_JOINED,
    REPORT_MESSAGE,
    REPORT_MEMBER,
    REPORT_ACKED,
    REPORT_ERROR,
    REPORT_DISCONNECTED,
    REPORT_CLOSED
};

/* Everything is borrowed. Octets that came over the wire stand here as they came: whoever prints them
 * makes them safe first [MSG-19]. */
struct report {
    enum report_kind kind;
    const struct prosa_client_event *event; /* JOINED, MESSAGE, MEMBER */
    const uint8_t *server_key;              /* JOINED */
    struct prosa_bytes room;                /* JOINED, MESSAGE, MEMBER, ACKED; empty or not: ERROR */
    uint64_t counter;                       /* ACKED; 0 or not: ERROR */
    uint64_t room_seq;                      /* ACKED: 0 when it is not known */
    bool from_server;                       /* ERROR */
    uint16_t code;                          /* ERROR; CLOSED: 0 for none */
    struct prosa_bytes reason;              /* NOTE, ALARM, ERROR, DISCONNECTED, CLOSED: in words */
    struct prosa_bytes text;                /* ERROR: of a message that will never be sent; or empty */
    const char *how;                        /* DISCONNECTED: "goodbye", "eof", ... */
    bool again;                             /* DISCONNECTED: the client tries again by itself */
    int exit;                               /* CLOSED */
    size_t unsent, unacked;                 /* CLOSED: lines never sent; messages that may be lost */
};

#endif
