/* SPDX-License-Identifier: MIT */
#include "ui.h"

#include "events.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ui_init(struct ui *ui, enum ui_form form)
{
    /* The protocol speaks UTF-8; a system without a locale for the person has this one. */
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
    /* A line is one write: it reaches whoever reads along in one piece. */
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    ui->form = form;
    ui->input = STDIN_FILENO;
    ui->prompt = NULL;
    ui->screen = NULL;
    ui->first_room[0] = '\0';
    ui->has_rooms = false;
    ui->is_parting = false;
    lines_init(&ui->lines);
}

void ui_fini(struct ui *ui)
{
    prompt_free(ui->prompt);
    ui->prompt = NULL;
    screen_free(ui->screen);
    ui->screen = NULL;
    if (ui->input != STDIN_FILENO) {
        close(ui->input);
        ui->input = STDIN_FILENO;
    }
}

/* Ctrl-C empties a terminal's input, so that it can have nothing any more when it was readable a moment
 * ago: reading must not block. O_NONBLOCK on stdin would be the shell's, too; on a new opening it is ours
 * alone. */
static int open_terminal(void)
{
    const char *name = ttyname(STDIN_FILENO);
    const int fd = name == NULL ? -1 : open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 ? fd : STDIN_FILENO;
}

void ui_begin_input(struct ui *ui)
{
    const char *why = NULL;
    ui->input = open_terminal();
    if (ui->form == UI_SCREEN) {
        ui->screen = screen_new(&why);
    }
    if (why != NULL) {
        ui_say(ui, REPORT_NOTE, "there can be no full screen: %s; it goes on without", why);
    }
    if (ui->screen == NULL && ui->form != UI_JSON && prompt_is_possible()) {
        ui->prompt = prompt_new();
    }
}

/* With a prompt everything is above it; else what was said can be piped on without the rest. */
static FILE *stream_for(const struct ui *ui, const struct report *report)
{
    const bool is_talk = report->kind == REPORT_MESSAGE || report->kind == REPORT_MEMBER;
    return ui->prompt != NULL || (is_talk && ui->form != UI_JSON) ? stdout : stderr;
}

/* What a person has to know when the screen is gone. */
static bool is_lasting(const struct ui *ui, const struct report *report)
{
    return ui->is_parting || report->kind == REPORT_ALARM || report->kind == REPORT_ERROR ||
           report->kind == REPORT_DISCONNECTED || report->kind == REPORT_CLOSED;
}

static void note_room(struct ui *ui, struct prosa_bytes room)
{
    if (ui->first_room[0] == '\0' && room.size > 0 && room.size < sizeof ui->first_room) {
        memcpy(ui->first_room, room.at, room.size);
        ui->first_room[room.size] = '\0';
    }
    ui->has_rooms = ui->has_rooms || !prosa_bytes_equal(room, prosa_bytes_of_string(ui->first_room));
}

void ui_report(struct ui *ui, const struct report *report)
{
    if (report->kind == REPORT_JOINED) {
        note_room(ui, report->room);
    }
    ui->is_parting = ui->is_parting || (report->kind == REPORT_DISCONNECTED && !report->again);
    const char *no_color = getenv("NO_COLOR");
    const bool may_colour = no_color == NULL || no_color[0] == '\0';
    const struct words_style style = {
        .has_emphasis = (ui->prompt != NULL || ui->screen != NULL) && may_colour,
        .has_colour = ui->screen != NULL && may_colour,
        .is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .names_room = ui->has_rooms,
    };
    if (ui->form == UI_JSON && report->kind != REPORT_NOTE && report->kind != REPORT_ALARM) {
        events_write(report);
    } else if (ui->screen != NULL) {
        words_write(screen_begin_entry(ui->screen), style, report);
        screen_end_entry(ui->screen, is_lasting(ui, report));
    } else if (ui->prompt != NULL) {
        prompt_hide(ui->prompt);
        words_write(stream_for(ui, report), style, report);
        prompt_show(ui->prompt);
    } else {
        words_write(stream_for(ui, report), style, report);
    }
}

void ui_say(struct ui *ui, enum report_kind kind, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const struct report report = {.kind = kind, .reason = prosa_bytes_of_string(text)};
    ui_report(ui, &report);
}

void ui_set_status(struct ui *ui, const struct ui_status *status)
{
    if (ui->screen != NULL) {
        screen_set_status(ui->screen, status->room, status->connection, status->waiting);
    } else if (ui->prompt != NULL) {
        prompt_set_status(ui->prompt, status->room, status->waiting);
    }
}

static uint8_t *space(struct ui *ui, size_t *size)
{
    return ui->screen != NULL   ? screen_space(ui->screen, size)
           : ui->prompt != NULL ? prompt_space(ui->prompt, size)
                                : lines_space(&ui->lines, size);
}

static void commit(struct ui *ui, size_t size)
{
    if (ui->screen != NULL) {
        screen_commit(ui->screen, size);
    } else if (ui->prompt != NULL) {
        prompt_commit(ui->prompt, size);
    } else {
        lines_commit(&ui->lines, size);
    }
}

void ui_read(struct ui *ui)
{
    size_t size = 0;
    uint8_t *at = space(ui, &size);
    const ssize_t n = read(ui->input, at, size);
    if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
        commit(ui, n > 0 ? (size_t)n : 0);
    }
}

enum lines_outcome ui_next(struct ui *ui, struct prosa_bytes *line)
{
    return ui->screen != NULL   ? screen_next(ui->screen, line)
           : ui->prompt != NULL ? prompt_next(ui->prompt, line)
                                : lines_next(&ui->lines, line);
}

bool ui_has_ended(const struct ui *ui)
{
    return ui->screen != NULL   ? screen_has_ended(ui->screen)
           : ui->prompt != NULL ? prompt_has_ended(ui->prompt)
                                : ui->lines.has_ended;
}

bool ui_is_gone(const struct ui *ui)
{
    return ui->screen != NULL ? screen_is_gone(ui->screen) : ferror(stdout) != 0;
}

uint64_t ui_flush(struct ui *ui, uint64_t now_ms)
{
    return ui->screen != NULL ? screen_flush(ui->screen, now_ms) : PROSA_NEVER;
}

void ui_resize(struct ui *ui)
{
    if (ui->screen != NULL) {
        screen_resize(ui->screen);
    } else if (ui->prompt != NULL) {
        prompt_resize(ui->prompt);
    }
}

void ui_resume(struct ui *ui)
{
    if (ui->screen != NULL) {
        screen_resume(ui->screen);
    } else if (ui->prompt != NULL) {
        prompt_resume(ui->prompt);
    }
}
