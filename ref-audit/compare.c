/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include "hex.h"
#include "keyfile.h"

#include <prosa/sign.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* More than any CHECKPOINT takes, also in digits with blanks between. */
#define FILE_SIZE 65536u

/* A CHECKPOINT as it was read; the message points into the octets. */
struct statement {
    const char *path;
    uint8_t octets[FILE_SIZE];
    size_t size;
    struct prosa_message message;
};

static bool read_file(struct statement *statement)
{
    FILE *file = fopen(statement->path, "rb");
    if (file == NULL) {
        audit_say("%s: %s", statement->path, strerror(errno));
        return false;
    }
    statement->size = fread(statement->octets, 1, sizeof statement->octets, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        audit_say("%s cannot be read", statement->path);
    }
    return !failed;
}

/* Puts octets in the place of hexadecimal digits, among which blanks and line ends may stand. */
static bool decode_digits(struct statement *statement)
{
    char pair[3] = "";
    size_t digits = 0;
    size_t size = 0;
    for (size_t i = 0; i < statement->size; i++) {
        const char c = (char)statement->octets[i];
        if (strchr(" \t\r\n", c) != NULL && c != '\0') {
            continue;
        }
        pair[digits++ % 2] = c;
        if (digits % 2 == 0 && !hex_parse(pair, &statement->octets[size++], 1)) {
            return false;
        }
    }
    statement->size = size;
    return digits > 0 && digits % 2 == 0;
}

static bool read_statement(struct statement *statement, const char *path)
{
    struct prosa_frame frame;
    statement->path = path;
    if (!read_file(statement)) {
        return false;
    }
    const bool raw = statement->size >= 2 && prosa_load_u16(statement->octets) == PROSA_MAGIC;
    if ((!raw && !decode_digits(statement)) ||
        prosa_frame_parse(prosa_bytes(statement->octets, statement->size), PROSA_MAX_FRAME_CEILING, &frame) !=
            PROSA_OK ||
        frame.octets.size != statement->size || frame.type != PROSA_FRAME_CHECKPOINT ||
        prosa_message_decode(&frame, PROSA_FROM_SERVER, &statement->message) != PROSA_OK) {
        audit_say("%s is not one CHECKPOINT frame, in octets or hexadecimal digits", path);
        return false;
    }
    return true;
}

static bool is_signed(const struct statement *statement, const uint8_t key[static PROSA_KEY_SIZE])
{
    const bool good =
        prosa_checkpoint_verify(key, prosa_bytes(statement->octets, statement->size)) == PROSA_OK;
    if (!good) {
        audit_say("%s is not signed by this server: it proves nothing", statement->path);
    }
    return good;
}

static void print_statement(const struct statement *statement)
{
    const struct prosa_checkpoint *checkpoint = &statement->message.checkpoint;
    char chain[2 * PROSA_HASH_SIZE + 1];
    char date[32] = "?";
    struct tm parts;
    const time_t seconds = (time_t)(checkpoint->time / 1000);
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    hex_print(prosa_bytes(checkpoint->chain, PROSA_HASH_SIZE), chain);
    printf("  chain %s, signed %s.%03uZ (%s)\n", chain, date, (unsigned)(checkpoint->time % 1000),
           statement->path);
}

static void print_place(const uint8_t key[static PROSA_KEY_SIZE], const struct prosa_checkpoint *checkpoint)
{
    char key_text[2 * PROSA_KEY_SIZE + 1];
    char room_text[2 * PROSA_HASH_SIZE + 1];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    hex_print(prosa_bytes(key, PROSA_KEY_SIZE), key_text);
    hex_print(prosa_bytes(checkpoint->room_id, PROSA_HASH_SIZE), room_text);
    fingerprint_format(key, fingerprint);
    printf("  server key %s (%s)\n  room_id %s\n  entry %" PRIu64 "\n", key_text, fingerprint, room_text,
           checkpoint->seq);
}

enum audit_finding audit_compare(const uint8_t key[static PROSA_KEY_SIZE], const char *first,
                                 const char *second)
{
    static struct statement one;
    static struct statement other;
    if (!read_statement(&one, first) || !read_statement(&other, second) || !is_signed(&one, key) ||
        !is_signed(&other, key)) {
        return AUDIT_UNABLE;
    }
    const struct prosa_checkpoint *a = &one.message.checkpoint;
    const struct prosa_checkpoint *b = &other.message.checkpoint;
    if (a->seq != b->seq || memcmp(a->room_id, b->room_id, PROSA_HASH_SIZE) != 0) {
        printf("consistent: they are about different entries, and cannot contradict each other\n");
        return AUDIT_GOOD;
    }
    if (memcmp(a->chain, b->chain, PROSA_HASH_SIZE) == 0) {
        printf("consistent: both state the same history\n");
        return AUDIT_GOOD;
    }
    printf("PROOF: this server has signed two histories of one room\n");
    print_place(key, a);
    print_statement(&one);
    print_statement(&other);
    return AUDIT_BAD;
}
