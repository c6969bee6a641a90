/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

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
        if (option->metavar == NULL && value != NULL) {
            snprintf(why, why_size, "--%s takes no value", option->name);
            return false;
        }
        if (option->metavar != NULL && value == NULL && at + 1 == argc) {
            snprintf(why, why_size, "--%s lacks its %s", option->name, option->metavar);
            return false;
        }
        if (option->metavar != NULL && value == NULL) {
            value = argv[++at];
        }
        values[option - table] = option->metavar != NULL ? value : "1";
    }
    *operands = at < argc && strcmp(argv[at], "--") == 0 ? at + 1 : at;
    return true;
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
        const bool takes = table[i].metavar != NULL;
        printf("  --%s%s%s", table[i].name, takes ? " " : "", takes ? table[i].metavar : "");
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
