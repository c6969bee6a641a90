/* SPDX-License-Identifier: MIT */
#include "scarce.h"

#include <stdatomic.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void __wrap_free(void *at);

static atomic_size_t count, blocks;
static atomic_size_t fails_from = SCARCE_NEVER, fails_to;

void scarce_begin(size_t from, size_t to)
{
    count = 0;
    fails_to = to;
    fails_from = from;
}

size_t scarce_end(void)
{
    fails_from = SCARCE_NEVER;
    return count;
}

size_t scarce_blocks(void)
{
    return blocks;
}

bool scarce_fails(void)
{
    const size_t number = ++count;
    return number >= fails_from && number <= fails_to;
}

static void *counted(void *at)
{
    blocks += at != NULL;
    return at;
}

void *__wrap_malloc(size_t size)
{
    return scarce_fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return scarce_fails() ? NULL : counted(__real_calloc(number, size));
}

void *__wrap_realloc(void *at, size_t size)
{
    if (scarce_fails()) {
        return NULL;
    }
    return at == NULL ? counted(__real_realloc(at, size)) : __real_realloc(at, size);
}

void __wrap_free(void *at)
{
    blocks -= at != NULL;
    __real_free(at);
}
