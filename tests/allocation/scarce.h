/* SPDX-License-Identifier: MIT */
/* scarce: memory that runs out when a test says so. A program that is linked with the wrappers of malloc,
 * calloc, realloc and free (see CMakeLists.txt) takes all of its memory here; so does SQLite after
 * scarce_sqlite(). */
#ifndef SCARCE_H
#define SCARCE_H

#include <stdbool.h>
#include <stddef.h>

#define SCARCE_NEVER ((size_t)-1)

/* Counts from 1 anew: the allocations from the one numbered `from` to that numbered `to` fail. */
void scarce_begin(size_t from, size_t to);
/* From here on nothing fails; how many allocations there were since scarce_begin(). */
size_t scarce_end(void);

/* Blocks that have not been freed. */
size_t scarce_blocks(void);

/* Counts one allocation; true: it fails. */
bool scarce_fails(void);

/* SQLite allocates here, too; before anything else is asked of it. In scarce_sqlite.c. */
void scarce_sqlite(void);

#endif
