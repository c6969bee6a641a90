/* SPDX-License-Identifier: MIT */
/* prosa-probe: does a server answer, and is it the one? One connection, one deadline, one exit code. */
#include "clock.h"
#include "dial.h"
#include "greet.h"
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEY, TIMEOUT, HELP, COUNT };

#define READ_SIZE 4096

static const struct option_spec table[COUNT] = {
    [KEY] =
        {"key", NULL, "KEY", NULL,
         "the server's public key, 64 hexadecimal digits, or its fingerprint, 32; another one is a failure"},
    [TIMEOUT] = {"timeout", NULL, "SECONDS", "5", "how long all of it may take; 5 when not given"},
    [HELP] = {"help", NULL, NULL, NULL, "this text"},
};

static void print_help(void)
{
    puts("usage: prosa-probe [--key KEY] [--timeout SECONDS] HOST:PORT\n"
         "\n"
         "Asks a PROSA/1 server who it is: HELLO, CHALLENGE, BYE. No nick is bound, no session begins.\n");
    options_print(table, COUNT);
    puts("\n"
         "Exit codes: 0 it answers; 1 what answers is no PROSA/1 server in order; 2 bad settings; 3 could\n"
         "not connect; 4 another key, or a signature that does not verify; 5 no answer in time, or it\n"
         "vanished; 6 it ends, or has no place now and so cannot show the key.");
}

/* What was found, where a person and a script look for it. */
static int tell(enum greet_outcome outcome, const char *why)
{
    if (outcome == GREET_GOOD) {
        printf("%s\n", why);
    } else {
        fprintf(stderr, "prosa-probe: %s%s\n", why, outcome == GREET_SETTINGS ? "; --help tells more" : "");
    }
    return (int)outcome;
}

/* Waits until one of `events` shows or the time is over; false: it is over. */
static bool wait_for(struct pollfd wanted, uint64_t until_ms)
{
    for (;;) {
        const uint64_t now_ms = clock_now_ms();
        const uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        const int ready = poll(&wanted, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready > 0) {
            return true;
        }
        if (left_ms == 0 || (ready < 0 && errno != EINTR)) {
            return false;
        }
    }
}

/* The socket, or -1: `why` has a sentence for people. */
static int connect_to(const char *host, uint16_t port, uint64_t until_ms, char *why, size_t why_size)
{
    enum dial_outcome outcome = DIAL_GOES_ON;
    int fd = -1;
    struct dial *dial = dial_new(host, port);
    if (dial == NULL) {
        snprintf(why, why_size, "there is no memory to look %s up", host);
        return -1;
    }
    while (outcome == DIAL_GOES_ON && clock_now_ms() < until_ms) {
        const uint64_t step_ms = dial_deadline_ms(dial);
        (void)wait_for(dial_poll(dial), step_ms < until_ms ? step_ms : until_ms);
        outcome = dial_step(dial, clock_now_ms());
    }
    if (outcome == DIAL_CONNECTED) {
        fd = dial_take_socket(dial);
    } else if (outcome == DIAL_GOES_ON) {
        snprintf(why, why_size, "the time is over while %s: %s port %u", dial_words(dial), host,
                 (unsigned)port);
    } else {
        snprintf(why, why_size, "%s", dial_why(dial));
    }
    dial_free(dial);
    return fd;
}

/* Whatever is sent here is small, and the first of its kind: a new socket takes it at once, or is broken. */
static bool send_whole(int fd, struct prosa_bytes octets)
{
    return net_send(fd, octets) == (ssize_t)octets.size;
}

/* Says the last word, and reads on until the other side has closed, too [END-01]. */
static void take_leave(int fd, struct prosa_bytes farewell, uint64_t until_ms)
{
    uint8_t rest[READ_SIZE];
    if (!send_whole(fd, farewell) || shutdown(fd, SHUT_WR) != 0) {
        return;
    }
    while (wait_for((struct pollfd){.fd = fd, .events = POLLIN}, until_ms)) {
        const ssize_t size = net_receive(fd, rest, sizeof rest);
        if (size == 0 || (size < 0 && size != -EAGAIN && size != -EINTR)) {
            return;
        }
    }
}

static enum greet_outcome greet(struct greeting *greeting, int fd, uint64_t until_ms)
{
    uint8_t octets[READ_SIZE];
    enum greet_outcome outcome = GREET_GOES_ON;
    (void)send_whole(fd, greet_hello(greeting)); /* what is wrong with the socket shows when it is read */
    while (outcome == GREET_GOES_ON) {
        if (!wait_for((struct pollfd){.fd = fd, .events = POLLIN}, until_ms)) {
            snprintf(greeting->why, sizeof greeting->why, "%s takes connections, but did not answer in time",
                     greeting->target);
            return GREET_SILENT;
        }
        const ssize_t size = net_receive(fd, octets, sizeof octets);
        if (size != -EAGAIN && size != -EINTR) {
            outcome = greet_take(greeting, prosa_bytes(octets, size > 0 ? (size_t)size : 0));
        }
    }
    take_leave(fd, greet_farewell(greeting), until_ms);
    return outcome;
}

static int probe(const char *target, const char *key, uint64_t until_ms)
{
    struct greeting greeting;
    char host[NI_MAXHOST];
    uint16_t port = 0;
    enum greet_outcome outcome = greet_begin(&greeting, target, key, host, sizeof host, &port);
    if (outcome != GREET_GOES_ON) {
        return tell(outcome, greeting.why);
    }
    outcome = GREET_REFUSED;
    const int fd = connect_to(host, port, until_ms, greeting.why, sizeof greeting.why);
    if (fd >= 0) {
        outcome = greet(&greeting, fd, until_ms);
        close(fd);
    }
    greet_end(&greeting);
    return tell(outcome, greeting.why);
}

int main(int argc, char **argv)
{
    const char *values[COUNT];
    char why[300];
    int operands = 0;
    uint64_t seconds = 0;
    if (!options_read(table, COUNT, argc, argv, values, &operands, why, sizeof why)) {
        return tell(GREET_SETTINGS, why);
    }
    if (values[HELP] != NULL) {
        print_help();
        return GREET_GOOD;
    }
    if (argc - operands != 1) {
        return tell(GREET_SETTINGS, "one server is asked: HOST:PORT");
    }
    if (!number_parse(values[TIMEOUT], 1, 3600, &seconds)) {
        return tell(GREET_SETTINGS, "--timeout is a number of seconds from 1 to 3600");
    }
    if (prosa_sign_init() != PROSA_OK) {
        return tell(GREET_PROTOCOL, prosa_status_text(PROSA_ERR_CRYPTO));
    }
    return probe(argv[operands], values[KEY], clock_now_ms() + seconds * 1000);
}
