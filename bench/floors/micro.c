/* SPDX-License-Identifier: MIT */
/*
 * micro: how fast libsodium alone is on this processor, now: verify, sign and SHA-256 of 200 octets.
 * Of many messages in turn, as a server gets them: the one that was just verified takes some 4 % less,
 * for the processor then foresees each branch.
 *
 *   micro MILLISECONDS     of each; prints one JSON object
 *
 * It refuses to go through libprosa: it is what libprosa is measured by.
 */
#include "clock.h"
#include "options.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

#define MESSAGE_SIZE 200u
#define MESSAGES     256u

struct material {
    uint8_t key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    uint8_t sig[crypto_sign_BYTES], hash[crypto_hash_sha256_BYTES];
    uint8_t message[MESSAGE_SIZE];
};

static bool verify(struct material *material)
{
    return crypto_sign_verify_detached(material->sig, material->message, MESSAGE_SIZE, material->key) == 0;
}

static bool sign(struct material *material)
{
    return crypto_sign_detached(material->sig, NULL, material->message, MESSAGE_SIZE, material->secret) == 0;
}

static bool hash(struct material *material)
{
    return crypto_hash_sha256(material->hash, material->message, MESSAGE_SIZE) == 0;
}

/* Time of this thread on a processor, so that others who run do not count. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Times a second, all of the material in turn; 0 when it does not do what it should. */
static double rate_of(bool (*run)(struct material *), struct material *material, uint64_t ms)
{
    const uint64_t start_ns = cpu_ns();
    uint64_t count = 0, spent_ns = 0;
    while (spent_ns < ms * 1000000 || spent_ns == 0) {
        for (unsigned i = 0; i < MESSAGES; i++) {
            if (!run(&material[i])) {
                return 0;
            }
        }
        count += MESSAGES;
        spent_ns = cpu_ns() - start_ns;
    }
    return (double)count * 1e9 / (double)spent_ns;
}

static bool make(struct material *material)
{
    randombytes_buf(material->message, sizeof material->message);
    return crypto_sign_keypair(material->key, material->secret) == 0;
}

int main(int argc, char **argv)
{
    static struct material material[MESSAGES];
    uint64_t ms;
    if (argc != 2 || !number_parse(argv[1], 1, 60000, &ms)) {
        fputs("usage: micro MILLISECONDS\n", stderr);
        return 2;
    }
    bool begun = sodium_init() >= 0;
    for (unsigned i = 0; begun && i < MESSAGES; i++) {
        begun = make(&material[i]);
    }
    if (!begun) {
        fputs("micro: libsodium cannot begin\n", stderr);
        return 1;
    }
    const double signs = rate_of(sign, material, ms);
    const double verifies = rate_of(verify, material, ms);
    const double hashes = rate_of(hash, material, ms);
    if (signs == 0 || verifies == 0 || hashes == 0) {
        fputs("micro: libsodium does not do what it should\n", stderr);
        return 1;
    }
    printf("{\"sodium\": \"%s\", \"verify_per_s\": %.0f, \"sign_per_s\": %.0f, \"sha256_per_s\": %.0f}\n",
           sodium_version_string(), verifies, signs, hashes);
    return 0;
}
