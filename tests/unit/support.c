/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void stop(const char *why)
{
    fprintf(stderr, "test support: %s\n", why);
    exit(1);
}

static uint8_t digit_value(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit != 0 ? strchr(digits, digit) : NULL;
    if (found == NULL)
        stop("not a hexadecimal digit");
    return (uint8_t)(found - digits);
}

struct prosa_bytes from_hex(const char *text, uint8_t *out, size_t cap)
{
    size_t size = 0;
    while (*text != 0) {
        if (*text == ' ') {
            text++;
            continue;
        }
        if (size == cap)
            stop("more octets than room");
        out[size++] = (uint8_t)(digit_value(text[0]) << 4 | digit_value(text[1]));
        text += 2;
    }
    return prosa_bytes(out, size);
}

struct guarded guarded_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t usable = (size + page - 1) / page * page;
    struct guarded memory = {.size = size, .mapped = usable + page};

    memory.mapping = mmap(NULL, memory.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory.mapping == MAP_FAILED)
        stop("no memory");
    if (mprotect((uint8_t *)memory.mapping + usable, page, PROT_NONE) != 0)
        stop("no guard page");
    memory.at = (uint8_t *)memory.mapping + usable - size;
    return memory;
}

struct guarded guarded_copy(struct prosa_bytes octets)
{
    struct guarded memory = guarded_new(octets.size);
    if (octets.size > 0)
        memcpy(memory.at, octets.at, octets.size);
    return memory;
}

void guarded_free(struct guarded *memory)
{
    munmap(memory->mapping, memory->mapped);
}
