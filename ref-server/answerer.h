/* SPDX-License-Identifier: MIT */
/*
 * answerer: who answers the questions that come to `@host`: the same text again, the operator, or an
 * external program. Questions go in, verdicts come out, in any order and never at once.
 * It refuses to know connections: an asker is a mark here, and its questions are forgotten with it
 * [FLOW-30].
 */
#ifndef REF_SERVER_ANSWERER_H
#define REF_SERVER_ANSWERER_H

#include "command.h"
#include "list.h"

#include <prosa/registry.h>

enum answer_mode { ANSWER_ECHO, ANSWER_CONSOLE, ANSWER_COMMAND };

/* `id` is the message's, `key` its author's; `text` is borrowed. */
struct question {
    void *asker;
    uint64_t counter;
    uint8_t id[PROSA_HASH_SIZE], key[PROSA_KEY_SIZE];
    char nick[NICK_SIZE];
    struct prosa_bytes text;
};

struct pending; /* private: a question with its text, and what becomes of it */

struct answerer {
    struct loop *loop;
    int kind;
    enum answer_mode mode;
    const char *words;
    uint64_t timeout_ms;
    bool operator_gone;
    size_t running;
    struct list waiting; /* for the operator, or for a free place to run in; the oldest first */
    struct list runs;    /* with a process, also those that nobody waits for any more */
    struct list decided;
    struct pending *told; /* whose verdict was given last */
};

/* Sources of `kind` will be the answerer's. `words`, of ANSWER_COMMAND alone, is borrowed. */
void answerer_init(struct answerer *answerer, struct loop *loop, int kind, enum answer_mode mode,
                   const char *words, uint64_t timeout_ms);

/* Kills what still runs and waits for its end. */
void answerer_fini(struct answerer *answerer);

/* Copies the question; when too many of this asker wait, nobody answers the oldest. False: there is no memory
 * for it, and nobody will answer. */
PROSA_NODISCARD bool answerer_ask(struct answerer *answerer, const struct question *question);
void answerer_forget(struct answerer *answerer, const void *asker);

/* The operator's answer to the oldest question, of an asker with this nick unless it is empty. False:
 * there is none pending. `text` has 1 to TEXT_SIZE octets of UTF-8. */
PROSA_NODISCARD bool answerer_reply(struct answerer *answerer, struct prosa_bytes nick,
                                    struct prosa_bytes text);

/* The console's end: nobody answers what is pending or comes [END-12]. */
void answerer_operator_leaves(struct answerer *answerer);

/* An event of one of its sources; a child of this program has ended. */
void answerer_pump(struct answerer *answerer, const struct loop_event *event);
void answerer_reap(struct answerer *answerer);

struct verdict {
    struct question question;
    struct prosa_bytes text; /* empty: nobody answers [FLOW-29] */
};

/* The next verdict, valid until the next call; false when there is none now. */
PROSA_NODISCARD bool answerer_next(struct answerer *answerer, struct verdict *verdict);

#endif
