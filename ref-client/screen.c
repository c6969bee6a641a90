/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include "screen_cells.h"
#include "screen_edit.h"
#include "screen_log.h"
#include "screen_terminal.h"

#include <curses.h>
#include <stdlib.h>

/* Octets of what was said that can be gone back to. */
#define LOG_CAP ((size_t)1 << 20)

/* Nobody sees more pictures than that; a flood of messages costs no more of them. */
#define FRAME_MS 33u

/* Entries that are written when the screen is gone. */
#define LASTING_MAX 8u

#define NAME_SIZE   64u
#define NOTICE_SIZE 96u

#define LABEL       "> "
#define LABEL_WIDTH 2u
#define COLOURS     6

/* One row of the screen, being made. */
struct strip {
    cchar_t *cells;
    size_t cap;     /* cells that there is memory for, one more than columns */
    size_t count;   /* cells so far */
    size_t columns; /* that they take */
};

struct screen {
    struct screen_log log;
    struct screen_edit edit;
    struct keys keys;
    struct strip strip;
    FILE *entry;
    char *entry_text;
    size_t entry_size;
    char room[NAME_SIZE];
    char connection[NAME_SIZE];
    size_t waiting;
    uint64_t drawn_ms;
    bool is_drawn;    /* all that is known */
    bool is_complete; /* there was memory for every entry */
    bool has_ended;
    bool is_gone;
};

/* --- one row --- */

static void strip_begin(struct strip *strip)
{
    strip->count = 0;
    strip->columns = 0;
}

/* False when there is no room for it. */
static bool strip_put(struct strip *strip, const struct cell *cell, attr_t attributes)
{
    const unsigned colour = has_colors() ? cell->style >> CELL_COLOUR_SHIFT : 0;
    if (strip->columns + cell->width > (size_t)COLS || strip->count >= strip->cap) {
        return false;
    }
    attributes |= (cell->style & CELL_BOLD) != 0 ? A_BOLD : A_NORMAL;
    attributes |= (cell->style & CELL_DIM) != 0 ? A_DIM : A_NORMAL;
    setcchar(&strip->cells[strip->count], cell->text, attributes, (short)colour, NULL);
    strip->count++;
    strip->columns += cell->width;
    return true;
}

static void strip_fill(struct strip *strip, size_t column, wchar_t character, attr_t attributes)
{
    const struct cell cell = {.text = {character}, .width = 1};
    while (strip->columns < column && strip_put(strip, &cell, attributes)) {
    }
}

/* What has no room is left out. */
static void strip_put_text(struct strip *strip, struct cells cells, attr_t attributes)
{
    struct cell cell;
    while (cells_next(&cells, &cell) && strip_put(strip, &cell, attributes)) {
    }
}

static void strip_show(const struct strip *strip, int row)
{
    mvadd_wchnstr(row, 0, strip->cells, (int)strip->count);
}

/* --- drawing --- */

static struct cells plain(const char *text)
{
    return (struct cells){.rest = prosa_bytes_of_string(text)};
}

static void draw_log_row(struct screen *screen, int y, const struct log_row *row)
{
    struct strip *strip = &screen->strip;
    strip_begin(strip);
    if (row->is_mark) {
        strip_fill(strip, 3, L'\u2500', A_DIM);
        strip_put_text(strip, plain(" unread "), A_DIM);
        strip_fill(strip, (size_t)COLS, L'\u2500', A_DIM);
    } else {
        strip_fill(strip, row->indent, L' ', A_NORMAL);
        strip_put_text(strip, (struct cells){.rest = row->text, .style = row->style, .is_styled = true},
                       A_NORMAL);
    }
    strip_show(strip, y);
}

static void draw_log(struct screen *screen, int height)
{
    struct log_row row;
    screen_log_set_size(&screen->log, (size_t)COLS, (size_t)height);
    struct log_rows rows = screen_log_rows(&screen->log);
    for (int y = 0; y < height && screen_log_next(&screen->log, &rows, &row); y++) {
        draw_log_row(screen, y, &row);
    }
}

/* What stands at the right of the status line; empty when there is nothing to be told. */
static void format_notice(const struct screen *screen, char notice[static NOTICE_SIZE])
{
    notice[0] = '\0';
    if (screen->edit.refused > 0) {
        snprintf(notice, NOTICE_SIZE, "full: %zu octets left out ", screen->edit.refused);
    } else if (!screen->is_complete) {
        snprintf(notice, NOTICE_SIZE, "no memory: something is not shown ");
    } else if (!screen->log.is_end_shown && screen->log.unread > 0) {
        snprintf(notice, NOTICE_SIZE, "more below, %zu new ", screen->log.unread);
    } else if (!screen->log.is_end_shown) {
        snprintf(notice, NOTICE_SIZE, "more below ");
    }
}

