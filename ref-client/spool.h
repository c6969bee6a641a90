/* SPDX-License-Identifier: MIT */
/*
 * spool: what the client must know again after a crash, in one SQLite file: how far each room was shown,
 * its last CHECKPOINT, and the octets of every PUBLISH that the server has not taken for good.
 * A place is a room of a server as one key sees it.
 * It errs towards showing twice: a position is stored after its messages were shown, so that after a
 * crash between the two they are shown again, and never passed over. Octets are stored before they are
 * sent [RES-07] and forgotten after the ACK, so that a crash sends them twice, which changes nothing
 * [FLOW-22].
 * It refuses to know sessions, and to read a file that is not its own.
 */
#ifndef REF_CLIENT_SPOOL_H
#define REF_CLIENT_SPOOL_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

struct spool;

/* Opens the file `path`, or makes it with mode 0600; NULL: in memory, for clients that do not resume.
 * Returns NULL with a sentence for people in `why`. */
PROSA_NODISCARD struct spool *spool_open(const char *path, char *why, size_t why_size);
void spool_close(struct spool *spool);

/* All that follows returns false when the file fails; this is a sentence for people about it. */
const char *spool_why(const struct spool *spool);

/* The number of a place, which is made if it is new. */
PROSA_NODISCARD bool spool_place(struct spool *spool, const uint8_t client_key[static PROSA_KEY_SIZE],
                                 const uint8_t server_key[static PROSA_KEY_SIZE], const char *room,
                                 int64_t *place);

/* Several changes at once: between spool_begin and spool_commit. `is_sure`: they have to survive a loss of
 * power, too; otherwise they survive the end of the program. */
PROSA_NODISCARD bool spool_begin(struct spool *spool, bool is_sure);
PROSA_NODISCARD bool spool_commit(struct spool *spool);

/* --- how far a room was shown --- */

struct spool_position {
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint64_t seen_seq;
    bool has_chain;
    uint8_t chain[PROSA_HASH_SIZE]; /* h_seen_seq */
};

PROSA_NODISCARD bool spool_position(struct spool *spool, int64_t place, struct spool_position *position,
                                    bool *found);

/* Within one epoch a position only goes forward, unless `is_forced`: another program may share the file,
 * and history may be shown again. */
PROSA_NODISCARD bool spool_move(struct spool *spool, int64_t place, const struct spool_position *position,
                                bool is_forced);

/* The last good CHECKPOINT, a whole frame; empty when there is none. Borrowed until the next call. */
PROSA_NODISCARD bool spool_keep_checkpoint(struct spool *spool, int64_t place, struct prosa_bytes octets);
PROSA_NODISCARD bool spool_checkpoint(struct spool *spool, int64_t place, struct prosa_bytes *octets);

/* --- messages --- */

/* One PUBLISH, by its room_id and counter. */
struct spool_message {
    int64_t place;
    uint8_t room_id[PROSA_HASH_SIZE];
    uint64_t counter;
    bool is_acked;             /* kept until a CHECKPOINT covers it [AUD-06] */
    struct prosa_bytes octets; /* borrowed until the next call */
};

PROSA_NODISCARD bool spool_put(struct spool *spool, const struct spool_message *message);

/* The highest counter kept of a room, 0 for none. */
PROSA_NODISCARD bool spool_last(struct spool *spool, int64_t place,
                                const uint8_t room_id[static PROSA_HASH_SIZE], uint64_t *counter);

/* The kept message with the lowest counter from message->counter on, of the room message->room_id. */
PROSA_NODISCARD bool spool_next(struct spool *spool, struct spool_message *message, bool *found);

/* A message of this place in any other room_id: one of a former epoch. */
PROSA_NODISCARD bool spool_stray(struct spool *spool, int64_t place,
                                 const uint8_t room_id[static PROSA_HASH_SIZE], struct spool_message *message,
                                 bool *found);

/* Marks those up to `counter` as acknowledged, or forgets them. */
PROSA_NODISCARD bool spool_ack(struct spool *spool, int64_t place,
                               const uint8_t room_id[static PROSA_HASH_SIZE], uint64_t counter);
PROSA_NODISCARD bool spool_drop(struct spool *spool, int64_t place,
                                const uint8_t room_id[static PROSA_HASH_SIZE], uint64_t counter);

/* Forgets this one. */
PROSA_NODISCARD bool spool_remove(struct spool *spool, const struct spool_message *message);

#endif
