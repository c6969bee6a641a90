/* SPDX-License-Identifier: MIT */
/*
 * prosa-codec: level L0 as a program (chapter 13.5). Requests are lines of stdin, answers lines of
 * stdout. No socket, no file, no clock.
 */
#include <prosa/sign.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "requests.h"

/* Room for a request with three frames of the largest size; a longer line is no request. */
#define LINE_MAX_OCTETS (1024u * 1024u)
#define WORDS_MAX       8u

static uint8_t line[LINE_MAX_OCTETS];

/* Reads up to the end of line, which is not kept. A line that does not fit comes out empty.
 * False at end of file. */
static bool read_line(size_t *size)
{
    size_t length = 0;
    int octet = getchar();

    if (octet == EOF)
        return false;
    for (; octet != EOF && octet != '\n'; octet = getchar()) {
        if (length < sizeof line)
            line[length] = (uint8_t)octet;
        length++;
    }
    *size = length <= sizeof line ? length : 0;
    return true;
}

/* Splits the line at each space. WORDS_MAX is more than any request has. */
static size_t split_words(size_t size, struct word words[static WORDS_MAX])
{
    size_t count = 0;
    size_t start = 0;

    for (size_t i = 0; i <= size && count < WORDS_MAX; i++) {
        if (i < size && line[i] != ' ')
            continue;
        words[count++] = (struct word){line + start, i - start};
        start = i + 1;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct word words[WORDS_MAX];
    size_t size;

    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr, "usage: prosa-codec\n"
                                        "Answers requests of PROSA/1's level L0: one a line on stdin, "
                                        "one JSON object a line on stdout.\n");
        return help ? 0 : 2;
    }
    enum prosa_status status = prosa_sign_init();
    if (status != PROSA_OK) {
        fprintf(stderr, "prosa-codec: %s\n", prosa_status_text(status));
        return 1;
    }
    while (read_line(&size)) {
        request_answer(words, split_words(size, words));
        if (fflush(stdout) != 0)
            return 1;
    }
    return ferror(stdin) ? 1 : 0;
}
