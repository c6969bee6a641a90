/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

bool net_target_format(const char *host, uint16_t port, char out[static NET_TARGET_SIZE], char *why,
                       size_t why_size)
{
    const bool is_ipv6 = strchr(host, ':') != NULL;
    const char *alphabet = is_ipv6 ? "0123456789abcdef:." : "abcdefghijklmnopqrstuvwxyz0123456789._-";
    char name[NET_TARGET_SIZE];
    /* The zone of a link-local address ("%eth0") is this host's own affair: the wire has no sign for it. */
    size_t size = is_ipv6 ? strcspn(host, "%") : strlen(host);

    if (size > 0 && host[size - 1] == '.' && !is_ipv6) {
        size--;
    }
    if (size == 0 || size > 253) {
        snprintf(why, why_size, "\"%s\" is no name of a host: it has %zu characters", host, size);
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        name[i] = (char)tolower((unsigned char)host[i]);
    }
    name[size] = '\0';
    if (strspn(name, alphabet) != size) {
        snprintf(why, why_size,
                 "\"%s\" is no name of a host: letters, digits, '.', '-' and '_' can stand in one; "
                 "an international name has to be typed in its form that begins with xn--",
                 host);
        return false;
    }
    snprintf(out, NET_TARGET_SIZE, is_ipv6 ? "[%s]:%u" : "%s:%u", name, (unsigned)port);
    return true;
}

ssize_t net_receive(int fd, uint8_t *at, size_t cap)
{
    const ssize_t n = recv(fd, at, cap, 0);
    return n < 0 ? -errno : n;
}

ssize_t net_send(int fd, struct prosa_bytes octets)
{
    const ssize_t n = send(fd, octets.at, octets.size, MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}
