/* SPDX-License-Identifier: MIT */
/* datafolder: where a program keeps what must last, when a person does not say where. */
#ifndef REF_COMMON_DATAFOLDER_H
#define REF_COMMON_DATAFOLDER_H

#include <prosa/bytes.h>

/* Writes `given`, or when that is NULL $XDG_DATA_HOME/prosa or ~/.local/share/prosa, to `out`, and
 * makes the folder if it is not there. False: `why` has a sentence for people. */
PROSA_NODISCARD bool datafolder_open(const char *given, char *out, size_t cap, char *why, size_t why_size);

#endif
