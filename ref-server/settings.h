/* SPDX-License-Identifier: MIT */
/*
 * settings: what the server is to do, from its flags, its configuration file and the environment [CON-01],
 * checked. One table holds every option: --help prints it, and the file has the same names.
 * It refuses to touch the network, and any file but that one.
 */
#ifndef REF_SERVER_SETTINGS_H
#define REF_SERVER_SETTINGS_H

#include "answerer.h"
#include "log.h"
#include "options.h"

#include <prosa/session.h>

/* The longest name of DNS with its final zero. */
#define HOST_SIZE 254

enum settings_outcome {
    SETTINGS_GOOD,
    SETTINGS_HELP,    /* only settings_help() is wanted */
    SETTINGS_BAD,     /* `why` has a sentence for people [CON-02] */
    SETTINGS_NO_LEVEL /* likewise [CON-03] */
};

/* Texts are borrowed from argv, the environment, or the file that was read. */
struct settings {
    const char *host;
    uint16_t port;    /* 0: one that is free */
    const char *data; /* NULL: the default folder */
    unsigned level;   /* 1 to 4 */
    struct prosa_limits limits;
    enum answer_mode answer_mode;
    const char *answer_words; /* of ANSWER_COMMAND */
    uint64_t answer_timeout_ms;
    enum log_level log_level;
    bool memory;                     /* no log on the disk, and no resume */
    bool restored;                   /* the log is a copy of an older one [MSG-24] */
    bool audit;                      /* offer the feature, from level 2 on */
    bool sandbox;                    /* take from this process what serving does not need */
    uint64_t keep_messages;          /* entries kept in a room; 0: all that there are */
    uint64_t keep_ms;                /* age up to which they are kept; 0: for ever */
    const char *rooms;               /* the fixed list of rooms, with commas between; NULL: any [MSG-29] */
    size_t max_clients;              /* sessions at once; 0: any number [AUTH-07] */
    size_t max_strangers;            /* connections that are not READY; 0: as many as [LIM-04] allows */
    size_t verifiers;                /* threads; 0: one a processor */
    const char *exempt;              /* addresses, with commas between, that LIM-05 is not about; or NULL */
    char metrics_host[HOST_SIZE];    /* where metrics are asked for; empty: nowhere */
    uint16_t metrics_port;           /* 0: one that is free */
    struct options_file file;        /* what --config named, or nothing */
    const char *values[OPTIONS_MAX]; /* as people wrote them, for settings_next_change */
};

/* Reads everything; *settings is settings_fini's afterwards when it is SETTINGS_GOOD. */
PROSA_NODISCARD enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv,
                                                    char *why, size_t why_size);

void settings_fini(struct settings *settings);

/* A setting that has another value than before; NULL is none. `live`: it can change while the server runs. */
struct settings_change {
    const char *name, *before, *after;
    bool live;
};

/* The next one; begin with *place 0. False: that was the last. */
PROSA_NODISCARD bool settings_next_change(const struct settings *before, const struct settings *after,
                                          size_t *place, struct settings_change *change);

/* True when `word` stands in `list`, with commas between, which may be NULL. */
PROSA_NODISCARD bool settings_list_has(const char *list, struct prosa_bytes word);

/* The whole --help, on stdout. */
void settings_help(void);

#endif
