/* SPDX-License-Identifier: MIT */
/*
 * load: all members of a run, in one process: they arrive, join, say what was made ready before, and are
 * shown what the others say; the judge sees all of it.
 * It refuses to know a protocol (dialect.h does) and what is measured (the courses do).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "dialect.h"
#include "judge.h"
#include "loop.h"
#include "member.h"
#include "watch.h"

#include <netinet/in.h>

#define LOAD_READ_SIZE 262144u /* octets that one read takes at most */

/* What is asked for. */
struct plan {
    const struct dialect *dialect;
    struct sockaddr_in server, entrance; /* `entrance`: where writers go, if that is elsewhere */
    struct prosa_bytes target;           /* the server's address as it was typed */
    const char *source;                  /* one letter: the first of every nick */
    uint32_t run;                        /* of the bodies */
    uint32_t readers, writers, stalled;  /* `stalled` join, and never read */
    uint32_t window;                     /* messages of a writer that its own reader was not shown */
    uint32_t recv_window;                /* asked for, where a protocol has one */
    uint32_t posts;                      /* of each writer; of a flood: made ready for each */
    uint32_t body_size;
    uint32_t rate;          /* messages of all writers a second; 0: as fast as the window allows */
    uint32_t over;          /* windows that a writer goes beyond its credit */
    uint32_t patience_s;    /* without a delivery, after which the rest is lost */
    uint32_t at_once;       /* members that arrive */
    uint32_t seconds;       /* of a flood, at most */
    bool together;          /* the window is of messages that somebody was not shown */
    bool replays;           /* members ask for all that was ever said */
    bool pauses;            /* a line on stdin begins each step, or ends a flood */
    struct watched watched; /* the server */
};

/* The messages of one writer, ready to be sent, one after the other. */
struct speech {
    struct member *member;
    uint8_t *octets;
    size_t stride;     /* octets of one message */
    uint32_t count;    /* in `octets` */
    uint32_t granted;  /* window, by the server; 0 where none does */
    uint64_t total;    /* to be said; above `count` they come again */
    uint64_t sent;     /* octets that went out, of all */
    uint64_t allowed;  /* messages that may go out: UINT64_MAX where nobody says so */
    uint64_t due;      /* messages whose time has come */
    uint64_t released; /* messages that the judge was told of */
};

struct load {
    const struct plan *plan;
    struct loop loop;
    struct loop_source beat; /* a deadline of the course's */
    bool has_beaten;
    struct loop_source input; /* stdin, of a plan with pauses */
    bool has_input, input_has_ended;
    struct judge judge;
    struct member *members; /* readers, writers that are apart, then stalled ones */
    uint32_t member_count;
    struct speech *speeches;
    uint8_t *buffer;                                         /* of LOAD_READ_SIZE + MEMBER_REST_MAX octets */
    uint32_t identity;                                       /* 24 random bits: of the nicks */
    uint32_t arriving, present, joined, gone, returned, cut; /* cut: stalled members that the server ended */
    uint64_t sampled_at, verified; /* deliveries to the next whose signature is checked; checked */
    bool is_measured;              /* a member that is gone is a fault now, and no reason to stop */
    bool has_failed;
    char why[256]; /* of the first that was lost */
};

/* False: `why` says it. */
PROSA_NODISCARD bool load_init(struct load *load, const struct plan *plan);
void load_fini(struct load *load);

/* Makes every message ready; after all have joined. */
PROSA_NODISCARD bool load_prepare(struct load *load);

/* Waits once, and does what can be done then. False: it is no use to go on. */
PROSA_NODISCARD bool load_step(struct load *load);

/* All arrive, `at_once` of them at a time; all join. Each until it is done. */
PROSA_NODISCARD bool load_arrive(struct load *load);
PROSA_NODISCARD bool load_join(struct load *load);

/* Waits for a line on stdin, or its end; connections are served meanwhile. */
PROSA_NODISCARD bool load_pause(struct load *load);

/* What may be sent now is sent. */
void load_speak(struct load *load, struct speech *speech);
void load_speak_all(struct load *load);

/* A reader is shown a body. `sent`: the last octets of the message as its writer sent it, where a protocol
 * promises to hand them on; empty where none does. True: it is of this run, and *said which one. */
bool load_shown(struct member *member, struct prosa_bytes body, struct prosa_bytes sent, struct body *said);

/* False when it is out of the question to go on: with why. */
bool load_fail(struct load *load, const char *who, const char *why);

#endif
