/* SPDX-License-Identifier: MIT */
/* stats: what a server counts of itself, for /stats and for metrics. Written by the loop's thread alone. */
#ifndef REF_SERVER_STATS_H
#define REF_SERVER_STATS_H

#include <prosa/registry.h>

#include <stddef.h>
#include <stdint.h>

struct stats {
    uint64_t started_ms; /* ms since 1970 */
    /* Now. */
    size_t strangers;  /* connections that are not READY */
    size_t clients;    /* those that are */
    size_t rooms;      /* in memory: with members, or with something on its way */
    size_t undecided;  /* octets of PUBLISHes that were read and are not committed */
    size_t verifying;  /* signatures that wait, or are being checked */
    size_t committing; /* records that wait for the log */
    /* So far. */
    uint64_t accepted_connections;
    uint64_t refused_connections, evicted_connections; /* strangers, for want of a place [LIM-04] [LIM-05] */
    uint64_t sessions;
    uint64_t accepted;                   /* messages committed, the server's own not counted */
    uint64_t refused[PROSA_CODES_COUNT]; /* fatal ERRORs and BYEs by the row of prosa_registry_codes */
    uint64_t octets_in, octets_out;
    uint64_t verified, verify_ns; /* signatures checked, and the time that it took on all threads */
    uint64_t commits;             /* outcomes of the log: transactions */
    uint64_t commit_failures;
};

#endif
