/* SPDX-License-Identifier: MIT */
/*
 * options: a program's settings from one table: what `--help` prints, what flags and variables of the
 * environment [CON-01] set, and what holds when neither does. A flag wins over its variable.
 * It refuses to interpret: every value stays the text that a person typed.
 */
#ifndef REF_COMMON_OPTIONS_H
#define REF_COMMON_OPTIONS_H

#include <prosa/bytes.h>

struct option_spec {
    const char *name;     /* "port", for --port VALUE and --port=VALUE */
    const char *variable; /* "PROSA_PORT", or NULL; empty in the environment counts as unset */
    const char *metavar;  /* "NUMBER"; NULL for a switch that takes no value */
    const char *fallback; /* value when nobody sets it, or NULL */
    const char *text;     /* what it is, for --help; a line feed in it begins a new line */
};

/* Sets values[i] for table[i], from argv, the environment or the fallback, in this order; a switch
 * that is set has the value "1", one that is not NULL. All values are borrowed.
 * *operands is the index in argv of the first word that is no flag (argc when there is none); flags
 * end there. False: `why` has a sentence for people. */
PROSA_NODISCARD bool options_read(const struct option_spec *table, size_t count, int argc, char *const *argv,
                                  const char **values, int *operands, char *why, size_t why_size);

/* Writes the table on stdout, one option after the other. */
void options_print(const struct option_spec *table, size_t count);

/* A decimal number from min to max, digits only. */
PROSA_NODISCARD bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *number);

#endif
