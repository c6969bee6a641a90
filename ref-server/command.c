/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <prosa/text.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* The signals that this program blocks or ignores must not stay so in the child. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int problem = posix_spawnattr_setsigmask(attributes, &none);
    problem = problem != 0 ? problem : posix_spawnattr_setsigdefault(attributes, &defaults);
    problem = problem != 0 ? problem : posix_spawnattr_setpgroup(attributes, 0);
    const short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    return problem != 0 ? problem : posix_spawnattr_setflags(attributes, flags);
}

static int spawn(pid_t *pid, const char *words, char *const *environment, int in, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const argv[] = {"sh", "-c", (char *)words, NULL};

    int problem = posix_spawn_file_actions_init(&actions);
    if (problem != 0) {
        return -problem;
    }
    problem = posix_spawnattr_init(&attributes);
    if (problem == 0) {
        problem = set_attributes(&attributes);
        problem = problem != 0 ? problem : posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        problem = problem != 0 ? problem : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        problem =
            problem != 0 ? problem : posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -problem;
}

static void close_pair(const int ends[static 2])
{
    close(ends[0]);
    close(ends[1]);
}

/* Two pipes, of which our ends do not block. */
static int make_pipes(int in[static 2], int out[static 2])
{
    if (pipe2(in, O_CLOEXEC) != 0) {
        return -errno;
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        const int problem = -errno;
        close_pair(in);
        return problem;
    }
    if (fcntl(in[1], F_SETFL, O_NONBLOCK) != 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0) {
        const int problem = -errno;
        close_pair(in);
        close_pair(out);
        return problem;
    }
    return 0;
}

static void close_pipe(struct loop *loop, struct loop_source *pipe_end)
{
    if (pipe_end->fd >= 0) {
        loop_remove(loop, pipe_end);
        close(pipe_end->fd);
        pipe_end->fd = -1;
    }
}

static void stop_watching(struct command *command, struct loop *loop)
{
    loop_remove(loop, &command->timer);
    close_pipe(loop, &command->input);
    close_pipe(loop, &command->output);
}

/* Takes over our ends of the pipes, also when it fails. */
static int watch(struct command *command, struct loop *loop, int input, int output)
{
    int problem = loop_add(loop, &command->timer, -1, 0);
    if (problem != 0) {
        close(input);
        close(output);
        return problem;
    }
    problem = loop_add(loop, &command->input, input, LOOP_WRITE);
    const int problem_of_output = loop_add(loop, &command->output, output, LOOP_READ);
    if (problem != 0) {
        close(input);
    }
    if (problem_of_output != 0) {
        close(output);
        problem = problem_of_output;
    }
    if (problem != 0) {
        stop_watching(command, loop);
    }
    return problem;
}

int command_start(struct command *command, struct loop *loop, int kind, void *owner, const char *words,
                  char *const *environment, struct prosa_bytes question, uint64_t timeout_ms)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    *command = (struct command){.question = question};
    command->timer = (struct loop_source){.kind = kind, .owner = owner, .fd = -1};
    command->input = command->output = command->timer;

    int problem = make_pipes(in, out);
    if (problem != 0) {
        return problem;
    }
    problem = watch(command, loop, in[1], out[0]);
    if (problem == 0) {
        loop_set_deadline(loop, &command->timer, loop->now_ms + timeout_ms);
        problem = spawn(&command->pid, words, environment, in[0], out[1]);
        if (problem != 0) {
            command->pid = 0;
            stop_watching(command, loop);
        }
    }
    close(in[0]);
    close(out[1]);
    return problem;
}

static void write_question(struct command *command, struct loop *loop)
{
    const ssize_t n = write(command->input.fd, command->question.at, command->question.size);
    if (n > 0) {
        command->question.at += n;
        command->question.size -= (size_t)n;
    }
    /* A program that does not want the question may close its end, and answer all the same. */
    if (command->question.size == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close_pipe(loop, &command->input);
    }
}

/* Reads once. Behind a full buffer, too, or the program would wait for ever; what is too long is no
 * answer anyway. False: there is nothing to be read now; the pipe is closed if there never will be. */
static bool read_answer(struct command *command, struct loop *loop)
{
    char surplus[TEXT_SIZE];
    const size_t room = sizeof command->answer - command->size;
    char *at = room > 0 ? command->answer + command->size : surplus;
    const ssize_t n = read(command->output.fd, at, room > 0 ? room : sizeof surplus);
    if (n > 0) {
        command->size += room > 0 ? (size_t)n : 0;
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_pipe(loop, &command->output);
    }
    return false;
}

void command_pump(struct command *command, struct loop *loop, struct loop_source *source)
{
    if (source == &command->input) {
        write_question(command, loop);
    } else {
        (void)read_answer(command, loop);
    }
}

/* One line end at the end is the program's, not the answer's. */
static struct prosa_bytes answer_of(const struct command *command, int status)
{
    const struct prosa_bytes none = {NULL, 0};
    struct prosa_bytes text = prosa_bytes(command->answer, command->size);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return none;
    }
    if (text.size > 0 && text.at[text.size - 1] == '\n') {
        text.size--;
    }
    return text.size <= TEXT_SIZE && prosa_text_is_valid(text) ? text : none;
}

bool command_reap(struct command *command, struct loop *loop, struct prosa_bytes *answer)
{
    int status = 0;
    if (command->pid == 0 || waitpid(command->pid, &status, WNOHANG) != command->pid) {
        return false;
    }
    command->pid = 0;
    /* What it wrote before it ended may still be in the pipe, and a child of its own may hold it open. */
    while (command->output.fd >= 0 && command->size < sizeof command->answer && read_answer(command, loop)) {
    }
    stop_watching(command, loop);
    *answer = answer_of(command, status);
    return true;
}

void command_kill(struct command *command)
{
    if (command->pid != 0) {
        kill(-command->pid, SIGKILL);
    }
}

void command_fini(struct command *command, struct loop *loop)
{
    command_kill(command);
    if (command->pid != 0 && waitpid(command->pid, NULL, 0) == command->pid) {
        command->pid = 0;
    }
    stop_watching(command, loop);
}
