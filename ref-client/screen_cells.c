/* SPDX-License-Identifier: MIT */
#include "screen_cells.h"

#include <prosa/text.h>

#include <wctype.h>

#define ESCAPE        0x1b
#define DOTTED_CIRCLE 0x25cc
#define REPLACEMENT   0xfffd
#define PICTURES      0x2400 /* U+2400 and on: pictures of the C0 controls */
#define PICTURE_DEL   0x2421

/* The width that the C library knows; -1 for what must not or cannot be shown. */
static int width_of(uint32_t code_point)
{
    if (prosa_text_is_unprintable(code_point) || !iswprint((wint_t)code_point)) {
        return -1;
    }
    return wcwidth((wchar_t)code_point);
}

bool cells_is_mark(uint32_t code_point)
{
    return width_of(code_point) == 0;
}

/* U+FE00 to U+FE0F choose between pictures of the character before, and terminals disagree about its width
 * then: they are left out. */
static bool is_selector(uint32_t code_point)
{
    return code_point >= 0xfe00 && code_point <= 0xfe0f;
}

static uint32_t stand_in(uint32_t code_point)
{
    return code_point < 0x20 ? PICTURES + code_point : code_point == 0x7f ? PICTURE_DEL : REPLACEMENT;
}

/* CSI, one number, `m`; nothing else is ever written by words. */
static void take_style(struct cells *cells)
{
    struct prosa_bytes rest = prosa_bytes(cells->rest.at + 2, cells->rest.size - 2);
    unsigned number = 0;
    while (rest.size > 0 && rest.at[0] >= '0' && rest.at[0] <= '9' && number < 1000) {
        number = number * 10 + rest.at[0] - '0';
        rest = prosa_bytes(rest.at + 1, rest.size - 1);
    }
    if (rest.size > 0) {
        rest = prosa_bytes(rest.at + 1, rest.size - 1);
    }
    cells->rest = rest;
    if (number == 0) {
        cells->style = 0;
    } else if (number == 1) {
        cells->style |= CELL_BOLD;
    } else if (number == 2) {
        cells->style |= CELL_DIM;
    } else if (number >= 31 && number <= 39) {
        const unsigned colour = number == 39 ? 0 : number - 30;
        cells->style = (cells->style & (CELL_BOLD | CELL_DIM)) | colour << CELL_COLOUR_SHIFT;
    }
}

static void take_marks(struct cells *cells, struct cell *cell)
{
    size_t count = 1;
    while (cells->rest.size > 0 && count <= CELL_MARKS) {
        struct prosa_bytes rest = cells->rest;
        uint32_t code_point = 0;
        prosa_text_next(&rest, &code_point);
        if (!cells_is_mark(code_point)) {
            break;
        }
        if (!is_selector(code_point)) {
            cell->text[count++] = (wchar_t)code_point;
        }
        cells->rest = rest;
    }
    cell->text[count] = L'\0';
}

bool cells_next(struct cells *cells, struct cell *cell)
{
    uint32_t code_point = 0;
    while (cells->is_styled && cells->rest.size >= 2 && cells->rest.at[0] == ESCAPE &&
           cells->rest.at[1] == '[') {
        take_style(cells);
    }
    if (cells->rest.size == 0) {
        return false;
    }
    const struct prosa_bytes whole = cells->rest;
    prosa_text_next(&cells->rest, &code_point);
    int width = width_of(code_point);
    if (width == 0) { /* there is nothing that it could stand on */
        cells->rest = whole;
        code_point = DOTTED_CIRCLE;
    } else if (width < 0) {
        code_point = stand_in(code_point);
    }
    cell->text[0] = (wchar_t)code_point;
    cell->width = width == 2 ? 2 : 1;
    cell->style = cells->style;
    take_marks(cells, cell);
    return true;
}

size_t cells_width(struct prosa_bytes text)
{
    struct cells cells = {.rest = text};
    struct cell cell;
    size_t width = 0;
    while (cells_next(&cells, &cell)) {
        width += cell.width;
    }
    return width;
}
