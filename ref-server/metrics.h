/* SPDX-License-Identifier: MIT */
/*
 * metrics: GET /metrics over HTTP, for a scraper. The only room that knows libmicrohttpd, which has an epoll
 * of its own that our loop watches; one request a connection, few connections, ten seconds each.
 * It refuses to ask who reads, to read what is sent with a request, and to wait for a slow scraper.
 */
#ifndef REF_SERVER_METRICS_H
#define REF_SERVER_METRICS_H

#include "listener.h"
#include "stats.h"

struct MHD_Daemon;

struct metrics {
    struct MHD_Daemon *daemon; /* NULL: nobody asked for metrics */
    struct listener listener;
    struct loop_source http;   /* of the library's epoll */
    const struct stats *stats; /* while it runs */
};

/* Listens on `host` and `port`, 0 for one that is free; sources of `kind` are for metrics_pump. False: `why`
 * has a sentence for people, and there is nothing to fini. */
PROSA_NODISCARD bool metrics_init(struct metrics *metrics, struct loop *loop, int kind, const char *host,
                                  uint16_t port, char *why, size_t why_size);
/* Closes all; does nothing to metrics that were never begun and are zero. */
void metrics_fini(struct metrics *metrics, struct loop *loop);

/* An event of one of its sources; `stats` are what a scraper gets to see now. */
void metrics_pump(struct metrics *metrics, struct loop *loop, const struct loop_event *event,
                  const struct stats *stats);

#endif
