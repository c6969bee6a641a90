/* SPDX-License-Identifier: MIT */
/* endpoint: where somebody is, or is from: an address and a port, in few octets. It refuses to ask for names
 * of hosts. */
#ifndef REF_SERVER_ENDPOINT_H
#define REF_SERVER_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/* "[ipv6%interface]:65535" with its final zero. */
#define ADDRESS_TEXT_SIZE 80

struct endpoint {
    uint8_t ip[16];     /* an IPv4 address as IPv6 has it: ::ffff:192.0.2.1 */
    uint32_t interface; /* of a link-local address, or 0 */
    uint16_t port;
};

/* Of a socket's address of either family. An IPv4 address is one also when it came to a socket for both. */
struct endpoint endpoint_of(const struct sockaddr *address);

/* "192.0.2.1:1000", "[2001:db8::1]:1000". Returns `out`. */
const char *endpoint_format(const struct endpoint *endpoint, char out[static ADDRESS_TEXT_SIZE]);

/* The same IPv4 address, or the same first 64 bits of an IPv6 one [LIM-05]. */
bool endpoint_is_near(const struct endpoint *one, const struct endpoint *other);

#endif
