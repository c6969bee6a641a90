/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include "keys.h"

#include <prosa/text.h>

#include <histedit.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#define HISTORY_SIZE 200
#define TYPED_SIZE   1024u
#define END_OF_FILE  '\004' /* what libedit puts into the line for an end of file */
#define LABEL_SIZE   96u

struct prompt {
    EditLine *editor;
    History *history;
    uint8_t typed[TYPED_SIZE]; /* not worked on yet */
    size_t typed_size;
    char label[LABEL_SIZE];
    char line[LINES_MAX + 1];
    bool has_ended;
};

bool prompt_is_possible(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0;
}

static struct prompt *prompt_of(EditLine *editor)
{
    void *data = NULL;
    el_get(editor, EL_CLIENTDATA, &data);
    return data;
}

static char *label_of(EditLine *editor)
{
    return prompt_of(editor)->label;
}

/* libedit asks for one character; it is only run when a whole key is there, so that it never waits for
 * the rest of one while the session has something to do. */
static int next_character(EditLine *editor, wchar_t *character)
{
    struct prompt *prompt = prompt_of(editor);
    struct prosa_bytes rest = prosa_bytes(prompt->typed, prompt->typed_size);
    uint32_t code_point = 0;
    if (rest.size == 0) {
        return 0;
    }
    prosa_text_next(&rest, &code_point);
    memmove(prompt->typed, rest.at, rest.size);
    prompt->typed_size = rest.size;
    *character = (wchar_t)code_point;
    return 1;
}

/* These wait for more characters by themselves. */
static void unbind_commands_that_read(EditLine *editor)
{
    static const char *const keys[] = {"^V", "^R", "^S", "^X^X", "^X", "\\ex", "\\eX"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        el_set(editor, EL_BIND, keys[i], "ed-unassigned", NULL);
    }
}

struct prompt *prompt_new(void)
{
    struct prompt *prompt = calloc(1, sizeof *prompt);
    HistEvent unused;
    if (prompt == NULL) {
        return NULL;
    }
    prompt->history = history_init();
    prompt->editor = el_init("prosa-client", stdin, stdout, stderr);
    if (prompt->history == NULL || prompt->editor == NULL) {
        prompt_free(prompt);
        return NULL;
    }
    history(prompt->history, &unused, H_SETSIZE, HISTORY_SIZE);
    history(prompt->history, &unused, H_SETUNIQUE, 1);
    memcpy(prompt->label, "> ", sizeof "> ");
    el_set(prompt->editor, EL_CLIENTDATA, prompt);
    el_set(prompt->editor, EL_EDITOR, "emacs");
    el_set(prompt->editor, EL_PROMPT, label_of);
    el_set(prompt->editor, EL_HIST, history, prompt->history);
    el_set(prompt->editor, EL_GETCFN, next_character);
    unbind_commands_that_read(prompt->editor);
    el_set(prompt->editor, EL_UNBUFFERED, 1);
    return prompt;
}

void prompt_free(struct prompt *prompt)
{
    if (prompt == NULL) {
        return;
    }
    if (prompt->editor != NULL) {
        prompt_hide(prompt);
        el_set(prompt->editor, EL_UNBUFFERED, 0);
        el_end(prompt->editor);
    }
    if (prompt->history != NULL) {
        history_end(prompt->history);
    }
    free(prompt);
}

uint8_t *prompt_space(struct prompt *prompt, size_t *size)
{
    *size = sizeof prompt->typed - prompt->typed_size;
    return prompt->typed + prompt->typed_size;
}

void prompt_commit(struct prompt *prompt, size_t size)
{
    prompt->typed_size += size;
    prompt->has_ended = prompt->has_ended || size == 0;
}

bool prompt_has_ended(const struct prompt *prompt)
{
    return prompt->has_ended;
}

static size_t columns(void)
{
    struct winsize window;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
}

/* Columns that libedit gives to a character which would begin in `column`. */
static size_t width_of(wchar_t character, size_t column)
{
    const int width = wcwidth(character);
    if (character == L'\t') {
        return 8 - column % 8;
    }
    if (iswcntrl((wint_t)character)) {
        return 2; /* ^X */
    }
    return width >= 0 ? (size_t)width : sizeof "\\U+1234" - 1;
}

