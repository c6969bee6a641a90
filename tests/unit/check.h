/* SPDX-License-Identifier: MIT */
/* check: a test program counts its checks, prints each one that fails, and fails itself when one
 * did or when there was none:  int main(void) { ...CHECK(2 > 1)...; return check_result(); } */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>

static unsigned check_count;
static unsigned check_failures;
static const char *check_clause = "-";

/* Names the clause that the following checks show. */
#define PROSA_CLAUSE(id) ((void)(check_clause = (id)))

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)

static inline bool check_that(bool good, const char *condition, const char *file, int line)
{
    check_count++;
    if (!good) {
        check_failures++;
        fprintf(stderr, "%s:%d: [%s] %s\n", file, line, check_clause, condition);
    }
    return good;
}

static inline int check_result(void)
{
    printf("%u checks, %u failed\n", check_count, check_failures);
    return check_count == 0 || check_failures > 0;
}

#endif
