/* SPDX-License-Identifier: MIT */
/*
 * judge: what each reader was shown, against what was said: nothing lost, doubled, out of order or with
 * another octet; and how long each message took to the last reader.
 * It refuses to know connections and protocols, and to stop at a fault: it counts.
 */
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include "body.h"
#include "tally.h"

struct judge_faults {
    uint64_t lost, doubled, reordered, altered;
    uint64_t gaps; /* in the numbers that the server gives to a reader */
};

/* A message that a reader was not shown when it was its turn. */
struct judge_hole {
    uint32_t reader, writer;
    uint64_t place;
};

struct judge {
    uint32_t run;
    uint32_t readers, writers;
    uint32_t count;      /* bodies of each writer */
    bool repeats;        /* after the last comes the first again */
    uint64_t *next;      /* [reader][writer]: place of the message that is next, from 0 */
    uint32_t *shown;     /* [writer][index]: to how many readers */
    uint64_t *said_ns;   /* [writer][index] */
    uint64_t *place;     /* [writer][index]: in the order of the room, 0 while nobody was shown it */
    uint64_t deliveries; /* of this run, in all */
    uint64_t whole;      /* messages that the last reader was shown */
    uint64_t foreign;    /* deliveries of other runs */
    uint64_t last_ns;    /* of the latest delivery of this run */
    struct judge_faults faults;
    struct judge_hole *holes;
    size_t hole_count, hole_cap;
    struct tally times; /* to the last reader */
};

/* False: no memory. */
PROSA_NODISCARD bool judge_init(struct judge *judge, uint32_t run, uint32_t readers, uint32_t writers,
                                uint32_t count, bool repeats);
void judge_fini(struct judge *judge);

/* A writer says its message `place`. */
void judge_said(struct judge *judge, uint32_t writer, uint64_t place, uint64_t now_ns);

/* A reader is shown a body. True: it is one of this run, and *body says which. */
bool judge_shown(struct judge *judge, uint32_t reader, struct prosa_bytes octets, uint64_t now_ns,
                 struct body *body);

/* Its place in the order that the room has, above 0: the same for all readers. */
void judge_placed(struct judge *judge, const struct body *body, uint64_t place);

/* Octets around a body, or the order of a room, are not what they must be. */
void judge_altered(struct judge *judge);

/* How many of a writer's messages a reader has got past. */
static inline uint64_t judge_progress(const struct judge *judge, uint32_t reader, uint32_t writer)
{
    return judge->next[(size_t)reader * judge->writers + writer];
}

/* At the end: what is missing of `said` messages of each writer, at every reader, is lost. */
struct judge_faults judge_sum(const struct judge *judge, const uint64_t *said);

#endif
