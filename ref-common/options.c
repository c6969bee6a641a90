/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r"

/* A file of settings has a few lines; more is some other file. */
#define FILE_SIZE_MAX 65536

static const struct option_spec *find(const struct option_spec *table, size_t count, const char *name,
                                      size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static void read_environment(const struct option_spec *table, size_t count, const char **values)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = table[i].variable != NULL ? getenv(table[i].variable) : NULL;
        values[i] = value != NULL && value[0] != '\0' ? value : table[i].fallback;
    }
}

/* Whether it may be told its value: all but switches that nobody has a reason to turn off. */
static bool takes_value(const struct option_spec *option)
{
    return option->metavar != NULL || option->fallback != NULL;
}

/* A switch knows its words; all else is for the program to judge. */
static bool is_word_of(const struct option_spec *option, const char *value)
{
    return option->metavar != NULL || strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
}

bool options_read(const struct option_spec *table, size_t count, int argc, char *const *argv,
                  const char **values, int *operands, char *why, size_t why_size)
{
    int at = 1;
    read_environment(table, count, values);
    for (; at < argc && strncmp(argv[at], "--", 2) == 0 && argv[at][2] != '\0'; at++) {
        const char *name = argv[at] + 2;
        const size_t size = strcspn(name, "=");
        const char *value = name[size] == '=' ? name + size + 1 : NULL;
        const struct option_spec *option = find(table, count, name, size);

        if (option == NULL) {
            snprintf(why, why_size, "there is no option --%.*s", (int)size, name);
            return false;
        }
        if (!takes_value(option) && value != NULL) {
            snprintf(why, why_size, "--%s takes no value", option->name);
            return false;
        }
        if (value != NULL && !is_word_of(option, value)) {
            snprintf(why, why_size, "--%s is yes or no, not \"%s\"", option->name, value);
            return false;
        }
        if (option->metavar != NULL && value == NULL && at + 1 == argc) {
            snprintf(why, why_size, "--%s lacks its %s", option->name, option->metavar);
            return false;
        }
        if (value == NULL) {
            value = option->metavar != NULL ? argv[++at] : "yes";
        }
        values[option - table] = value;
    }
    *operands = at < argc && strcmp(argv[at], "--") == 0 ? at + 1 : at;
    return true;
}

/* The whole of the regular file that `fd` is, with a final zero; NULL: errno tells why. */
static char *read_text(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return NULL;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > FILE_SIZE_MAX) {
        errno = S_ISREG(info.st_mode) ? EFBIG : EINVAL;
        return NULL;
    }
    const size_t size = (size_t)info.st_size;
    char *text = malloc(size + 1);
    if (text != NULL && !file_read_all(fd, text, size)) {
        free(text);
        errno = EIO;
        return NULL;
    }
    if (text != NULL && memchr(text, '\0', size) != NULL) {
        free(text);
        errno = EILSEQ;
        return NULL;
    }
    if (text != NULL) {
        text[size] = '\0';
    }
    return text;
}

static const char *reason(int problem)
{
    switch (problem) {
    case EINVAL:
        return "it is not a regular file";
    case EFBIG:
        return "it is too large for a file of settings";
    case EILSEQ:
        return "it is no text";
    default:
        return strerror(problem);
    }
}

/* NULL: `why` has a sentence for people. */
static char *open_text(const char *path, char *why, size_t why_size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    char *text = fd >= 0 ? read_text(fd) : NULL;
    if (text == NULL) {
        snprintf(why, why_size, "%s: %s", path, reason(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, BLANKS);
    size_t size = strlen(text);
    while (size > 0 && strchr(BLANKS, text[size - 1]) != NULL) {
        size--;
    }
    text[size] = '\0';
    return text;
}

/* One line, taken apart in place; `why` gets what is wrong with it. */
static bool take_line(struct options_file *file, unsigned number, char *line, struct option_spec *table,
                      size_t count, char *why, size_t why_size)
{
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        snprintf(why, why_size, "\"%s\" is not name = value", line);
        return false;
    }
    *equals = '\0';
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    const struct option_spec *option = find(table, count, name, strlen(name));
    if (option == NULL) {
        snprintf(why, why_size, "there is no setting \"%s\"", name);
    } else if (!takes_value(option) || strcmp(name, "config") == 0) {
        snprintf(why, why_size, "%s is for the command line alone", name);
    } else if (file->lines[option - table] != 0) {
        snprintf(why, why_size, "%s is set already, in line %u", name, file->lines[option - table]);
    } else if (value[0] == '\0') {
        snprintf(why, why_size, "%s lacks its %s", name,
                 option->metavar != NULL ? option->metavar : "yes or no");
    } else if (!is_word_of(option, value)) {
        snprintf(why, why_size, "%s is yes or no, not \"%s\"", name, value);
    } else {
        file->lines[option - table] = number;
        table[option - table].fallback = value;
        return true;
    }
    return false;
}

bool options_load(struct options_file *file, const char *path, struct option_spec *table, size_t count,
                  char *why, size_t why_size)
{
    assert(count <= OPTIONS_MAX);
    *file = (struct options_file){.path = path, .text = open_text(path, why, why_size)};
    char *rest = file->text;
    for (unsigned number = 1; rest != NULL; number++) {
        char *line = strsep(&rest, "\n");
        char problem[256];
        line = trim(line);
        if (line[0] != '\0' && line[0] != '#' &&
            !take_line(file, number, line, table, count, problem, sizeof problem)) {
            snprintf(why, why_size, "%s line %u: %s", path, number, problem);
            options_unload(file);
            return false;
        }
    }
    return file->text != NULL;
}

void options_unload(struct options_file *file)
{
    free(file->text);
    file->text = NULL;
}

static void print_text(const char *text)
{
    for (;;) {
        const size_t size = strcspn(text, "\n");
        printf("      %.*s\n", (int)size, text);
        if (text[size] == '\0') {
            return;
        }
        text += size + 1;
    }
}

void options_print(const struct option_spec *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *metavar = table[i].metavar;
        printf("  --%s", table[i].name);
        if (metavar != NULL) {
            printf(" %s", metavar);
        } else if (takes_value(&table[i])) {
            printf("[=yes|no]");
        }
        if (table[i].variable != NULL) {
            printf("  (%s)", table[i].variable);
        }
        printf("\n");
        print_text(table[i].text);
    }
}

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (text[0] == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        const uint64_t digit = (uint64_t)(unsigned char)*text - '0';
        if (digit > 9 || digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return value >= min;
}

bool level_parse(const char *text, unsigned *level)
{
    uint64_t number;
    if (text[0] != 'L' || text[1] == '\0' || text[2] != '\0' || !number_parse(text + 1, 0, 9, &number)) {
        return false;
    }
    *level = (unsigned)number;
    return true;
}

bool address_parse(const char *text, char *host, size_t host_size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    uint64_t number;
    if (colon == NULL || colon == text || !number_parse(colon + 1, 0, 65535, &number)) {
        return false;
    }
    size_t size = (size_t)(colon - text);
    if (text[0] == '[') {
        if (size < 3 || text[size - 1] != ']') {
            return false;
        }
        text++;
        size -= 2;
    } else if (memchr(text, ':', size) != NULL) {
        return false; /* an IPv6 address without its brackets */
    }
    if (size >= host_size) {
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    *port = (uint16_t)number;
    return true;
}
