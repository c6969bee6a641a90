/* SPDX-License-Identifier: MIT */
/*
 * session: what the two ends of a connection have in common: announced numbers, buffers, how a
 * session ends, the job that a verifier does.
 * Sessions are pure: they open nothing, ask no clock, draw no random number, print nothing and call
 * nobody back. Octets, `now_ms` (any clock that never goes back) and nonces come in as parameters;
 * what a session has to say is pulled out of it. One session belongs to one thread at a time.
 *
 * The turn of a connection, for both kinds of session:
 *   readable:  recv_space -> recv() -> recv_commit, or recv_eof, or recv_reset
 *   write error: nothing at once; go on reading, for the peer's last words may be there
 *   then:      next() until PROSA_END, send until nothing is left or the socket is full, and both
 *              again while sending made progress; deadline_ms tells when to come back
 *   timer:     at deadline_ms the same, and then tick, if deadline_ms is still due, and next() again: what
 *              has come before the time was judged counts, however late the caller is [LIVE-06]
 */
#ifndef PROSA_SESSION_H
#define PROSA_SESSION_H

#include <prosa/message.h>
#include <prosa/sign.h>

#define PROSA_NEVER UINT64_MAX /* a deadline that does not come */

/* The numbers that a server announces in CHALLENGE and both sides go by [AUTH-14]. */
struct prosa_limits {
    uint32_t max_frame, max_rooms, max_window, token_rate, token_burst, member_limit;
    uint32_t undecided_limit, output_limit;
    uint32_t handshake_ms, ping_after_ms, dead_after_ms, slow_ms, linger_ms;
};

/* The defaults of the registry. */
PROSA_API struct prosa_limits prosa_limits_default(void);

/* One signature to check; can be done by any thread while the octets live. */
struct prosa_verify_job {
    struct prosa_bytes key, label, message, signature;
};

/* PROSA_OK, PROSA_ERR_BAD_KEY or PROSA_ERR_BAD_SIG. */
PROSA_API PROSA_NODISCARD enum prosa_status prosa_verify_job_run(const struct prosa_verify_job *job);

/* How a session ended. */
enum prosa_ending {
    PROSA_ENDING_GOODBYE, /* BYE was said, by either side: `code` is the first one's */
    PROSA_ENDING_ERROR,   /* a fatal ERROR was sent or received: `code` is its */
    PROSA_ENDING_EOF,     /* end of file without BYE [END-15] */
    PROSA_ENDING_RESET,   /* the transport failed without BYE [END-15] */
    PROSA_ENDING_SILENCE, /* nothing came for dead_after_ms [LIVE-05]; a server has said BYE IDLE */
    PROSA_ENDING_QUIET    /* closed without a word: the peer speaks no PROSA, or said nothing in time */
};

/* The end of a session; the last event of next(). `reason` lives as long as the session. */
struct prosa_ended {
    enum prosa_ending how;
    uint16_t code;             /* of the BYE or ERROR; 0 when there was none */
    bool from_peer;            /* the peer sent that BYE or ERROR */
    bool retry;                /* a client with resume may come back by itself [RES-13] [ERR-05] */
    bool reset;                /* close with a reset: the peer takes nothing any more [FLOW-39] */
    uint32_t silence_ms;       /* SILENCE, of a client: how long the server may say nothing */
    uint32_t after_ms;         /* not before this time has passed; 0 when none was asked for */
    struct prosa_bytes reason; /* the peer's words, to be shown sanitised [MSG-19]; may be empty */
};

/* A run of octets that grows by need and holds no memory while it is empty. Private. */
struct prosa_buffer {
    struct prosa_run *run; /* NULL: it is empty */
};

/* How long a client waits before attempt `attempt` (0: the first retry): full jitter below 0.5 s
 * doubled each time, at most 30 s, never less than `after_ms` [RES-11]. `random` is 32 random bits. */
PROSA_API uint64_t prosa_backoff_ms(unsigned attempt, uint32_t random, uint32_t after_ms);

#endif
