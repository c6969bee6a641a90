/* SPDX-License-Identifier: MIT */
/*
 * command: one run of an external program that answers one question: the question on its stdin, the
 * answer on its stdout, in a process group of its own. Nothing here waits.
 * It refuses to trust: what is no answer by the rules of a message, or comes too late, is none.
 */
#ifndef REF_SERVER_COMMAND_H
#define REF_SERVER_COMMAND_H

#include "loop.h"
#include "sizes.h"

#include <sys/types.h>

struct command {
    pid_t pid;                               /* 0 when there is no process */
    struct loop_source timer, input, output; /* one that is closed has no descriptor: -1 */
    struct prosa_bytes question;             /* what is not written yet; borrowed */
    char answer[TEXT_SIZE + 2];              /* room for a line feed, and to see that there is more */
    size_t size;
};

/* Runs `words` with /bin/sh -c and `environment`; its pipes are watched with sources of `kind` whose
 * owner is `owner`. `question` must live as long as the run; LOOP_TIMEOUT comes after
 * `timeout_ms`.
 * 0 or -errno. */
PROSA_NODISCARD int command_start(struct command *command, struct loop *loop, int kind, void *owner,
                                  const char *words, char *const *environment, struct prosa_bytes question,
                                  uint64_t timeout_ms);

/* LOOP_READ or LOOP_WRITE on one of its pipes. */
void command_pump(struct command *command, struct loop *loop, struct loop_source *source);

/* True when the process has ended, and is reaped. Then *answer is what it said, borrowed from the
 * command, or empty when that is no answer: non-zero exit, empty, too long, not UTF-8. */
PROSA_NODISCARD bool command_reap(struct command *command, struct loop *loop, struct prosa_bytes *answer);

/* Ends the process and all that it started; command_reap comes true soon. */
void command_kill(struct command *command);

/* Likewise, and waits for it, which is short. */
void command_fini(struct command *command, struct loop *loop);

#endif
