/* SPDX-License-Identifier: MIT */
#include "pins.h"

#include "files.h"
#include "hex.h"
#include "keyfile.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_DIGITS ((size_t)2 * PROSA_KEY_SIZE)

/* "target fingerprint key\n" with its final zero octet. */
#define LINE_SIZE (NET_TARGET_SIZE + FINGERPRINT_TEXT_SIZE + KEY_DIGITS + 2)

/* The whole file as a string in *text, the caller's to free; NULL when there is no file. */
static bool file_load(const char *path, char **text, size_t *size, char *why, size_t why_size)
{
    struct stat info;
    bool good = false;
    *text = NULL;
    *size = 0;

    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const bool is_none = errno == ENOENT;
        snprintf(why, why_size, "pins file %s cannot be opened: %s", path, strerror(errno));
        return is_none;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        snprintf(why, why_size, "pins file %s is not a regular file", path);
    } else if (info.st_size > (off_t)PINS_FILE_LIMIT) {
        snprintf(why, why_size, "pins file %s has more than %zu octets: it is no file of pins", path,
                 PINS_FILE_LIMIT);
    } else if ((*text = malloc((size_t)info.st_size + 1)) == NULL) {
        snprintf(why, why_size, "there is no memory for pins file %s", path);
    } else if (!file_read_all(fd, *text, (size_t)info.st_size)) {
        snprintf(why, why_size, "pins file %s cannot be read", path);
    } else {
        *size = (size_t)info.st_size;
        (*text)[*size] = '\0';
        good = true;
    }
    close(fd);
    if (!good) {
        free(*text);
        *text = NULL;
    }
    return good;
}

/* What is wrong with a line of `size` characters, or NULL; `target_size` and `key` are its parts. */
static const char *line_fault(const char *line, size_t size, size_t *target_size,
                              uint8_t key[static PROSA_KEY_SIZE])
{
    const size_t rest = 1 + (FINGERPRINT_TEXT_SIZE - 1) + 1 + KEY_DIGITS;
    char fingerprint[FINGERPRINT_TEXT_SIZE];

    if (size < rest + 3) {
        return "it is too short for \"target fingerprint key\"";
    }
    *target_size = size - rest;
    if (*target_size >= NET_TARGET_SIZE || memchr(line, ' ', *target_size) != NULL ||
        line[*target_size] != ' ' || line[size - KEY_DIGITS - 1] != ' ') {
        return "it is not \"target fingerprint key\", with one space between them";
    }
    if (!hex_parse(line + size - KEY_DIGITS, key, PROSA_KEY_SIZE)) {
        return "the key is not 64 lower-case hexadecimal digits";
    }
    fingerprint_format(key, fingerprint);
    if (memcmp(line + *target_size + 1, fingerprint, sizeof fingerprint - 1) != 0) {
        return "the fingerprint is not that of the key";
    }
    return NULL;
}

/* Checks every line, also those behind the one that is looked for. */
static bool search(const char *path, const char *text, const char *target, bool *found,
                   uint8_t key[static PROSA_KEY_SIZE], char *why, size_t why_size)
{
    size_t number = 0;
    *found = false;
    while (*text != '\0') {
        uint8_t pinned[PROSA_KEY_SIZE];
        size_t target_size = 0;
        const size_t size = strcspn(text, "\n");
        const char *fault = text[size] == '\n' ? line_fault(text, size, &target_size, pinned)
                                               : "it does not end with a line feed";
        number++;
        if (fault == NULL && strlen(target) == target_size && memcmp(text, target, target_size) == 0) {
            fault = *found ? "its target has a line already" : NULL;
            *found = true;
            memcpy(key, pinned, PROSA_KEY_SIZE);
        }
        if (fault != NULL) {
            snprintf(why, why_size, "pins file %s, line %zu: %s; mend or remove that line", path, number,
                     fault);
            return false;
        }
        text += size + 1;
    }
    return true;
}

bool pins_find(const char *path, const char *target, bool *found, uint8_t key[static PROSA_KEY_SIZE],
               char *why, size_t why_size)
{
    char *text = NULL;
    size_t size = 0;
    *found = false;
    if (!file_load(path, &text, &size, why, why_size)) {
        return false;
    }
    const bool has_zero = text != NULL && strlen(text) != size;
    bool good = !has_zero;
    if (has_zero) {
        snprintf(why, why_size, "pins file %s is no text: it has a zero octet", path);
    } else if (text != NULL) {
        good = search(path, text, target, found, key, why, why_size);
    }
    free(text);
    return good;
}

/* The folder of the file, locked until the descriptor is closed; -1 with errno. */
static int lock_folder_of(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        const int problem = errno;
        close(fd);
        errno = problem;
        return -1;
    }
    return fd;
}

static bool append(const char *path, const char *target, const uint8_t key[static PROSA_KEY_SIZE], char *why,
                   size_t why_size)
{
    char *text = NULL;
    size_t size = 0;
    if (!file_load(path, &text, &size, why, why_size)) {
        return false;
    }
    char *longer = realloc(text, size + LINE_SIZE);
    if (longer == NULL) {
        snprintf(why, why_size, "there is no memory for pins file %s", path);
        free(text);
        return false;
    }
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char digits[KEY_DIGITS + 1];
    fingerprint_format(key, fingerprint);
    hex_print(prosa_bytes(key, PROSA_KEY_SIZE), digits);
    const int added = snprintf(longer + size, LINE_SIZE, "%s %s %s\n", target, fingerprint, digits);
    const bool good = file_write_whole(path, prosa_bytes(longer, size + (size_t)added), true);
    if (!good) {
        snprintf(why, why_size, "pins file %s cannot be written: %s", path, strerror(errno));
    }
    free(longer);
    return good;
}

bool pins_add(const char *path, const char *target, const uint8_t key[static PROSA_KEY_SIZE], char *why,
              size_t why_size)
{
    uint8_t pinned[PROSA_KEY_SIZE];
    bool found = false;
    const int lock = lock_folder_of(path);
    if (lock < 0) {
        snprintf(why, why_size, "the folder of %s cannot be locked: %s", path, strerror(errno));
        return false;
    }
    bool good = pins_find(path, target, &found, pinned, why, why_size);
    if (good && !found) {
        good = append(path, target, key, why, why_size);
    } else if (good && memcmp(pinned, key, PROSA_KEY_SIZE) != 0) {
        snprintf(why, why_size, "another program has just pinned another key of %s in %s", target, path);
        good = false;
    }
    close(lock);
    return good;
}
