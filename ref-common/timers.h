/* SPDX-License-Identifier: MIT */
/* timers: what PROSA_TIMERS asks for [CON-02]: `name=number` with commas between, names and ranges as
 * in the registry's limits and timers. It refuses to guess: no blanks, no units, no name twice. */
#ifndef REF_COMMON_TIMERS_H
#define REF_COMMON_TIMERS_H

#include <prosa/session.h>

/* Changes those of *limits that `text` names. False: `why` has a sentence for people. */
PROSA_NODISCARD bool timers_parse(const char *text, struct prosa_limits *limits, char *why, size_t why_size);

#endif
