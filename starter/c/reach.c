/* SPDX-License-Identifier: MIT */
#include "reach.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "signing.h"

void name_target(char target[TARGET_SIZE], const char *host, const char *port)
{
    struct in6_addr address;
    bool is_ipv6 = inet_pton(AF_INET6, host, &address) == 1;
    int size = snprintf(target, TARGET_SIZE, is_ipv6 ? "[%s]:%d" : "%s:%d", host, atoi(port));
    if (size >= TARGET_SIZE)
        die(2, "PROSA_HOST is too long");
    for (char *at = target; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    char *colon = strrchr(target, ':');
    if (colon > target && colon[-1] == '.')
        memmove(colon - 1, colon, strlen(colon) + 1);
}

int connect_there(const char *host, const char *port, const char **how, const char **why_not)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    int why = getaddrinfo(host, port, &hints, &found), fd = -1;
    for (struct addrinfo *one = found; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (found)
        freeaddrinfo(found);
    if (fd < 0) {
        *how = why ? "unresolved" : "refused";
        *why_not = why ? gai_strerror(why) : strerror(errno);
    }
    return fd;
}

/* --- pins -------------------------------------------------------------------------------- */

bool read_pin(const char *wanted, uint8_t key[PROSA_KEY_SIZE])
{
    FILE *file = fopen(data_path("pins"), "r");
    char target[262], digits[2 * PROSA_KEY_SIZE + 1];
    bool is_pinned = false;
    while (file && !is_pinned && fscanf(file, "%261s %64s", target, digits) == 2)
        is_pinned = strcmp(target, wanted) == 0 &&
                    sodium_hex2bin(key, PROSA_KEY_SIZE, digits, strlen(digits), NULL, NULL, NULL) == 0;
    if (file)
        fclose(file);
    return is_pinned;
}

void keep_pin(const char *target, const uint8_t key[PROSA_KEY_SIZE])
{
    char words[40];
    FILE *file = fopen(data_path("pins"), "a");
    if (!file)
        die(1, "cannot write %s: %s", data_path("pins"), strerror(errno));
    fprintf(file, "%s ", target);
    for (size_t i = 0; i < PROSA_KEY_SIZE; i++)
        fprintf(file, "%02x", key[i]);
    fputc('\n', file);
    fclose(file);
    fingerprint(words, key);
    note("first contact with %s; the fingerprint of its key is %s", target, words);
}
