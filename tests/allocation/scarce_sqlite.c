/* SPDX-License-Identifier: MIT */
#include "scarce.h"

#include <sqlite3.h>
#include <stdlib.h>

static sqlite3_mem_methods its_own;

static void *take(int size)
{
    return scarce_fails() ? NULL : its_own.xMalloc(size);
}

static void *grow(void *at, int size)
{
    return scarce_fails() ? NULL : its_own.xRealloc(at, size);
}

void scarce_sqlite(void)
{
    sqlite3_mem_methods methods;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &its_own) != SQLITE_OK) {
        abort();
    }
    methods = its_own;
    methods.xMalloc = take;
    methods.xRealloc = grow;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK) {
        abort();
    }
}
