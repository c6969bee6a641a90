/* SPDX-License-Identifier: MIT */
/*
 * events: reports for programs, as JSON lines on stdout [CON-09].
 * It refuses to write words: what is no event of chapter 13.4 belongs on stderr.
 */
#ifndef REF_COMMON_EVENTS_H
#define REF_COMMON_EVENTS_H

#include "report.h"

/* Writes one line and flushes it. `report` is no NOTE and no ALARM. */
void events_write(const struct report *report);

#endif
