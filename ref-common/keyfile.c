/* SPDX-License-Identifier: MIT */
#include "keyfile.h"

#include "files.h"
#include "hex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX      "PROSA-KEY-1 "
#define PREFIX_SIZE (sizeof PREFIX - 1)
#define SEED_SIZE   ((size_t)32)
#define FILE_SIZE   (PREFIX_SIZE + 2 * SEED_SIZE + 1)

static bool seed_parse(const char text[static FILE_SIZE], uint8_t seed[static SEED_SIZE])
{
    return memcmp(text, PREFIX, PREFIX_SIZE) == 0 && text[FILE_SIZE - 1] == '\n' &&
           hex_parse(text + PREFIX_SIZE, seed, SEED_SIZE);
}

static void seed_print(const uint8_t seed[static SEED_SIZE], char text[static FILE_SIZE])
{
    memcpy(text, PREFIX, PREFIX_SIZE);
    hex_print(prosa_bytes(seed, SEED_SIZE), text + PREFIX_SIZE);
    text[FILE_SIZE - 1] = '\n';
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
    } else if (!file_read_all(fd, text, sizeof text)) {
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

/* True when there is a key file at `path` now, *made when it is ours; a program that starts in the
 * same folder at the same moment may have been faster. Else errno tells why not. */
static bool key_make(const char *path, bool *made)
{
    char text[FILE_SIZE];
    uint8_t seed[SEED_SIZE];
    if (getentropy(seed, sizeof seed) != 0) {
        return false;
    }
    seed_print(seed, text);
    *made = file_write_whole(path, prosa_bytes(text, sizeof text), false);
    const int problem = errno;
    prosa_wipe(text, sizeof text);
    prosa_wipe(seed, sizeof seed);
    errno = problem;
    return *made || problem == EEXIST;
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
        snprintf(out + i / 2 * 5, 5, "%02x%02x", print[i], print[i + 1]);
        out[i / 2 * 5 + 4] = ' ';
    }
    out[FINGERPRINT_TEXT_SIZE - 1] = '\0';
}

void key_suffix_format(const uint8_t key[static PROSA_KEY_SIZE], char out[static KEY_SUFFIX_SIZE])
{
    uint8_t print[16];
    prosa_key_fingerprint(key, print);
    snprintf(out, KEY_SUFFIX_SIZE, "%02x%02x", print[14], print[15]);
}
