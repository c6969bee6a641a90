/* SPDX-License-Identifier: MIT */
#include "answerer.h"

#include "hex.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Programs at once; further questions wait for a place. */
#define RUNS_MAX 16

/* Questions of one asker that wait, so that nobody fills the memory with them: as many as the largest window
 * has [FLOW-32] [LIM-07]. */
#define WAITING_MAX 64u

/* What a program is told of who asks: nick, key and counter. */
#define ASKER           "PROSA_ASKER_"
#define ASKER_WORDS     3
#define ASKER_WORD_SIZE (sizeof ASKER "COUNTER=" + 2 * (size_t)PROSA_KEY_SIZE)

struct pending {
    struct list node;
    bool forgotten;
    struct question question;
    struct command *command; /* NULL: none runs for it */
    char *answer;            /* NULL: nobody answers */
    size_t answer_size;
    uint8_t text[]; /* of the question */
};

_Static_assert(sizeof(struct pending) <= 256, "LIM-07 says so much beside the text");

void answerer_init(struct answerer *answerer, struct loop *loop, int kind, enum answer_mode mode,
                   const char *words, uint64_t timeout_ms)
{
    *answerer =
        (struct answerer){.loop = loop, .kind = kind, .mode = mode, .words = words, .timeout_ms = timeout_ms};
    list_init(&answerer->waiting);
    list_init(&answerer->runs);
    list_init(&answerer->decided);
}

static void free_pending(struct pending *pending)
{
    if (pending != NULL) {
        free(pending->command);
        free(pending->answer);
        free(pending);
    }
}

static void discard(struct pending *pending)
{
    list_remove(&pending->node);
    free_pending(pending);
}

/* Without memory for the answer it is nobody's. */
static void decide(struct answerer *answerer, struct pending *pending, struct prosa_bytes text)
{
    list_remove(&pending->node);
    list_append(&answerer->decided, &pending->node);
    pending->answer = text.size > 0 ? malloc(text.size) : NULL;
    if (pending->answer != NULL) {
        memcpy(pending->answer, text.at, text.size);
        pending->answer_size = text.size;
    }
}

static void decide_nobody(struct answerer *answerer, struct pending *pending)
{
    decide(answerer, pending, prosa_bytes(NULL, 0));
}

/* Our environment and the words of the asker, "PROSA_ASKER_...=value"; the array is the caller's to free.
 * NULL: no memory. setenv() would do, but the C library keeps every value that it was ever given. */
static char **environment_with(char *const words[static ASKER_WORDS])
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **environment = malloc((count + ASKER_WORDS + 1) * sizeof *environment);
    if (environment == NULL) {
        return NULL;
    }
    size_t used = 0;
    for (; used < ASKER_WORDS; used++) {
        environment[used] = words[used];
    }
    for (char **at = environ; *at != NULL; at++) {
        if (strncmp(*at, ASKER, sizeof ASKER - 1) != 0) {
            environment[used++] = *at;
        }
    }
    environment[used] = NULL;
    return environment;
}

static int start(struct answerer *answerer, struct pending *pending)
{
    const struct question *question = &pending->question;
    char digits[2 * PROSA_KEY_SIZE + 1];
    char nick[ASKER_WORD_SIZE];
    char key[ASKER_WORD_SIZE];
    char counter[ASKER_WORD_SIZE];
    char *const words[ASKER_WORDS] = {nick, key, counter};

    hex_print(prosa_bytes(question->key, sizeof question->key), digits);
    snprintf(nick, sizeof nick, ASKER "NICK=%s", question->nick);
    snprintf(key, sizeof key, ASKER "KEY=%s", digits);
    snprintf(counter, sizeof counter, ASKER "COUNTER=%llu", (unsigned long long)question->counter);
    char **environment = environment_with(words);
    if (environment == NULL) {
        return -ENOMEM;
    }
    pending->command = calloc(1, sizeof *pending->command);
    const int problem =
        pending->command == NULL
            ? -ENOMEM
            : command_start(pending->command, answerer->loop, answerer->kind, pending, answerer->words,
                            environment, question->text, answerer->timeout_ms);
    free(environment);
    return problem;
}

