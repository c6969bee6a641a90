/* SPDX-License-Identifier: MIT */
/*
 * net: from a name that a person typed to a connected TCP socket, and octets in and out of it. Every
 * address that the name has is tried in turn. Sockets never block.
 * It refuses to know what the octets mean.
 */
#ifndef REF_CLIENT_NET_H
#define REF_CLIENT_NET_H

#include <prosa/bytes.h>

#include <sys/types.h>

/* Longest time that one address is tried. */
#define NET_CONNECT_MS 10000u

/* Octets of the longest target with its final zero [ID-03]. */
#define NET_TARGET_SIZE 262

/* Writes the target of `host` and `port`: lower case, no final dot, IPv6 in brackets [ID-03]. False:
 * the wire's alphabet has no such name; `why` has a sentence for people. */
PROSA_NODISCARD bool net_target_format(const char *host, uint16_t port, char out[static NET_TARGET_SIZE],
                                       char *why, size_t why_size);

enum net_outcome {
    NET_CONNECTED,
    NET_UNRESOLVED, /* the name has no address */
    NET_REFUSED,    /* no address took the connection: refused, unreachable, or no answer in time */
    NET_STOPPED,    /* SIGINT or SIGTERM came first */
};

/* Looks `host` up (which can block) and connects; *fd is the socket, the caller's to close. In all other
 * cases `why` has a sentence for people, with each address and its reason as far as there is room. */
PROSA_NODISCARD enum net_outcome net_connect(const char *host, uint16_t port, int *fd, char *why,
                                             size_t why_size);

/* Like recv and send, but -errno at an error; -EAGAIN when the socket is not ready. */
PROSA_NODISCARD ssize_t net_receive(int fd, uint8_t *at, size_t cap);
PROSA_NODISCARD ssize_t net_send(int fd, struct prosa_bytes octets);

#endif
