/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <prosa/text.h>

#define ESCAPE     0x1b
#define DELETE     0x7f
#define CONTROL(c) ((c)&0x1f)

/* What xterm adds to a key's parameters for Alt and Ctrl. */
#define WITH_ALT  3u
#define WITH_CTRL 5u

#define PASTE_BEGIN 200u
#define PASTE_END   201u

static size_t character_size(uint8_t first)
{
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Octets of a control sequence: parameters, then one final octet (ECMA-48). The console of Linux has one
 * more behind `[[`. */
static size_t sequence_size(struct prosa_bytes typed)
{
    size_t size = 2;
    if (typed.size > 2 && typed.at[2] == '[') {
        return 4;
    }
    while (size < typed.size && (typed.at[size] < 0x40 || typed.at[size] > 0x7e)) {
        size++;
    }
    return size + 1;
}

size_t keys_size(struct prosa_bytes typed)
{
    if (typed.size == 0) {
        return 0;
    }
    size_t wanted = character_size(typed.at[0]);
    if (typed.at[0] == ESCAPE) {
        const uint8_t second = typed.size > 1 ? typed.at[1] : 0;
        wanted = second == '[' ? sequence_size(typed) : second == 'O' ? 3 : 1 + character_size(second);
    }
    return wanted <= typed.size ? wanted : 0;
}

void keys_init(struct keys *keys)
{
    keys->size = 0;
    keys->is_pasting = false;
    keys->was_return = false;
}

uint8_t *keys_space(struct keys *keys, size_t *size)
{
    *size = sizeof keys->typed - keys->size;
    return keys->typed + keys->size;
}

void keys_commit(struct keys *keys, size_t size)
{
    keys->size += size;
}

static enum keys_kind control_kind(uint32_t code_point)
{
    switch (code_point) {
    case CONTROL('a'):
        return KEYS_LINE_BEGIN;
    case CONTROL('b'):
        return KEYS_LEFT;
    case CONTROL('d'):
        return KEYS_END_OF_FILE;
    case CONTROL('e'):
        return KEYS_LINE_END;
    case CONTROL('f'):
        return KEYS_RIGHT;
    case CONTROL('h'):
    case DELETE:
        return KEYS_DELETE_LEFT;
    case CONTROL('j'):
    case CONTROL('m'):
        return KEYS_ENTER;
    case CONTROL('k'):
        return KEYS_DELETE_TO_END;
    case CONTROL('l'):
        return KEYS_REDRAW;
    case CONTROL('n'):
        return KEYS_NEWER;
    case CONTROL('p'):
        return KEYS_OLDER;
    case CONTROL('u'):
        return KEYS_DELETE_TO_BEGIN;
    case CONTROL('w'):
        return KEYS_DELETE_WORD_LEFT;
    default:
        return code_point < 0x20 ? KEYS_NONE : KEYS_CHARACTER;
    }
}

/* ESC and one more octet: Alt and a key. */
static enum keys_kind alt_kind(uint8_t second)
{
    switch (second) {
    case 'b':
        return KEYS_WORD_LEFT;
    case 'f':
        return KEYS_WORD_RIGHT;
    case 'd':
        return KEYS_DELETE_WORD_RIGHT;
    case CONTROL('h'):
    case DELETE:
        return KEYS_DELETE_WORD_LEFT;
    default:
        return KEYS_NONE;
    }
}

static enum keys_kind letter_kind(uint8_t letter, unsigned modifier)
{
    const bool is_ctrl = modifier == WITH_CTRL;
    const bool is_word = is_ctrl || modifier == WITH_ALT;
    switch (letter) {
    case 'A':
        return is_ctrl ? KEYS_ROW_UP : KEYS_OLDER;
    case 'B':
        return is_ctrl ? KEYS_ROW_DOWN : KEYS_NEWER;
    case 'C':
        return is_word ? KEYS_WORD_RIGHT : KEYS_RIGHT;
    case 'D':
        return is_word ? KEYS_WORD_LEFT : KEYS_LEFT;
    case 'F':
        return is_ctrl ? KEYS_BOTTOM : KEYS_LINE_END;
    case 'H':
        return is_ctrl ? KEYS_TOP : KEYS_LINE_BEGIN;
    case 'c':
        return KEYS_WORD_RIGHT; /* rxvt, with Ctrl */
    case 'd':
        return KEYS_WORD_LEFT;
    default:
        return KEYS_NONE;
    }
}

static enum keys_kind number_kind(unsigned number)
{
    switch (number) {
    case 1:
    case 7:
        return KEYS_LINE_BEGIN;
    case 3:
        return KEYS_DELETE_RIGHT;
    case 4:
    case 8:
        return KEYS_LINE_END;
    case 5:
        return KEYS_PAGE_UP;
    case 6:
        return KEYS_PAGE_DOWN;
    default:
        return KEYS_NONE;
    }
}

/* The first two parameters of a control sequence; what is not there is 0. */
static void read_parameters(struct prosa_bytes sequence, unsigned parameters[static 2])
{
    size_t index = 0;
    parameters[0] = parameters[1] = 0;
    for (size_t i = 2; i < sequence.size && index < 2; i++) {
        const uint8_t c = sequence.at[i];
        if (c == ';') {
            index++;
        } else if (c >= '0' && c <= '9' && parameters[index] < 1000) {
            parameters[index] = parameters[index] * 10 + c - '0';
        }
    }
}

static enum keys_kind sequence_kind(struct keys *keys, struct prosa_bytes sequence)
{
    unsigned parameters[2];
    const uint8_t final = sequence.at[sequence.size - 1];
    if (sequence.at[1] == 'O') {
        return letter_kind(final, 0);
    }
    if (sequence.at[1] != '[') {
        return alt_kind(sequence.at[1]);
    }
    read_parameters(sequence, parameters);
    if (final != '~') {
        return letter_kind(final, parameters[1]);
    }
    if (parameters[0] == PASTE_BEGIN) {
        keys->is_pasting = true;
        keys->was_return = false;
    }
    return number_kind(parameters[0]);
}

static bool is_paste_end(struct prosa_bytes sequence)
{
    unsigned parameters[2] = {0, 0};
    if (sequence.size > 3 && sequence.at[1] == '[' && sequence.at[sequence.size - 1] == '~') {
        read_parameters(sequence, parameters);
    }
    return parameters[0] == PASTE_END;
}

/* Text, but for the sequence that ends it; a CR, an LF and both end a line. Takes all off that it
 * looked at. */
static void next_pasted(struct keys *keys, struct prosa_bytes *rest, size_t size, struct keys_key *key)
{
    if (rest->at[0] == ESCAPE && is_paste_end(prosa_bytes(rest->at, size))) {
        *rest = prosa_bytes(rest->at + size, rest->size - size);
        keys->is_pasting = false;
        return;
    }
    prosa_text_next(rest, &key->code_point);
    const bool is_feed_of_return = key->code_point == '\n' && keys->was_return;
    keys->was_return = key->code_point == '\r';
    if (keys->was_return) {
        key->code_point = '\n';
    }
    key->kind = is_feed_of_return ? KEYS_NONE : KEYS_CHARACTER;
}

static void next_typed(struct keys *keys, struct prosa_bytes *rest, size_t size, struct keys_key *key)
{
    if (rest->at[0] != ESCAPE) {
        prosa_text_next(rest, &key->code_point);
        key->kind = control_kind(key->code_point);
        return;
    }
    /* Of an Escape that belongs to no key the next one is a key of its own. */
    const bool is_alone =
        size >= 2 && rest->at[1] != '[' && rest->at[1] != 'O' && alt_kind(rest->at[1]) == KEYS_NONE;
    const size_t taken = is_alone ? 1 : size;
    if (!is_alone) {
        key->kind = sequence_kind(keys, prosa_bytes(rest->at, size));
    }
    *rest = prosa_bytes(rest->at + taken, rest->size - taken);
}

bool keys_next(struct keys *keys, struct keys_key *key)
{
    struct prosa_bytes rest = prosa_bytes(keys->typed, keys->size);
    size_t size = keys_size(rest);
    if (size == 0 && rest.size < KEYS_SIZE) {
        return false;
    }
    if (size == 0) {
        size = KEYS_SIZE; /* a buffer full of one key holds nonsense */
    }
    *key = (struct keys_key){.kind = KEYS_NONE};
    if (keys->is_pasting) {
        next_pasted(keys, &rest, size, key);
    } else {
        next_typed(keys, &rest, size, key);
    }
    memmove(keys->typed, rest.at, rest.size);
    keys->size = rest.size;
    return true;
}
