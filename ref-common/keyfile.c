/* SPDX-License-Identifier: MIT */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX      "PROSA-KEY-1 "
#define PREFIX_SIZE (sizeof PREFIX - 1)
#define SEED_SIZE   32u
#define FILE_SIZE   (PREFIX_SIZE + 2 * SEED_SIZE + 1)

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool seed_parse(const char text[static FILE_SIZE], uint8_t seed[static SEED_SIZE])
{
    if (memcmp(text, PREFIX, PREFIX_SIZE) != 0 || text[FILE_SIZE - 1] != '\n') {
        return false;
    }
    for (size_t i = 0; i < SEED_SIZE; i++) {
        const int high = hex_digit(text[PREFIX_SIZE + 2 * i]);
        const int low = hex_digit(text[PREFIX_SIZE + 2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        seed[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void seed_print(const uint8_t seed[static SEED_SIZE], char text[static FILE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(text, PREFIX, PREFIX_SIZE);
    for (size_t i = 0; i < SEED_SIZE; i++) {
        text[PREFIX_SIZE + 2 * i] = digits[seed[i] >> 4];
        text[PREFIX_SIZE + 2 * i + 1] = digits[seed[i] & 15];
    }
    text[FILE_SIZE - 1] = '\n';
}

static bool read_all(int fd, char *at, size_t size)
{
    while (size > 0) {
        const ssize_t n = read(fd, at, size);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(int fd, const char *at, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, at, size);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The key in an open file; false with words in `why`. */
static bool key_read(int fd, const char *path, struct prosa_keypair *keypair, char *why, size_t why_size)
{
    struct stat info;
    char text[FILE_SIZE];
    uint8_t seed[SEED_SIZE];
    bool good = false;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        snprintf(why, why_size, "key file %s is not a regular file", path);
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        snprintf(why, why_size,
                 "key file %s has mode %03o: others may read it; chmod 600 it, or make a new key", path,
                 (unsigned)info.st_mode & 0777u);
    } else if ((size_t)info.st_size != FILE_SIZE) {
        snprintf(why, why_size, "key file %s has %lld octets instead of %zu: it is no key of this program",
                 path, (long long)info.st_size, FILE_SIZE);
    } else if (!read_all(fd, text, sizeof text)) {
        snprintf(why, why_size, "key file %s cannot be read", path);
    } else if (!seed_parse(text, seed)) {
        snprintf(why, why_size, "key file %s is not \"" PREFIX "\" and 64 lower-case hexadecimal digits",
                 path);
    } else {
        prosa_keypair_from_seed(keypair, seed);
        good = true;
    }
    prosa_wipe(text, sizeof text);
    prosa_wipe(seed, sizeof seed);
    return good;
}

/* So that the new name outlives a crash, too. */
static bool sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

static bool write_new(const char *temporary)
{
    char text[FILE_SIZE];
    uint8_t seed[SEED_SIZE];
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return false;
    }
    bool good = getentropy(seed, sizeof seed) == 0;
    if (good) {
        seed_print(seed, text);
        good = fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, text, sizeof text) && fsync(fd) == 0;
    }
    const int problem = errno;
    close(fd);
    prosa_wipe(text, sizeof text);
    prosa_wipe(seed, sizeof seed);
    errno = problem;
    return good;
}

/* True when there is a key file at `path` now, *made when it is ours; a program that starts in the
 * same folder at the same moment may have been faster. Else errno tells why not. */
static bool key_make(const char *path, bool *made)
{
    char temporary[PATH_MAX];
    const int length = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (!write_new(temporary)) {
        const int problem = errno;
        unlink(temporary);
        errno = problem;
        return false;
    }
    *made = link(temporary, path) == 0;
    const int problem = errno;
    unlink(temporary);
    errno = problem;
    return *made ? sync_folder_of(path) : problem == EEXIST;
}

bool keyfile_open(const char *path, struct prosa_keypair *keypair, bool *made, char *why, size_t why_size)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    *made = false;
    prosa_keypair_wipe(keypair);

    int fd = open(path, flags);
    if (fd < 0 && errno == ENOENT) {
        if (!key_make(path, made)) {
            snprintf(why, why_size, "key file %s cannot be made: %s", path, strerror(errno));
            return false;
        }
        fd = open(path, flags);
    }
    if (fd < 0) {
        snprintf(why, why_size, "key file %s cannot be opened: %s", path, strerror(errno));
        return false;
    }
    const bool good = key_read(fd, path, keypair, why, why_size);
    close(fd);
    return good;
}

void fingerprint_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static FINGERPRINT_TEXT_SIZE])
{
    uint8_t print[16];
    prosa_key_fingerprint(key, print);
    for (size_t i = 0; i < sizeof print; i += 2) {
        snprintf(out + i / 2 * 5, 6, "%02x%02x ", print[i], print[i + 1]);
    }
    out[FINGERPRINT_TEXT_SIZE - 1] = '\0';
}

void key_suffix_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static KEY_SUFFIX_SIZE])
{
    uint8_t print[16];
    prosa_key_fingerprint(key, print);
    snprintf(out, KEY_SUFFIX_SIZE, "%02x%02x", print[14], print[15]);
}