/* The notice matters most: in a narrow window the rest makes room for it. */
static void draw_status(struct screen *screen, int y)
{
    struct strip *strip = &screen->strip;
    char notice[NOTICE_SIZE];
    char state[2 * NAME_SIZE + NOTICE_SIZE];
    const int size = snprintf(state, sizeof state, " %s  %s", screen->room, screen->connection);
    if (screen->waiting > 0) {
        snprintf(state + size, sizeof state - (size_t)size, "  %zu on the way", screen->waiting);
    }
    format_notice(screen, notice);
    strip_begin(strip);
    strip_put_text(strip, plain(state), A_REVERSE);
    strip_fill(strip, (size_t)COLS, L' ', A_REVERSE);
    strip_show(strip, y);
    if (notice[0] != '\0') {
        const size_t width = strlen(notice) + 1;
        strip_begin(strip);
        strip_fill(strip, 1, L' ', A_REVERSE);
        strip_put_text(strip, plain(notice), A_REVERSE);
        mvadd_wchnstr(y, width < (size_t)COLS ? COLS - (int)width : 0, strip->cells, (int)strip->count);
    }
}

/* The columns of the line from `begin` to `end`; half a character is a blank. */
static void put_input(struct strip *strip, struct prosa_bytes text, size_t begin, size_t end)
{
    struct cells cells = {.rest = text};
    struct cell cell;
    size_t at = 0;
    const size_t before = strip->columns;
    while (at < end && cells_next(&cells, &cell)) {
        const size_t next = at + cell.width;
        if (at >= begin && next <= end) {
            strip_put(strip, &cell, A_NORMAL);
        } else if (next > begin) {
            strip_fill(strip, before + (next < end ? next : end) - begin, L' ', A_NORMAL);
        }
        at = next;
    }
}

/* A line that is longer than the window goes aside by half of it at a time, so that it does not move with
 * every key. */
static void draw_input(struct screen *screen, int y)
{
    struct strip *strip = &screen->strip;
    const struct screen_edit *edit = &screen->edit;
    const struct prosa_bytes text = prosa_bytes(edit->text, edit->size);
    const size_t label = COLS >= 4 * (int)LABEL_WIDTH ? LABEL_WIDTH : 0;
    const size_t room = (size_t)COLS - label;
    const size_t reach = room > 1 ? room - 1 : 1; /* the last column is for a mark that more follows */
    const size_t step = reach > 1 ? reach / 2 : 1;
    const size_t cursor = cells_width(prosa_bytes(text.at, edit->cursor));
    const size_t left = cursor < reach ? 0 : ((cursor - reach) / step + 1) * step;
    const bool is_cut = cells_width(text) > left + room;

    strip_begin(strip);
    strip_put_text(strip, plain(label > 0 ? LABEL : ""), A_NORMAL);
    strip_fill(strip, label + (left > 0 ? 1 : 0), L'<', A_DIM);
    put_input(strip, text, left > 0 ? left + 1 : 0, left + room - (is_cut ? 1 : 0));
    if (is_cut) {
        strip_fill(strip, (size_t)COLS, L'>', A_DIM);
    }
    strip_show(strip, y);
    move(y, (int)(label + cursor - left));
}

/* False: no memory. */
static bool has_room_for_rows(struct strip *strip)
{
    const size_t wanted = (size_t)COLS + 1;
    if (strip->cap >= wanted) {
        return true;
    }
    cchar_t *cells = realloc(strip->cells, wanted * sizeof *cells);
    if (cells != NULL) {
        strip->cells = cells;
        strip->cap = wanted;
    }
    return cells != NULL;
}

static void draw(struct screen *screen)
{
    screen_terminal_fit();
    if (!has_room_for_rows(&screen->strip)) {
        return;
    }
    const int height = LINES > 2 ? LINES - 2 : LINES - 1;
    erase();
    draw_log(screen, height);
    if (LINES > 2) {
        draw_status(screen, LINES - 2);
    }
    draw_input(screen, LINES - 1);
    refresh();
}

uint64_t screen_flush(struct screen *screen, uint64_t now_ms)
{
    if (screen->is_drawn) {
        return UINT64_MAX;
    }
    if (now_ms < screen->drawn_ms + FRAME_MS) {
        return screen->drawn_ms + FRAME_MS;
    }
    draw(screen);
    screen->drawn_ms = now_ms;
    screen->is_drawn = true;
    screen->is_gone = screen->is_gone || !screen_terminal_is_there();
    return UINT64_MAX;
}

/* --- its life --- */

static void begin_colours(void)
{
    if (start_color() == OK && use_default_colors() == OK) {
        for (short colour = 1; colour <= COLOURS; colour++) {
            init_pair(colour, colour, -1);
        }
    }
}

