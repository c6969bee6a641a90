/* SPDX-License-Identifier: MIT */
/*
 * keyfile: the private key of a program, kept in a text file of one line that only its owner can
 * read [ID-01]: "PROSA-KEY-1 ", the seed in 64 lower-case hexadecimal digits, a line feed.
 * It refuses to repair: a file that is not exactly that, or that others can read, is an error for a
 * person to look at, and is never overwritten.
 */
#ifndef REF_COMMON_KEYFILE_H
#define REF_COMMON_KEYFILE_H

#include <prosa/sign.h>

/* Octets of "ab12 cd34 ..." with its final zero. */
#define FINGERPRINT_TEXT_SIZE 40

/* Octets of the suffix that stands beside a nick, with its final zero. */
#define KEY_SUFFIX_SIZE 5

/* Reads the key at `path`, or makes it with mode 0600 when there is no such file; *made tells which.
 * A new file appears whole or not at all, and is on the disk when this returns.
 * False: `why` has a sentence for people, *keypair is wiped. */
PROSA_NODISCARD bool keyfile_open(const char *path, struct prosa_keypair *keypair, bool *made, char *why,
                                  size_t why_size);

/* The fingerprint of a public key in groups of four digits, and its last four (chapter 4.4). */
void fingerprint_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static FINGERPRINT_TEXT_SIZE]);
void key_suffix_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static KEY_SUFFIX_SIZE]);

#endif
