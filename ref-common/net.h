/* SPDX-License-Identifier: MIT */
/*
 * net: the name that a person typed as the wire has it, and octets in and out of a socket that never
 * blocks. How one gets such a socket: see dial.
 * It refuses to know what the octets mean.
 */
#ifndef REF_COMMON_NET_H
#define REF_COMMON_NET_H

#include <prosa/bytes.h>

#include <sys/types.h>

/* Octets of the longest target with its final zero [ID-03]. */
#define NET_TARGET_SIZE 262

/* Writes the target of `host` and `port`: lower case, no final dot, IPv6 in brackets [ID-03]. False:
 * the wire's alphabet has no such name; `why` has a sentence for people. */
PROSA_NODISCARD bool net_target_format(const char *host, uint16_t port, char out[static NET_TARGET_SIZE],
                                       char *why, size_t why_size);

/* Like recv and send, but -errno at an error; -EAGAIN when the socket is not ready. */
PROSA_NODISCARD ssize_t net_receive(int fd, uint8_t *at, size_t cap);
PROSA_NODISCARD ssize_t net_send(int fd, struct prosa_bytes octets);

#endif
