/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static const uint8_t ipv4_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

struct endpoint endpoint_of(const struct sockaddr *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct endpoint endpoint = {0};
    if (address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        memcpy(endpoint.ip, &in6.sin6_addr, sizeof endpoint.ip);
        endpoint.interface = in6.sin6_scope_id;
        endpoint.port = ntohs(in6.sin6_port);
    } else if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        memcpy(endpoint.ip, ipv4_prefix, sizeof ipv4_prefix);
        memcpy(endpoint.ip + sizeof ipv4_prefix, &in.sin_addr, sizeof in.sin_addr);
        endpoint.port = ntohs(in.sin_port);
    }
    return endpoint;
}

static bool is_ipv4(const struct endpoint *endpoint)
{
    return memcmp(endpoint->ip, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

const char *endpoint_format(const struct endpoint *endpoint, char out[static ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    char name[IF_NAMESIZE];
    char zone[1 + IF_NAMESIZE] = "";
    if (is_ipv4(endpoint)) {
        inet_ntop(AF_INET, endpoint->ip + sizeof ipv4_prefix, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_SIZE, "%s:%u", host, endpoint->port);
        return out;
    }
    inet_ntop(AF_INET6, endpoint->ip, host, sizeof host);
    if (endpoint->interface != 0 && if_indextoname(endpoint->interface, name) != NULL) {
        snprintf(zone, sizeof zone, "%%%s", name);
    } else if (endpoint->interface != 0) {
        snprintf(zone, sizeof zone, "%%%u", endpoint->interface);
    }
    snprintf(out, ADDRESS_TEXT_SIZE, "[%s%s]:%u", host, zone, endpoint->port);
    return out;
}

bool endpoint_is_near(const struct endpoint *one, const struct endpoint *other)
{
    return memcmp(one->ip, other->ip, is_ipv4(one) ? sizeof one->ip : sizeof one->ip / 2) == 0;
}
