/* SPDX-License-Identifier: MIT */
/*
 * settings: what the server is to do, from its flags and the environment [CON-01], checked. One table
 * holds every option: --help prints it.
 * It refuses to touch a file or the network.
 */
#ifndef REF_SERVER_SETTINGS_H
#define REF_SERVER_SETTINGS_H

#include "answerer.h"
#include "log.h"

#include <prosa/session.h>

enum settings_outcome {
    SETTINGS_GOOD,
    SETTINGS_HELP,    /* only settings_help() is wanted */
    SETTINGS_BAD,     /* `why` has a sentence for people [CON-02] */
    SETTINGS_NO_LEVEL /* likewise [CON-03] */
};

/* Texts are borrowed from argv and the environment. */
struct settings {
    const char *host;
    uint16_t port;    /* 0: one that is free */
    const char *data; /* NULL: the default folder */
    struct prosa_limits limits;
    enum answer_mode answer_mode;
    const char *answer_words; /* of ANSWER_COMMAND */
    uint64_t answer_timeout_ms;
    enum log_level log_level;
};

PROSA_NODISCARD enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv,
                                                    char *why, size_t why_size);

/* The whole --help, on stdout. */
void settings_help(void);

#endif
