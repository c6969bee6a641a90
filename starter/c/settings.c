/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "link.h"
#include "signing.h"

void read_timers(uint32_t announced[ANNOUNCED])
{
    static const uint32_t otherwise[ANNOUNCED] = {
        PROSA_LIMIT_MAX_FRAME_DEFAULT,       PROSA_LIMIT_MAX_ROOMS_DEFAULT,
        PROSA_LIMIT_MAX_WINDOW_DEFAULT,      PROSA_LIMIT_TOKEN_RATE_DEFAULT,
        PROSA_LIMIT_TOKEN_BURST_DEFAULT,     PROSA_LIMIT_MEMBER_LIMIT_DEFAULT,
        PROSA_LIMIT_UNDECIDED_LIMIT_DEFAULT, PROSA_LIMIT_OUTPUT_LIMIT_DEFAULT,
        PROSA_TIMER_HANDSHAKE_MS_DEFAULT,    PROSA_TIMER_PING_AFTER_MS_DEFAULT,
        PROSA_TIMER_DEAD_AFTER_MS_DEFAULT,   PROSA_TIMER_SLOW_MS_DEFAULT,
        PROSA_TIMER_LINGER_MS_DEFAULT,
    };
    memcpy(announced, otherwise, sizeof otherwise);
    char *words = strdup(setting("PROSA_TIMERS", "")), *rest = words;
    for (char *word; *words && (word = strsep(&rest, ","));) {
        char *equals = strchr(word, '='), *end = NULL;
        unsigned long long value =
            equals && equals[1] >= '0' && equals[1] <= '9' ? strtoull(equals + 1, &end, 10) : 0;
        bool is_good = false;
        for (uint16_t tag = FIRST_TAG; end && !*end && tag <= PROSA_TAG_LINGER_MS; tag += 2) {
            const struct prosa_field_spec *row = field_row(tag);
            size_t size = (size_t)(equals - word);
            if (strlen(row->name) == size && memcmp(row->name, word, size) == 0 && value >= row->min &&
                value <= row->max) {
                announced[(tag - FIRST_TAG) / 2] = (uint32_t)value;
                is_good = true;
            }
        }
        if (!is_good)
            die(2, "PROSA_TIMERS: %s is not to be had", word);
    }
    free(words);
}

int listen_there(void)
{
    const char *host = setting("PROSA_HOST", "127.0.0.1");
    char bare[256];
    snprintf(bare, sizeof bare, "%s", host + (*host == '['));
    bare[strcspn(bare, "]")] = '\0';
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int why = getaddrinfo(bare, read_port(), &hints, &found);
    if (why)
        die(3, "cannot listen on %s: %s", host, gai_strerror(why));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0)
        die(3, "cannot listen on %s: %s", host, strerror(errno));
    freeaddrinfo(found);
    return fd;
}

void tell_ready(int listener, const uint8_t key[PROSA_KEY_SIZE])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV], words[40];
    getsockname(listener, (struct sockaddr *)&address, &size);
    getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    fingerprint(words, key);
    note("the fingerprint of this server's key is %s", words);
    printf(strchr(host, ':') ? "READY [%s]:%s\n" : "READY %s:%s\n", host, port); /* CON-05 */
}
