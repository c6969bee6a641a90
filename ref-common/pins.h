/* SPDX-License-Identifier: MIT */
/*
 * pins: which key a server had when it was met first, by the name that the person typed [ID-02],
 * [ID-04]. A text file, one line a server:
 *     chat.example.org:65432 ab12 cd34 ... 64 hexadecimal digits of the key
 * It refuses to guess: a file with one line that is anything else is an error that names the line, and
 * is never written over.
 */
#ifndef REF_COMMON_PINS_H
#define REF_COMMON_PINS_H

#include <prosa/registry.h>

#include <prosa/bytes.h>

/* More than that is no file of pins. */
#define PINS_FILE_LIMIT ((size_t)1 << 20)

/* Looks for `target` in the file `path`; *found tells whether `key` was set. No file: nothing is found.
 * False: `why` has a sentence for people that names the file and the line. */
PROSA_NODISCARD bool pins_find(const char *path, const char *target, bool *found,
                               uint8_t key[static PROSA_KEY_SIZE], char *why, size_t why_size);

/* Adds a line to the file, which is made with mode 0600 when there is none. Two programs that do this at
 * the same moment wait for each other. False: `why` has a sentence for people. */
PROSA_NODISCARD bool pins_add(const char *path, const char *target, const uint8_t key[static PROSA_KEY_SIZE],
                              char *why, size_t why_size);

#endif
