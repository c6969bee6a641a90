/* SPDX-License-Identifier: MIT */
/*
 * options: a program's settings from one table: what `--help` prints, what flags, variables of the
 * environment [CON-01] and the lines of a file set, and what holds when none does. A flag wins over its
 * variable, and that over the file.
 * It refuses to interpret: every value stays the text that a person typed.
 */
#ifndef REF_COMMON_OPTIONS_H
#define REF_COMMON_OPTIONS_H

#include <prosa/bytes.h>

struct option_spec {
    const char *name;     /* "port", for --port VALUE and --port=VALUE */
    const char *variable; /* "PROSA_PORT", or NULL; empty in the environment counts as unset */
    const char *metavar;  /* "NUMBER"; NULL for a switch: --name is yes, and when it has a fallback,
                             --name=yes and --name=no are what they say */
    const char *fallback; /* value when nobody sets it, or NULL; of a switch "yes" or "no" */
    const char *text;     /* what it is, for --help; a line feed in it begins a new line */
};

/* Sets values[i] for table[i], from argv, the environment or the fallback, in this order; a switch
 * has the value "yes" or "no", one that has no fallback "yes" or NULL. All values are borrowed.
 * *operands is the index in argv of the first word that is no flag (argc when there is none); flags
 * end there. False: `why` has a sentence for people. */
PROSA_NODISCARD bool options_read(const struct option_spec *table, size_t count, int argc, char *const *argv,
                                  const char **values, int *operands, char *why, size_t why_size);

/* Most rows of a table that a file is loaded into. */
#define OPTIONS_MAX 32

/* A file of settings, and for each row of the table the line that sets it, 0 for none. */
struct options_file {
    const char *path;
    char *text; /* borrowed by the fallbacks */
    unsigned lines[OPTIONS_MAX];
};

/* Makes what the file `path` says the fallbacks of `table`, a copy that is read with options_read
 * afterwards. Its lines are `name = value`, with the names of the flags, empty, or a comment that begins
 * with `#`; blanks around a value do not count. The option "config", and switches without a fallback,
 * are for the command line alone. False: `why` names file and line, nothing has to be freed. */
PROSA_NODISCARD bool options_load(struct options_file *file, const char *path, struct option_spec *table,
                                  size_t count, char *why, size_t why_size);
void options_unload(struct options_file *file);

/* Writes the table on stdout, one option after the other. */
void options_print(const struct option_spec *table, size_t count);

/* A decimal number from min to max, digits only. */
PROSA_NODISCARD bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* "L0" to "L9": *level is 0 to 9, whether a program has it or not [CON-03]. */
PROSA_NODISCARD bool level_parse(const char *text, unsigned *level);

/* "host:port", an IPv6 address in brackets, which *host is without. */
PROSA_NODISCARD bool address_parse(const char *text, char *host, size_t host_size, uint16_t *port);

#endif
