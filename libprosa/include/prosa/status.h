/* SPDX-License-Identifier: MIT */
/*
 * status: what every function of this library answers. 0 is good, above 0 is benign, below 0 is
 * fatal to the connection, or a mistake of the caller.
 * A fatal status that the peer is told is the negative of its code on the wire (registry, codes).
 */
#ifndef PROSA_STATUS_H
#define PROSA_STATUS_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

enum prosa_status {
    PROSA_OK = 0,

    PROSA_PARTIAL = 1, /* more octets are needed */
    PROSA_IGNORED = 2, /* whole, and nothing to be done about it */
    PROSA_END = 3,     /* there is no more */

    /* Never sent: they concern this side alone. */
    PROSA_ERR_NO_SPACE = -1, /* the caller's buffer is too small */
    PROSA_ERR_CRYPTO = -2,   /* the cryptographic library is absent or computes something else */
    PROSA_ERR_CALL = -3,     /* the caller broke the contract of the function */

    PROSA_ERR_BAD_FRAME = -(int)PROSA_CODE_BAD_FRAME,
    PROSA_ERR_UNSUPPORTED = -(int)PROSA_CODE_UNSUPPORTED,
    PROSA_ERR_TOO_LARGE = -(int)PROSA_CODE_TOO_LARGE,
    PROSA_ERR_BAD_TEXT = -(int)PROSA_CODE_BAD_TEXT,
    PROSA_ERR_BAD_KEY = -(int)PROSA_CODE_BAD_KEY,
    PROSA_ERR_BAD_SIG = -(int)PROSA_CODE_BAD_SIG,
    PROSA_ERR_NICK_TAKEN = -(int)PROSA_CODE_NICK_TAKEN,
    PROSA_ERR_DENIED = -(int)PROSA_CODE_DENIED,
    PROSA_ERR_WRONG_AUTHOR = -(int)PROSA_CODE_WRONG_AUTHOR,
    PROSA_ERR_PIN_MISMATCH = -(int)PROSA_CODE_PIN_MISMATCH,
    PROSA_ERR_DOWNGRADE = -(int)PROSA_CODE_DOWNGRADE,
    PROSA_ERR_FORK = -(int)PROSA_CODE_FORK,
    PROSA_ERR_BAD_STATE = -(int)PROSA_CODE_BAD_STATE,
    PROSA_ERR_FLOW_VIOLATION = -(int)PROSA_CODE_FLOW_VIOLATION,
    PROSA_ERR_COUNTER_GAP = -(int)PROSA_CODE_COUNTER_GAP,
    PROSA_ERR_COUNTER_REUSE = -(int)PROSA_CODE_COUNTER_REUSE,
    PROSA_ERR_WRONG_ROOM = -(int)PROSA_CODE_WRONG_ROOM,
    PROSA_ERR_ACK_TOO_HIGH = -(int)PROSA_CODE_ACK_TOO_HIGH,
    PROSA_ERR_SEQ_GAP = -(int)PROSA_CODE_SEQ_GAP,
    PROSA_ERR_TIMEOUT = -(int)PROSA_CODE_TIMEOUT,
    PROSA_ERR_NO_ROOM = -(int)PROSA_CODE_NO_ROOM,
    PROSA_ERR_TOO_MANY_ROOMS = -(int)PROSA_CODE_TOO_MANY_ROOMS,
    PROSA_ERR_NOT_SUPPORTED = -(int)PROSA_CODE_NOT_SUPPORTED,
    PROSA_ERR_NO_ANSWER = -(int)PROSA_CODE_NO_ANSWER,
    PROSA_ERR_BUSY = -(int)PROSA_CODE_BUSY,
    PROSA_ERR_INTERNAL = -(int)PROSA_CODE_INTERNAL,
};

/* The code that the peer is told; INTERNAL for a fatal status that is never sent, 0 for no error. */
PROSA_API uint16_t prosa_status_code(enum prosa_status status);

/* "BAD_FRAME", "PARTIAL", ...; "UNKNOWN" for a number that is none. Static storage. */
PROSA_API const char *prosa_status_name(enum prosa_status status);

/* One sentence in English for people. Static storage. */
PROSA_API const char *prosa_status_text(enum prosa_status status);

/* The class of a wire code, known or not: its high octet (unknown codes are handled by class). */
static inline uint8_t prosa_code_class(uint16_t code)
{
    return (uint8_t)(code >> 8);
}

/* The registered name of a wire code, or NULL. Static storage. */
PROSA_API const char *prosa_code_name(uint16_t code);

/* True when an ERROR with this code ends the connection (registry, classes). A class that the
 * registry lacks does. */
PROSA_API bool prosa_code_closes(uint16_t code);

#endif
