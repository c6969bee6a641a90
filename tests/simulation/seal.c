/* SPDX-License-Identifier: MIT */
/* seal: signatures that cost a hash, in the form of Ed25519's, so that thousands of schedules fit into
 * seconds. The linker sends libprosa's two calls here (--wrap). Whoever changes an octet still breaks them;
 * that nobody else can make them is for tests of `sign` to show. */
#include <prosa/sign.h>

int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *size, const unsigned char *message,
                                unsigned long long message_size, const unsigned char *secret);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key);

/* Both halves stay below the bounds of KEY-03 and KEY-04. */
static void seal(const uint8_t *key, const uint8_t *message, size_t size, uint8_t sig[PROSA_SIGNATURE_SIZE])
{
    struct prosa_sha256 hash;
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, prosa_bytes(key, PROSA_KEY_SIZE));
    prosa_sha256_add(&hash, prosa_bytes(message, size));
    prosa_sha256_final(&hash, sig);
    sig[PROSA_HASH_SIZE - 1] &= 0x3f;
    memcpy(sig + PROSA_HASH_SIZE, sig, PROSA_HASH_SIZE);
    sig[PROSA_SIGNATURE_SIZE - 1] = 0;
}

/* `secret` is seed and public key. */
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *size, const unsigned char *message,
                                unsigned long long message_size, const unsigned char *secret)
{
    if (size != NULL) {
        *size = PROSA_SIGNATURE_SIZE;
    }
    seal(secret + PROSA_SEED_SIZE, message, (size_t)message_size, sig);
    return 0;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key)
{
    uint8_t expected[PROSA_SIGNATURE_SIZE];
    seal(key, message, (size_t)size, expected);
    return memcmp(sig, expected, sizeof expected) == 0 ? 0 : -1;
}
