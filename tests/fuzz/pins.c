/* SPDX-License-Identifier: MIT */
/* A file as the pins of a client: u8 of the server that is looked for, then what stands in the file. */
#include "pins.h"

#include "file.h"
#include "frames.h"
#include "hex.h"
#include "keyfile.h"

enum { LINE = 400 };

static const char *const targets[] = {"chat.example.org:65432", "localhost:1", "[::1]:65432", "a:1"};

#define TARGETS (sizeof targets / sizeof targets[0])

static size_t make_line(const char *target, const uint8_t key[static PROSA_KEY_SIZE], char out[static LINE])
{
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char digits[2 * PROSA_KEY_SIZE + 1];
    fingerprint_format(key, fingerprint);
    hex_print(prosa_bytes(key, PROSA_KEY_SIZE), digits);
    return (size_t)snprintf(out, LINE, "%s %s %s\n", target, fingerprint, digits);
}

/* A line is good if it is the one that would be written for its target and its key. */
static bool judge_line(const char *line, size_t size, char target[static LINE],
                       uint8_t key[static PROSA_KEY_SIZE])
{
    char again[LINE];
    const char *space = memchr(line, ' ', size);
    if (size >= LINE || size < 2 * (size_t)PROSA_KEY_SIZE || space == NULL || space - line < 3) {
        return false;
    }
    snprintf(target, LINE, "%.*s", (int)(space - line), line);
    return hex_parse(line + size - 2 * (size_t)PROSA_KEY_SIZE, key, PROSA_KEY_SIZE) && strlen(target) < 262 &&
           make_line(target, key, again) == size + 1 && memcmp(again, line, size) == 0;
}

/* Whether the file is one of pins; how many lines are of the target, and the key of the last one. */
static bool judge(const char *text, const char *wanted, size_t *count, uint8_t key[static PROSA_KEY_SIZE])
{
    *count = 0;
    while (*text != '\0') {
        char target[LINE] = "";
        uint8_t pinned[PROSA_KEY_SIZE];
        const size_t size = strcspn(text, "\n");
        if (text[size] == '\0' || !judge_line(text, size, target, pinned)) {
            return false;
        }
        if (strcmp(target, wanted) == 0) {
            ++*count;
            memcpy(key, pinned, sizeof pinned);
        }
        text += size + 1;
    }
    return *count <= 1;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the form is libFuzzer's */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    PROMISE(prosa_sign_init() == PROSA_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t key[PROSA_KEY_SIZE] = {0};
    uint8_t wanted[PROSA_KEY_SIZE] = {0};
    bool found = true;
    size_t count;
    char why[512] = "";
    if (size == 0) {
        return 0;
    }
    const char *target = targets[data[0] % TARGETS];
    char *text = malloc(size);
    PROMISE(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    const bool good = strlen(text) == size - 1 && judge(text, target, &count, wanted);
    const char *path = file_hold(prosa_bytes(data + 1, size - 1), 0600);
    PROMISE(pins_find(path, target, &found, key, why, sizeof why) == good);
    PROMISE(!good || found == (count == 1));
    PROMISE(!good || !found || memcmp(key, wanted, sizeof key) == 0);
    PROMISE(good || (why[0] != '\0' && strstr(why, path) != NULL && strchr(why, '\n') == NULL));
    free(text);
    return 0;
}

/* Whole lines with keys that fit, put in anywhere: nobody guesses a fingerprint. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct dice dice = {seed};
    uint8_t key[PROSA_KEY_SIZE] = {(uint8_t)dice_below(&dice, 3)};
    char line[LINE];
    const size_t added = make_line(targets[dice_below(&dice, TARGETS)], key, line);
    if (size == 0 || size + added > max_size || !dice_one_in(&dice, 4)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t at = 1;
    for (size_t i = 1; i < size; i++) { /* behind one of the lines */
        at = data[i] == '\n' && dice_one_in(&dice, 3) ? i + 1 : at;
    }
    memmove(data + at + added, data + at, size - at);
    memcpy(data + at, line, added);
    return size + added;
}