static void start_waiting(struct answerer *answerer)
{
    struct pending *pending;
    while (answerer->mode == ANSWER_COMMAND && answerer->running < RUNS_MAX &&
           (pending = LIST_FIRST(&answerer->waiting, struct pending, node)) != NULL) {
        const int problem = start(answerer, pending);
        if (problem != 0) {
            log_flood(LOG_LEVEL_ERROR, "answer-failed", "problem=\"%s\"", strerror(-problem));
            decide_nobody(answerer, pending);
            continue;
        }
        list_remove(&pending->node);
        list_append(&answerer->runs, &pending->node);
        answerer->running++;
    }
}

/* Of an asker who has as many questions as may wait, the oldest makes way. */
static void make_way(struct answerer *answerer, const void *asker)
{
    struct pending *oldest = NULL;
    size_t count = 0;
    LIST_EACH(at, &answerer->waiting)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        if (pending->question.asker == asker) {
            oldest = oldest != NULL ? oldest : pending;
            count++;
        }
    }
    if (count >= WAITING_MAX) {
        decide_nobody(answerer, oldest);
    }
}

bool answerer_ask(struct answerer *answerer, const struct question *question)
{
    struct pending *pending = malloc(sizeof *pending + question->text.size);
    if (pending == NULL) {
        return false;
    }
    *pending = (struct pending){.question = *question};
    memcpy(pending->text, question->text.at, question->text.size);
    pending->question.text.at = pending->text;
    make_way(answerer, question->asker);
    list_append(&answerer->waiting, &pending->node);
    if (answerer->mode == ANSWER_ECHO) {
        decide(answerer, pending, pending->question.text);
    } else if (answerer->mode == ANSWER_CONSOLE && answerer->operator_gone) {
        decide_nobody(answerer, pending);
    }
    start_waiting(answerer);
    return true;
}

static void discard_of(struct list *list, const void *asker)
{
    LIST_EACH(at, list)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        if (pending->question.asker == asker) {
            discard(pending);
        }
    }
}

void answerer_forget(struct answerer *answerer, const void *asker)
{
    discard_of(&answerer->waiting, asker);
    discard_of(&answerer->decided, asker);
    LIST_EACH(at, &answerer->runs)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        if (pending->question.asker == asker) {
            pending->forgotten = true;
            command_kill(pending->command);
        }
    }
}

bool answerer_reply(struct answerer *answerer, struct prosa_bytes nick, struct prosa_bytes text)
{
    if (answerer->mode != ANSWER_CONSOLE) {
        return false;
    }
    LIST_EACH(at, &answerer->waiting)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        if (nick.size == 0 || prosa_bytes_equal(nick, prosa_bytes_of_string(pending->question.nick))) {
            decide(answerer, pending, text);
            return true;
        }
    }
    return false;
}

void answerer_fini(struct answerer *answerer)
{
    free_pending(answerer->told);
    LIST_EACH(at, &answerer->runs)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        command_fini(pending->command, answerer->loop);
        discard(pending);
    }
    LIST_EACH(at, &answerer->waiting)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        discard(pending);
    }
    LIST_EACH(at, &answerer->decided)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        discard(pending);
    }
}

void answerer_operator_leaves(struct answerer *answerer)
{
    answerer->operator_gone = true;
    if (answerer->mode != ANSWER_CONSOLE) {
        return;
    }
    LIST_EACH(at, &answerer->waiting)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        decide_nobody(answerer, pending);
    }
}

void answerer_pump(struct answerer *answerer, const struct loop_event *event)
{
    struct pending *pending = event->source->owner;
    if (event->ready == LOOP_TIMEOUT) {
        log_event(LOG_LEVEL_WARN, "answer-timeout", "nick=%s", pending->question.nick);
        command_kill(pending->command);
    } else {
        command_pump(pending->command, answerer->loop, event->source);
    }
}

void answerer_reap(struct answerer *answerer)
{
    struct prosa_bytes text;
    LIST_EACH(at, &answerer->runs)
    {
        struct pending *pending = LIST_OF(at, struct pending, node);
        if (!command_reap(pending->command, answerer->loop, &text)) {
            continue;
        }
        answerer->running--;
        if (pending->forgotten) {
            discard(pending);
        } else {
            decide(answerer, pending, text);
        }
    }
    start_waiting(answerer);
}

bool answerer_next(struct answerer *answerer, struct verdict *verdict)
{
    struct pending *pending = LIST_FIRST(&answerer->decided, struct pending, node);
    free_pending(answerer->told);
    answerer->told = pending;
    if (pending == NULL) {
        return false;
    }
    list_remove(&pending->node);
    *verdict = (struct verdict){.question = pending->question,
                                .text = prosa_bytes(pending->answer, pending->answer_size)};
    return true;
}
