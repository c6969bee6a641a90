/* SPDX-License-Identifier: MIT */
/*
 * figures: what the server counts of itself, as a page in the text format 0.0.4 of Prometheus. Names have
 * the unit at their end, and `_total` when they only grow.
 * It refuses to know who reads the page.
 */
#ifndef REF_SERVER_FIGURES_H
#define REF_SERVER_FIGURES_H

#include "stats.h"

#define FIGURES_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct figures {
    char text[16384]; /* no final zero */
    size_t size;
};

/* Writes the whole page. */
void figures_print(struct figures *page, const struct stats *stats);

#endif
