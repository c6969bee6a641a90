/* SPDX-License-Identifier: MIT */
/*
 * settings: what the client is to do, from its flags and the environment [CON-01], checked and made
 * complete. One table holds every option: --help prints it.
 * It refuses to touch a file or the network.
 */
#ifndef REF_CLIENT_SETTINGS_H
#define REF_CLIENT_SETTINGS_H

#include "net.h"

#include <prosa/registry.h>

/* Octets of the longest nick and room with their final zero. */
#define SETTINGS_NICK_SIZE 33
#define SETTINGS_ROOM_SIZE 34

#define SETTINGS_ROOM_RULE "a room is 1 to 32 of a-z 0-9 _ -, or @ and that"

#define HISTORY_ALL UINT64_MAX

struct settings {
    bool is_json;
    bool is_screen;
    char host[NET_TARGET_SIZE]; /* as typed, without brackets */
    uint16_t port;
    char target[NET_TARGET_SIZE];
    char nick[SETTINGS_NICK_SIZE];
    char room[SETTINGS_ROOM_SIZE];
    unsigned level;   /* 1 to 4 */
    uint64_t history; /* messages to be shown at the first visit of a room, 0: none, HISTORY_ALL */
    const char *data; /* borrowed from argv or the environment; NULL: the default folder */
};

enum settings_outcome {
    SETTINGS_GOOD,
    SETTINGS_HELP,     /* --help was asked for */
    SETTINGS_BAD,      /* `why` has a sentence for people */
    SETTINGS_NO_LEVEL, /* likewise [CON-03] */
};

PROSA_NODISCARD enum settings_outcome settings_read(struct settings *settings, int argc, char *const *argv,
                                                    char *why, size_t why_size);

/* True for what can be the name of a room on the wire. */
bool settings_is_room(const char *name);

/* Writes the text of --help on stdout. */
void settings_help(void);

#endif
