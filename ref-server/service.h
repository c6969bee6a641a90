/* SPDX-License-Identifier: MIT */
/*
 * service: the server as a service of systemd: listening sockets that it was given, and what it tells the
 * service manager. The only room that knows libsystemd. Where there is no manager it does nothing.
 * It refuses to decide anything: it tells what it is told.
 */
#ifndef REF_SERVER_SERVICE_H
#define REF_SERVER_SERVICE_H

#include "listener.h"

struct service {
    struct loop_source beat; /* a deadline alone, while somebody is to be told of our life */
    uint64_t every_ms;       /* 0: nobody is */
    size_t clients;          /* told last */
};

/* Numbers of the listening TCP sockets that this process was given, at most LISTENER_MAX, non-blocking and
 * closed in children; 0: none was given. Negative: `why` has a sentence for people. Ask once. */
PROSA_NODISCARD int service_sockets(int fds[static LISTENER_MAX], char *why, size_t why_size);

/* A source of `kind` is for service_beat. 0 or -errno. */
PROSA_NODISCARD int service_init(struct service *service, struct loop *loop, int kind);
void service_fini(struct service *service, struct loop *loop);

/* Clients can come, to `address`. */
void service_tell_ready(struct service *service, struct loop *loop, const char *address);

/* Its deadline: the loop turns, so this program lives; `clients` of them are here. */
void service_beat(struct service *service, struct loop *loop, size_t clients);

/* Settings are being read again; that is done. */
void service_tell_reloading(void);
void service_tell_reloaded(void);

/* Goodbye is being said. */
void service_tell_stopping(void);

#endif
