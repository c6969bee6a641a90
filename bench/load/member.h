/* SPDX-License-Identifier: MIT */
/*
 * member: one connection: arriving, octets in and out, the end.
 * It refuses to know what the octets mean: they are its dialect's.
 */
#ifndef BENCH_MEMBER_H
#define BENCH_MEMBER_H

#include "loop.h"

#define MEMBER_REST_MAX  65536u /* octets of a message that is not whole yet */
#define MEMBER_NICK_SIZE 13     /* with its final zero octet */
#define MEMBER_NOBODY    UINT32_MAX

enum member_stage {
    MEMBER_AWAY,
    MEMBER_CONNECTING,
    MEMBER_GREETING,
    MEMBER_PRESENT,
    MEMBER_JOINING,
    MEMBER_JOINED,
    MEMBER_GONE
};

struct member_octets {
    uint8_t *at;
    size_t size, cap;
};

struct load;

struct member {
    struct load *load;
    struct loop_source source;
    enum member_stage stage;
    uint32_t reader, writer;        /* its number among these, or MEMBER_NOBODY */
    bool is_stalled;                /* reads nothing once it has joined */
    bool is_blocked;                /* the kernel takes no more octets from it */
    bool is_amid;                   /* a part of a message is out: nothing else may go before its rest */
    bool has_greeted;               /* its dialect's: the server's greeting has come */
    char nick[MEMBER_NICK_SIZE];    /* all have the same length */
    struct member_octets rest, out; /* read and not understood yet; to be sent before anything else */
    uint64_t began_ns, now_ns;      /* of this step; of the octets that it looks at */
    uint32_t step_us;               /* how long the last step took */
    void *talk;                     /* its dialect's own: one block of malloc, or NULL */
};

void member_init(struct member *member, struct load *load, uint32_t number);
void member_fini(struct member *member);

/* Connects; GREETING when the connection stands. False: load_fail was called. */
PROSA_NODISCARD bool member_arrive(struct member *member);
PROSA_NODISCARD bool member_join(struct member *member);

/* Its dialect's: a step is done. */
void member_is_present(struct member *member);
void member_has_joined(struct member *member);

/* Octets to send before anything else; they go out when member_flush() is called, as it is after every
 * event. False: no memory, or the member is lost. */
bool member_say(struct member *member, const void *at, size_t size);

/* True: all is out. Messages of a writer are not among it. */
bool member_flush(struct member *member);

/* Nothing more is sent until the socket is writable, as it may be at once. */
void member_hold(struct member *member);

/* Sends octets that are kept elsewhere; how many went out. */
size_t member_send(struct member *member, const uint8_t *at, size_t size);

/* The connection is over, and nobody asked for it. Always false. */
bool member_lose(struct member *member, const char *why);

/* Ends the connection with a reset, so that its port is free again. */
void member_leave(struct member *member);

/* Something happened on its connection. */
void member_wake(struct member *member, unsigned ready);

#endif
