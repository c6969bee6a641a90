/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include "hex.h"
#include "options.h"

#include <prosa/sign.h>

#include <stdarg.h>
#include <stdio.h>

enum { KEY, LOG, HELP, OPTIONS };

static const struct option_spec table[OPTIONS] = {
    [KEY] = {"key", NULL, "HEX", NULL, "public key of the server, 64 hexadecimal digits"},
    [LOG] = {"log", NULL, "FOLDER", NULL, "compare: take the server's key from this log"},
    [HELP] = {"help", NULL, NULL, NULL, "print this text"},
};

void audit_say(const char *format, ...)
{
    va_list words;
    va_start(words, format);
    fputs("prosa-audit: ", stderr);
    vfprintf(stderr, format, words);
    fputs("\n", stderr);
    va_end(words);
}

static void print_help(void)
{
    printf(
        "usage: prosa-audit log [--key HEX] FOLDER\n"
        "       prosa-audit compare --key HEX CHECKPOINT CHECKPOINT\n"
        "       prosa-audit compare --log FOLDER CHECKPOINT CHECKPOINT\n"
        "\n"
        "log      judges every entry of a log: octets, signatures, order, chain. FOLDER is a server's data\n"
        "         folder, or the file log.db in it; the server may be running.\n"
        "compare  judges two CHECKPOINT frames, each in a file as octets or hexadecimal digits: did the\n"
        "         server tell two histories?\n"
        "\n");
    options_print(table, OPTIONS);
    printf("\n"
           "Exit codes: 0 good, 1 damage, forgery or a proof that the server lied, 2 nothing could be "
           "judged.\n");
}

static bool read_key(const char *text, uint8_t key[static PROSA_KEY_SIZE])
{
    const bool good = strlen(text) == 2 * (size_t)PROSA_KEY_SIZE && hex_parse(text, key, PROSA_KEY_SIZE);
    if (!good) {
        audit_say("--key is 64 lower-case hexadecimal digits, not %s", text);
    }
    return good;
}

static enum audit_finding run_log(const char *const *values, int count, char *const *operands)
{
    uint8_t key[PROSA_KEY_SIZE];
    char path[4096];
    if (count != 1 || values[LOG] != NULL) {
        audit_say("log takes one FOLDER; --help says more");
        return AUDIT_UNABLE;
    }
    if ((values[KEY] != NULL && !read_key(values[KEY], key)) ||
        !audit_log_path(operands[0], path, sizeof path)) {
        return AUDIT_UNABLE;
    }
    return audit_log(path, values[KEY] != NULL ? key : NULL);
}

static enum audit_finding run_compare(const char *const *values, int count, char *const *operands)
{
    uint8_t key[PROSA_KEY_SIZE];
    char path[4096];
    if (count != 2 || (values[KEY] != NULL) == (values[LOG] != NULL)) {
        audit_say("compare takes --key or --log, and two files; --help says more");
        return AUDIT_UNABLE;
    }
    const bool good = values[KEY] != NULL
                          ? read_key(values[KEY], key)
                          : audit_log_path(values[LOG], path, sizeof path) && audit_log_key(path, key);
    return good ? audit_compare(key, operands[0], operands[1]) : AUDIT_UNABLE;
}

int main(int argc, char **argv)
{
    const char *values[OPTIONS];
    char why[300];
    int operands;
    const char *verb = argc > 1 ? argv[1] : "";
    if (prosa_sign_init() != PROSA_OK) {
        audit_say("%s", prosa_status_text(PROSA_ERR_CRYPTO));
        return AUDIT_UNABLE;
    }
    if (strcmp(verb, "--help") == 0) {
        print_help();
        return AUDIT_GOOD;
    }
    const bool is_log = strcmp(verb, "log") == 0;
    if (!is_log && strcmp(verb, "compare") != 0) {
        audit_say("say log or compare; --help says more");
        return AUDIT_UNABLE;
    }
    if (!options_read(table, OPTIONS, argc - 1, argv + 1, values, &operands, why, sizeof why)) {
        audit_say("%s", why);
        return AUDIT_UNABLE;
    }
    if (values[HELP] != NULL) {
        print_help();
        return AUDIT_GOOD;
    }
    operands++; /* as an index in argv */
    return (int)(is_log ? run_log : run_compare)(values, argc - operands, argv + operands);
}
