/* SPDX-License-Identifier: MIT */
/*
 * sandbox: takes from this process whatever serving does not need, so that somebody who gets it to run his
 * code has little of it. The only room that knows libseccomp and Landlock.
 * It refuses to be half made: what the kernel lacks is an error, but for Landlock, which is told.
 */
#ifndef REF_SERVER_SANDBOX_H
#define REF_SERVER_SANDBOX_H

#include <prosa/bytes.h>

/* While there is one thread. From here on there are no capabilities, and none can be had; no program can be
 * executed; files are written in `folder` alone, and read there, in the folder of the file `config` (NULL:
 * there is none), and in those of the system. *files is false where the kernel has no Landlock: then what is
 * said of files, and of programs until sandbox_seal, does not hold.
 * False: `why` has a sentence for people. */
PROSA_NODISCARD bool sandbox_enter(const char *folder, const char *config, bool *files, char *why,
                                   size_t why_size);

/* When all is open, and every thread runs: from here on, in each of them, calls that serving does not take
 * fail with EPERM (cmake/SystemCalls.cmake). False: `why` has a sentence for people. */
PROSA_NODISCARD bool sandbox_seal(char *why, size_t why_size);

#endif
