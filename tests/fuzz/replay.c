/* SPDX-License-Identifier: MIT */
/*
 * replay: the main of a target where there is no libFuzzer: runs every file that its words name, and those
 * in the folders among them, then as many mutations of them as it is asked for.
 *   TARGET [-mutations=N] FILE|FOLDER...
 * Mutations are those of the target, if it has a mutator; the same files give the same ones. The one that a
 * target ends on stands in the file that $PROSA_FUZZ_LAST names, if it is set.
 * Exit: 0 all ran, 2 wrong words, or there was nothing to run.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST = 1 << 17, FILES = 8192, PATH_ROOM = 4096 };

/* A target without them has none. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                                     unsigned int seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                                       const uint8_t *data2, size_t size2, uint8_t *out,
                                                       size_t max_out_size, unsigned int seed);

struct input {
    uint8_t *at;
    size_t size;
};

static struct input inputs[FILES];
static size_t input_count;
static struct dice octets_dice = {1};

_Noreturn static void stop(const char *what, const char *which)
{
    fprintf(stderr, "replay: %s: %s\n", which, what);
    exit(2);
}

/* Changes, adds or drops octets anywhere. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    const uint32_t action = dice_below(&octets_dice, 4);
    if (max_size == 0) {
        return 0;
    }
    if (size == 0 || (action == 0 && size < max_size)) {
        const size_t at = dice_below(&octets_dice, size + 1);
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)dice_any(&octets_dice);
        return size + 1;
    }
    const size_t at = dice_below(&octets_dice, size);
    if (action == 1 && size > 1) {
        memmove(data + at, data + at + 1, size - at - 1);
        return size - 1;
    }
    const uint32_t change =
        action == 2 ? 1u << dice_below(&octets_dice, 8) : (uint32_t)dice_any(&octets_dice);
    data[at] = (uint8_t)(data[at] ^ change);
    return size;
}

static void take_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *octets = malloc(LARGEST);
    if (file == NULL || octets == NULL) {
        stop("cannot be read", path);
    }
    const size_t size = fread(octets, 1, LARGEST, file);
    if (ferror(file) != 0 || fgetc(file) != EOF) {
        stop("cannot be read, or is too large", path);
    }
    fclose(file);
    if (input_count == FILES) {
        stop("there are too many files", path);
    }
    inputs[input_count++] = (struct input){octets, size};
}

static void take(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        stop("is not there", path);
    }
    if (!S_ISDIR(info.st_mode)) {
        take_file(path);
        return;
    }
    struct dirent **names;
    const int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char within[PATH_ROOM];
        snprintf(within, sizeof within, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            take_file(within);
        }
        free(names[i]);
    }
    if (count < 0) {
        stop("cannot be listed", path);
    }
    free(names);
}

/* Kept for whoever looks for the reason: it is in the file when the target does not come back. */
static void keep(const uint8_t *octets, size_t size)
{
    static int fd = -1;
    const char *path = getenv("PROSA_FUZZ_LAST");
    if (path == NULL || *path == '\0') {
        return;
    }
    fd = fd < 0 ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : fd;
    if (fd < 0 || pwrite(fd, octets, size, 0) != (ssize_t)size || ftruncate(fd, (off_t)size) != 0) {
        stop("cannot be written", path);
    }
}

/* In memory of exactly that size: what is read behind it is found. */
static void run(const uint8_t *octets, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (exact == NULL) {
        stop("no memory", "an input");
    }
    if (size > 0) {
        memcpy(exact, octets, size);
    }
    keep(octets, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_mutation(struct dice *dice)
{
    static uint8_t octets[LARGEST];
    const struct input *from = &inputs[dice_below(dice, input_count)];
    const struct input *other = &inputs[dice_below(dice, input_count)];
    const uint32_t seed = dice_any(dice);
    size_t size = from->size;
    memcpy(octets, from->at, size);
    if (LLVMFuzzerCustomCrossOver != NULL && dice_one_in(dice, 8)) {
        size = LLVMFuzzerCustomCrossOver(from->at, from->size, other->at, other->size, octets, LARGEST, seed);
    }
    for (uint32_t rounds = 1 + dice_below(dice, 4); rounds > 0; rounds--) {
        size = LLVMFuzzerCustomMutator != NULL
                   ? LLVMFuzzerCustomMutator(octets, size, LARGEST, dice_any(dice))
                   : LLVMFuzzerMutate(octets, size, LARGEST);
    }
    run(octets, size);
}

int main(int argc, char **argv)
{
    struct dice dice = {2};
    unsigned long mutations = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-mutations=", strlen("-mutations=")) == 0) {
            mutations = strtoul(argv[i] + strlen("-mutations="), NULL, 10);
        } else {
            take(argv[i]);
        }
    }
    if (input_count == 0) {
        stop("there is nothing to run", argv[0]);
    }
    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    for (size_t i = 0; i < input_count; i++) {
        run(inputs[i].at, inputs[i].size);
    }
    for (unsigned long i = 0; i < mutations; i++) {
        run_mutation(&dice);
    }
    for (size_t i = 0; i < input_count; i++) {
        free(inputs[i].at);
    }
    printf("%zu inputs and %lu mutations of them ran\n", input_count, mutations);
    return 0;
}
