/* SPDX-License-Identifier: MIT */
/*
 * screen_cells: text, taken apart into the cells of a screen: a character that has a width, with the marks
 * that stand on it. What a cell may not show becomes a visible stand-in here, whatever was made safe
 * before [MSG-19].
 * It refuses to know rows and colours: a style is only a number that whoever draws gives a meaning.
 */
#ifndef REF_CLIENT_SCREEN_CELLS_H
#define REF_CLIENT_SCREEN_CELLS_H

#include <prosa/bytes.h>

#include <wchar.h>

/* Marks on one character; a further one stands on a dotted circle in a cell of its own. */
#define CELL_MARKS 4

/* A style: BOLD, DIM and, above CELL_COLOUR_SHIFT, a colour of the terminal from 1 on. */
#define CELL_BOLD         1u
#define CELL_DIM          2u
#define CELL_COLOUR_SHIFT 4u

struct cell {
    wchar_t text[1 + CELL_MARKS + 1]; /* ends with a zero */
    size_t width;                     /* columns: 1 or 2 */
    unsigned style;
};

struct cells {
    struct prosa_bytes rest;
    unsigned style;
    bool is_styled; /* `rest` is what words wrote, with sequences for bold, dim and colours in it */
};

/* Takes the first cell off; false when there is none. The text is UTF-8. */
PROSA_NODISCARD bool cells_next(struct cells *cells, struct cell *cell);

/* True when the character has no width: it stands on the one before. */
bool cells_is_mark(uint32_t code_point);

/* Columns of a text without styles. */
size_t cells_width(struct prosa_bytes text);

#endif