struct screen *screen_new(const char **why)
{
    struct screen *screen = calloc(1, sizeof *screen);
    if (screen != NULL) {
        screen->entry = open_memstream(&screen->entry_text, &screen->entry_size);
    }
    if (screen == NULL || screen->entry == NULL) {
        free(screen);
        *why = "there is no memory";
        return NULL;
    }
    screen->is_complete = true;
    keys_init(&screen->keys);
    screen_edit_init(&screen->edit);
    screen_log_init(&screen->log, LOG_CAP);
    *why = screen_terminal_take();
    if (*why != NULL) {
        screen_free(screen);
        return NULL;
    }
    begin_colours();
    return screen;
}

static void write_lasting(const struct screen *screen)
{
    struct prosa_bytes texts[LASTING_MAX];
    const size_t count = screen_log_lasting(&screen->log, texts, LASTING_MAX);
    for (size_t i = 0; i < count; i++) {
        fwrite(texts[i].at, 1, texts[i].size, stdout);
        putchar('\n');
    }
    fflush(stdout);
}

void screen_free(struct screen *screen)
{
    if (screen == NULL) {
        return;
    }
    screen_terminal_give();
    write_lasting(screen);
    fclose(screen->entry);
    free(screen->entry_text);
    free(screen->strip.cells);
    screen_edit_fini(&screen->edit);
    screen_log_fini(&screen->log);
    free(screen);
}

/* --- what is shown --- */

FILE *screen_begin_entry(struct screen *screen)
{
    rewind(screen->entry);
    return screen->entry;
}

void screen_end_entry(struct screen *screen, bool is_lasting)
{
    const off_t size = ftello(screen->entry);
    fflush(screen->entry);
    if (size < 0 || ferror(screen->entry)) {
        clearerr(screen->entry);
        screen->is_complete = false;
        return;
    }
    if (size > 1) { /* a line feed, and something before it */
        const struct prosa_bytes text = prosa_bytes((const uint8_t *)screen->entry_text, (size_t)size - 1);
        screen->is_complete = screen_log_add(&screen->log, text, is_lasting) && screen->is_complete;
        screen->is_drawn = false;
    }
}

void screen_set_status(struct screen *screen, const char *room, const char *connection, size_t waiting)
{
    if (waiting != screen->waiting || strncmp(room, screen->room, NAME_SIZE - 1) != 0 ||
        strncmp(connection, screen->connection, NAME_SIZE - 1) != 0) {
        snprintf(screen->room, NAME_SIZE, "%s", room);
        snprintf(screen->connection, NAME_SIZE, "%s", connection);
        screen->waiting = waiting;
        screen->is_drawn = false;
    }
}

void screen_resize(struct screen *screen)
{
    screen->is_drawn = false;
}

void screen_resume(struct screen *screen)
{
    screen_terminal_retake();
    screen->is_drawn = false;
}

/* --- what is typed --- */

uint8_t *screen_space(struct screen *screen, size_t *size)
{
    return keys_space(&screen->keys, size);
}

void screen_commit(struct screen *screen, size_t size)
{
    keys_commit(&screen->keys, size);
    screen->is_gone = screen->is_gone || size == 0;
    screen->has_ended = screen->has_ended || size == 0;
}

bool screen_has_ended(const struct screen *screen)
{
    return screen->has_ended;
}

bool screen_is_gone(const struct screen *screen)
{
    return screen->is_gone;
}

static enum lines_outcome take_line(struct screen *screen, struct prosa_bytes *line)
{
    const bool is_too_long = screen->edit.refused > 0;
    screen_log_to_end(&screen->log);
    screen_log_settle(&screen->log);
    *line = screen_edit_take(&screen->edit);
    return is_too_long ? LINES_TOO_LONG : LINES_LINE;
}

static void press(struct screen *screen, const struct keys_key *key)
{
    struct screen_log *log = &screen->log;
    const size_t page = log->height > 1 ? log->height - 1 : 1;
    switch (key->kind) {
    case KEYS_PAGE_UP:
        screen_log_up(log, page);
        break;
    case KEYS_PAGE_DOWN:
        screen_log_down(log, page);
        break;
    case KEYS_ROW_UP:
        screen_log_up(log, 1);
        break;
    case KEYS_ROW_DOWN:
        screen_log_down(log, 1);
        break;
    case KEYS_TOP:
        screen_log_up(log, SIZE_MAX);
        break;
    case KEYS_BOTTOM:
        screen_log_to_end(log);
        break;
    case KEYS_REDRAW:
        clearok(curscr, TRUE);
        break;
    default:
        screen_edit_press(&screen->edit, key);
        break;
    }
}

enum lines_outcome screen_next(struct screen *screen, struct prosa_bytes *line)
{
    struct keys_key key;
    while (keys_next(&screen->keys, &key)) {
        screen->is_drawn = false;
        if (key.kind == KEYS_ENTER) {
            return take_line(screen, line);
        }
        if (key.kind == KEYS_END_OF_FILE && screen->edit.size == 0) {
            screen->has_ended = true;
            keys_init(&screen->keys);
        }
        press(screen, &key);
    }
    return LINES_NONE;
}