/* Rows between that of the label's first character and that of the position `end` in the line. */
static size_t rows_above(const struct prompt *prompt, const wchar_t *line, const wchar_t *end)
{
    const size_t width = columns();
    size_t column = strlen(prompt->label);
    size_t rows = column / width;
    column %= width;
    for (; line < end; line++) {
        const size_t more = width_of(*line, column);
        if (column + more > width) {
            rows++; /* a wide character does not begin in the last column */
            column = 0;
        }
        column += more;
        rows += column / width;
        column %= width;
    }
    return rows;
}

static void wipe(size_t rows)
{
    putchar('\r');
    if (rows > 0) {
        printf("\033[%zuA", rows);
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

void prompt_hide(struct prompt *prompt)
{
    const LineInfoW *line = el_wline(prompt->editor);
    wipe(rows_above(prompt, line->buffer, line->cursor));
}

void prompt_show(struct prompt *prompt)
{
    el_set(prompt->editor, EL_REFRESH);
}

void prompt_set_status(struct prompt *prompt, const char *room, size_t waiting)
{
    char label[LABEL_SIZE];
    if (waiting == 0) {
        snprintf(label, sizeof label, "%s> ", room);
    } else {
        snprintf(label, sizeof label, "%s (%zu on the way)> ", room, waiting);
    }
    if (strcmp(label, prompt->label) != 0) {
        prompt_hide(prompt);
        memcpy(prompt->label, label, sizeof label);
        prompt_show(prompt);
    }
}

/* libedit has moved below the finished line, which ends with a line feed. */
static void finish_line(struct prompt *prompt)
{
    const LineInfoW *line = el_wline(prompt->editor);
    const wchar_t *end = line->lastchar > line->buffer ? line->lastchar - 1 : line->lastchar;
    wipe(rows_above(prompt, line->buffer, end) + 1);
    el_set(prompt->editor, EL_UNBUFFERED, 0);
    el_set(prompt->editor, EL_UNBUFFERED, 1);
}

static enum lines_outcome take_line(struct prompt *prompt, const char *typed, size_t size,
                                    struct prosa_bytes *line)
{
    const bool is_too_long = size > LINES_MAX;
    HistEvent unused;
    if (!is_too_long) {
        memcpy(prompt->line, typed, size);
        prompt->line[size] = '\0';
        *line = prosa_bytes(prompt->line, size);
    }
    if (!is_too_long && size > 0) {
        history(prompt->history, &unused, H_ENTER, prompt->line);
    }
    finish_line(prompt);
    return is_too_long ? LINES_TOO_LONG : LINES_LINE;
}

/* A buffer full of one key holds nonsense: it goes to the editor as it is. */
static bool has_key(const struct prompt *prompt)
{
    return prompt->typed_size == TYPED_SIZE || keys_size(prosa_bytes(prompt->typed, prompt->typed_size)) > 0;
}

enum lines_outcome prompt_next(struct prompt *prompt, struct prosa_bytes *line)
{
    while (has_key(prompt)) {
        int count = 0;
        const size_t before = prompt->typed_size;
        const char *typed = el_gets(prompt->editor, &count);
        if (prompt->typed_size == before) {
            prompt->has_ended = true; /* the terminal is gone */
            return LINES_NONE;
        }
        if (typed == NULL || count <= 0) {
            continue;
        }
        if (count == 1 && typed[0] == END_OF_FILE) {
            prompt->has_ended = true;
            prompt->typed_size = 0;
            finish_line(prompt);
            return LINES_NONE;
        }
        if (typed[count - 1] == '\n' || typed[count - 1] == '\r') {
            return take_line(prompt, typed, (size_t)count - 1, line);
        }
    }
    return LINES_NONE;
}

void prompt_resize(struct prompt *prompt)
{
    el_resize(prompt->editor);
}

void prompt_resume(struct prompt *prompt)
{
    const LineInfo *line = el_line(prompt->editor);
    const size_t size = (size_t)(line->lastchar - line->buffer);
    char *kept = strndup(line->buffer, size);

    /* The terminal may have other settings now; taking it over again empties the line. */
    el_set(prompt->editor, EL_UNBUFFERED, 0);
    el_set(prompt->editor, EL_UNBUFFERED, 1);
    if (kept != NULL && kept[0] != '\0') {
        el_insertstr(prompt->editor, kept);
    }
    free(kept);
    prompt_show(prompt);
}
