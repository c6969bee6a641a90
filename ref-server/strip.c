/* SPDX-License-Identifier: MIT */
#include "strip.h"

#include <assert.h>
#include <stdlib.h>

/* Pieces grow up to this; the first is as large as the first thing, for many rooms have no more. */
#define PIECE_MOST ((size_t)65536)

struct piece {
    struct list place;
    size_t cap, begin, end;
    uint8_t octets[];
};

static struct piece *last_piece(const struct strip *strip)
{
    return list_is_empty(&strip->pieces) ? NULL : LIST_OF(strip->pieces.previous, struct piece, place);
}

static void remove_piece(struct piece *piece)
{
    list_remove(&piece->place);
    free(piece);
}

void strip_init(struct strip *strip)
{
    list_init(&strip->pieces);
}

void strip_fini(struct strip *strip)
{
    LIST_EACH(node, &strip->pieces)
    {
        remove_piece(LIST_OF(node, struct piece, place));
    }
}

uint8_t *strip_add(struct strip *strip, size_t size)
{
    struct piece *piece = last_piece(strip);
    if (piece == NULL || piece->cap - piece->end < size) {
        const size_t grown = piece == NULL ? 0 : 2 * piece->cap;
        const size_t usual = grown < PIECE_MOST ? grown : PIECE_MOST;
        const size_t cap = size > usual ? size : usual;
        piece = malloc(sizeof *piece + cap);
        if (piece == NULL) {
            return NULL;
        }
        *piece = (struct piece){.cap = cap};
        list_append(&strip->pieces, &piece->place);
    }
    uint8_t *const at = piece->octets + piece->end;
    piece->end += size;
    return at;
}

void strip_drop_first(struct strip *strip, size_t size)
{
    struct piece *piece = LIST_FIRST(&strip->pieces, struct piece, place);
    assert(piece != NULL && piece->end - piece->begin >= size);
    piece->begin += size;
    if (piece->begin == piece->end) {
        remove_piece(piece);
    }
}

void strip_drop_last(struct strip *strip, size_t size)
{
    struct piece *piece = last_piece(strip);
    assert(piece != NULL && piece->end - piece->begin >= size);
    piece->end -= size;
    if (piece->begin == piece->end) {
        remove_piece(piece);
    }
}
