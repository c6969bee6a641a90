/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include "lines.h"

#include <assert.h>
#include <stdlib.h>

#define LENGTH_SIZE 2u

void outbox_init(struct outbox *outbox)
{
    memset(outbox, 0, sizeof *outbox);
}

void outbox_fini(struct outbox *outbox)
{
    free(outbox->at);
    outbox_init(outbox);
}

bool outbox_has_room(const struct outbox *outbox)
{
    return outbox->end - outbox->begin + LENGTH_SIZE + LINES_MAX <= OUTBOX_LIMIT;
}

/* Room for `size` octets behind the end. */
static bool make_room(struct outbox *outbox, size_t size)
{
    const size_t used = outbox->end - outbox->begin;
    if (outbox->end + size <= outbox->cap) {
        return true;
    }
    if (used + size > OUTBOX_LIMIT) {
        return false;
    }
    if (outbox->begin > 0) {
        memmove(outbox->at, outbox->at + outbox->begin, used);
        outbox->begin = 0;
        outbox->end = used;
    }
    /* Half of it empty, or else every line would move all those before it. */
    const size_t wanted = 2 * (used + size) < OUTBOX_LIMIT ? 2 * (used + size) : OUTBOX_LIMIT;
    if (wanted > outbox->cap) {
        uint8_t *larger = realloc(outbox->at, wanted);
        if (larger == NULL) {
            return used + size <= outbox->cap;
        }
        outbox->at = larger;
        outbox->cap = wanted;
    }
    return true;
}

bool outbox_put(struct outbox *outbox, struct prosa_bytes line)
{
    assert(line.size <= UINT16_MAX);
    if (!make_room(outbox, LENGTH_SIZE + line.size)) {
        return false;
    }
    prosa_store_u16(outbox->at + outbox->end, (uint16_t)line.size);
    memcpy(outbox->at + outbox->end + LENGTH_SIZE, line.at, line.size);
    outbox->end += LENGTH_SIZE + line.size;
    outbox->count++;
    return true;
}

bool outbox_peek(const struct outbox *outbox, struct prosa_bytes *line)
{
    if (outbox->count == 0) {
        return false;
    }
    const uint8_t *at = outbox->at + outbox->begin;
    *line = prosa_bytes(at + LENGTH_SIZE, prosa_load_u16(at));
    return true;
}

bool outbox_after(const struct outbox *outbox, struct prosa_bytes *line)
{
    const uint8_t *at = line->at + line->size;
    if (at == outbox->at + outbox->end) {
        return false;
    }
    *line = prosa_bytes(at + LENGTH_SIZE, prosa_load_u16(at));
    return true;
}

void outbox_drop(struct outbox *outbox)
{
    assert(outbox->count > 0);
    outbox->begin += LENGTH_SIZE + prosa_load_u16(outbox->at + outbox->begin);
    outbox->count--;
}
