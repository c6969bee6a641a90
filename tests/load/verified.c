/* SPDX-License-Identifier: MIT */
/*
 * verified: a crowd verifies each signature once. All its members are shown the same octets, and what was
 * good for one of them is good for the next: otherwise a machine could not load a server with readers that
 * check everything. It stands before the library's function (--wrap), and refuses to remember anything but
 * success.
 */
#include <prosa/sign.h>

#include <string.h>

#define PLACES 4096u

int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk);

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk)
{
    static uint8_t good[PLACES][PROSA_HASH_SIZE]; /* hashes of all that was verified */
    uint8_t hash[PROSA_HASH_SIZE];
    uint32_t place;
    struct prosa_sha256 all;
    prosa_sha256_init(&all);
    prosa_sha256_add(&all, prosa_bytes(sig, PROSA_SIGNATURE_SIZE));
    prosa_sha256_add(&all, prosa_bytes(pk, PROSA_KEY_SIZE));
    prosa_sha256_add(&all, prosa_bytes(m, (size_t)mlen));
    prosa_sha256_final(&all, hash);
    memcpy(&place, hash, sizeof place);
    place %= PLACES;
    if (memcmp(good[place], hash, sizeof hash) == 0) {
        return 0;
    }
    const int verdict = __real_crypto_sign_verify_detached(sig, m, mlen, pk);
    if (verdict == 0) {
        memcpy(good[place], hash, sizeof hash);
    }
    return verdict;
}
