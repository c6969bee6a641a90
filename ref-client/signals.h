/* SPDX-License-Identifier: MIT */
/*
 * signals: what the system tells the program. They come only while signals_poll waits, so that nothing
 * else is ever interrupted; they are counted, and whoever polls looks at the counts.
 * It refuses to do anything in a handler but count.
 */
#ifndef REF_CLIENT_SIGNALS_H
#define REF_CLIENT_SIGNALS_H

#include <poll.h>
#include <stdint.h>

struct signals_seen {
    unsigned stops;   /* SIGINT, SIGTERM and SIGHUP so far */
    unsigned resumes; /* SIGCONT so far */
    unsigned resizes; /* SIGWINCH so far */
};

/* From now on SIGPIPE is ignored, and the signals counted are held back outside of signals_poll. */
void signals_init(void);

/* Waits for one of `fds`, a signal, or `timeout_ms`; UINT64_MAX waits for ever. Returns the number of
 * entries with revents, 0 after a signal or the timeout, or -errno. */
int signals_poll(struct pollfd *fds, nfds_t count, uint64_t timeout_ms);

struct signals_seen signals_seen(void);

#endif
