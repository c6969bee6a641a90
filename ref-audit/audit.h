/* SPDX-License-Identifier: MIT */
/*
 * audit: what prosa-audit can find out without asking anybody: whether a stored log is as it was written
 * and signed, and whether a server has told two histories. Everything here prints its finding.
 * It refuses to write to what it looks at.
 */
#ifndef REF_AUDIT_AUDIT_H
#define REF_AUDIT_AUDIT_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

/* Exit codes. */
enum audit_finding {
    AUDIT_GOOD = 0,
    AUDIT_BAD = 1,    /* damage, a forgery, or a proof that a server lied */
    AUDIT_UNABLE = 2, /* words that make no sense, or a file that is not what they say */
};

/* The file of a log that a person names: itself, or the folder that it is in. False: said why not. */
PROSA_NODISCARD bool audit_log_path(const char *given, char *path, size_t cap);

/* The key of the server that wrote a log. False: said why not. */
PROSA_NODISCARD bool audit_log_key(const char *path, uint8_t key[static PROSA_KEY_SIZE]);

/* Every entry of every room. `key` is that of the server that should have written it, or NULL. */
PROSA_NODISCARD enum audit_finding audit_log(const char *path, const uint8_t *key);

/* Two files with a CHECKPOINT of the server with this key in each, as octets or in hexadecimal digits. */
PROSA_NODISCARD enum audit_finding audit_compare(const uint8_t key[static PROSA_KEY_SIZE], const char *first,
                                                 const char *second);

/* A sentence on stderr. */
void audit_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
