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

void ui_init(struct ui *ui, bool is_json)
{
    /* The protocol speaks UTF-8; a system without a locale for the person has this one. */
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
    ui->is_json = is_json;
    ui->input = STDIN_FILENO;
    ui->prompt = NULL;
    lines_init(&ui->lines);
}

void ui_fini(struct ui *ui)
{
    prompt_free(ui->prompt);
    ui->prompt = NULL;
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
    ui->input = open_terminal();
    if (!ui->is_json && prompt_is_possible()) {
        ui->prompt = prompt_new();
    }
}

/* With a prompt everything is above it; else what was said can be piped on without the rest. */
static FILE *stream_for(const struct ui *ui, const struct report *report)
{
    const bool is_talk = report->kind == REPORT_MESSAGE || report->kind == REPORT_MEMBER;
    return ui->prompt != NULL || (is_talk && !ui->is_json) ? stdout : stderr;
}

void ui_report(struct ui *ui, const struct report *report)
{
    const struct words_style style = {
        .is_terminal = ui->prompt != NULL && getenv("NO_COLOR") == NULL,
        .is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    if (ui->is_json && report->kind != REPORT_NOTE && report->kind != REPORT_ALARM) {
        events_write(report);
        return;
    }
    if (ui->prompt != NULL) {
        prompt_hide(ui->prompt);
    }
    words_write(stream_for(ui, report), style, report);
    if (ui->prompt != NULL) {
        prompt_show(ui->prompt);
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

void ui_set_waiting(struct ui *ui, size_t count)
{
    if (ui->prompt != NULL) {
        prompt_set_waiting(ui->prompt, count);
    }
}

void ui_read(struct ui *ui)
{
    size_t size = 0;
    uint8_t *at = ui->prompt != NULL ? prompt_space(ui->prompt, &size) : lines_space(&ui->lines, &size);
    const ssize_t n = read(ui->input, at, size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (ui->prompt != NULL) {
        prompt_commit(ui->prompt, n > 0 ? (size_t)n : 0);
    } else {
        lines_commit(&ui->lines, n > 0 ? (size_t)n : 0);
    }
}

enum lines_outcome ui_next(struct ui *ui, struct prosa_bytes *line)
{
    return ui->prompt != NULL ? prompt_next(ui->prompt, line) : lines_next(&ui->lines, line);
}

bool ui_has_ended(const struct ui *ui)
{
    return ui->prompt != NULL ? prompt_has_ended(ui->prompt) : ui->lines.has_ended;
}

bool ui_is_gone(void)
{
    return ferror(stdout) != 0;
}

void ui_resize(struct ui *ui)
{
    if (ui->prompt != NULL) {
        prompt_resize(ui->prompt);
    }
}

void ui_resume(struct ui *ui)
{
    if (ui->prompt != NULL) {
        prompt_resume(ui->prompt);
    }
}
