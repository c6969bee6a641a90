/* SPDX-License-Identifier: MIT */
/*
 * files: small private files that are read and written whole. A new content appears under its name
 * complete and on the disk, or not at all, and only its owner can read it.
 * It refuses to know what stands in them.
 */
#ifndef REF_COMMON_FILES_H
#define REF_COMMON_FILES_H

#include <prosa/bytes.h>

/* Reads exactly `size` octets; false at an error or end of file before that. */
PROSA_NODISCARD bool file_read_all(int fd, void *at, size_t size);

/* Makes the file `path` with mode 0600. `replace`: a file of that name gives way; without it, the call
 * fails with errno EEXIST when there is one. False: errno tells why, and nothing has changed, except
 * that the disk may not have confirmed the name. */
PROSA_NODISCARD bool file_write_whole(const char *path, struct prosa_bytes content, bool replace);

/* Writes a file over itself, and waits for the disk: after an fsync that failed, or never came, only that has
 * what the system shows of the file on the disk. True when there is no such file. False: errno tells why. */
PROSA_NODISCARD bool file_write_again(const char *path);

/* Makes a folder of mode 0700 and those above it that are missing; true when it is there already. */
PROSA_NODISCARD bool folder_make(const char *path);

/* Puts /dev/null where a standard stream is closed: its number would be given to a socket. */
PROSA_NODISCARD bool streams_hold(void);

#endif
