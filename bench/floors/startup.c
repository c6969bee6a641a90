/* SPDX-License-Identifier: MIT */
/*
 * startup: how long a program takes from its start to a word on its stdout, again and again.
 *
 *   startup TIMES WORD COMMAND...     prints one JSON object; the program is killed when it has said the word
 *
 * It refuses to go on when a program ends without the word.
 */
#include "clock.h"
#include "options.h"
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 65536u

extern char **environ;

/* The word is there, or the output has ended. */
static bool read_until(int fd, const char *word)
{
    static char output[OUTPUT_MAX + 1];
    size_t size = 0;
    while (size < OUTPUT_MAX) {
        const ssize_t n = read(fd, output + size, OUTPUT_MAX - size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        size += (size_t)n;
        output[size] = '\0';
        if (strstr(output, word) != NULL) {
            return true;
        }
    }
    return false;
}

/* The program's stdin stays open and silent, so that it does not end by itself. */
static bool start(char **command, int *input, int *output, pid_t *pid)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO) != 0) {
        return false;
    }
    const bool is_good = posix_spawnp(pid, command[0], &actions, NULL, command, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    *input = in[1];
    *output = out[0];
    return is_good;
}

/* Nanoseconds; 0: the word did not come. */
static uint64_t measure(char **command, const char *word)
{
    int input, output;
    pid_t pid;
    const uint64_t start_ns = clock_now_ns();
    if (!start(command, &input, &output, &pid)) {
        return 0;
    }
    const uint64_t spent_ns = read_until(output, word) ? clock_now_ns() - start_ns : 0;
    kill(pid, SIGKILL);
    close(input);
    close(output);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return spent_ns;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    uint64_t times;
    if (argc < 4 || !number_parse(argv[1], 1, 100000, &times)) {
        fputs("usage: startup TIMES WORD COMMAND...\n", stderr);
        return 2;
    }
    for (uint64_t i = 0; i < times; i++) {
        const uint64_t spent_ns = measure(argv + 3, argv[2]);
        if (spent_ns == 0 || !tally_add(&tally, spent_ns)) {
            fprintf(stderr, "startup: %s ended and did not say \"%s\"\n", argv[3], argv[2]);
            return 1;
        }
    }
    const struct tally_summary each = tally_sum(&tally);
    printf("{\"count\": %zu, \"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}\n", each.count, each.p50_us,
           each.p90_us, each.p99_us, each.max_us);
    tally_fini(&tally);
    return 0;
}
