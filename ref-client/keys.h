/* SPDX-License-Identifier: MIT */
/*
 * keys: the octets that a terminal sends, taken apart into the keys that were pressed, as ECMA-48 and the
 * terminals of today have them. A paste that the terminal brackets is text, whatever it has in it.
 * It refuses to wait: what is not a whole key yet stays until its rest comes.
 */
#ifndef REF_CLIENT_KEYS_H
#define REF_CLIENT_KEYS_H

#include <prosa/bytes.h>

#define KEYS_SIZE 4096u

enum keys_kind {
    KEYS_NONE, /* a key that nothing is bound to */
    KEYS_CHARACTER,
    KEYS_ENTER,
    KEYS_END_OF_FILE, /* Ctrl-D, which is also "delete to the right" */
    KEYS_LEFT,
    KEYS_RIGHT,
    KEYS_WORD_LEFT,
    KEYS_WORD_RIGHT,
    KEYS_LINE_BEGIN,
    KEYS_LINE_END,
    KEYS_DELETE_LEFT,
    KEYS_DELETE_RIGHT,
    KEYS_DELETE_WORD_LEFT,
    KEYS_DELETE_WORD_RIGHT,
    KEYS_DELETE_TO_BEGIN,
    KEYS_DELETE_TO_END,
    KEYS_OLDER,
    KEYS_NEWER,
    KEYS_PAGE_UP,
    KEYS_PAGE_DOWN,
    KEYS_ROW_UP,
    KEYS_ROW_DOWN,
    KEYS_TOP,
    KEYS_BOTTOM,
    KEYS_REDRAW
};

struct keys {
    uint8_t typed[KEYS_SIZE]; /* not taken yet */
    size_t size;
    bool is_pasting;
    bool was_return; /* the last octet of a paste was a carriage return */
};

struct keys_key {
    enum keys_kind kind;
    uint32_t code_point; /* CHARACTER; of a paste any, with U+000A for each end of a line */
};

/* Octets of the key that `typed` begins with; 0 when its rest has not come. */
size_t keys_size(struct prosa_bytes typed);

void keys_init(struct keys *keys);

/* Where to put what was typed, as it came, and how much of it was put there. There is room for at least one
 * octet whenever keys_next has said false. */
uint8_t *keys_space(struct keys *keys, size_t *size);
void keys_commit(struct keys *keys, size_t size);

/* Takes the first key off; false when there is no whole one. */
PROSA_NODISCARD bool keys_next(struct keys *keys, struct keys_key *key);

#endif
