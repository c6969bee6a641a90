/* SPDX-License-Identifier: MIT */
/* A file as the private key of a program: u8 of its mode, then what stands in it. */
#include "keyfile.h"

#include "file.h"

#define FORM      "PROSA-KEY-1 "
#define FORM_SIZE (sizeof FORM - 1)

/* The one form that a key file has, said once more. */
static bool is_key(struct prosa_bytes content, uint8_t seed[static PROSA_SEED_SIZE])
{
    const size_t digits = 2 * (size_t)PROSA_SEED_SIZE;
    if (content.size != FORM_SIZE + digits + 1 || memcmp(content.at, FORM, FORM_SIZE) != 0 ||
        content.at[content.size - 1] != '\n') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        char one[2] = {(char)content.at[FORM_SIZE + i], '\0'};
        if (one[0] == '\0' || strchr("0123456789abcdef", one[0]) == NULL) {
            return false;
        }
        seed[i / 2] = (uint8_t)(seed[i / 2] * 16ul + strtoul(one, NULL, 16));
    }
    return true;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the form is libFuzzer's */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    PROMISE(prosa_sign_init() == PROSA_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[sizeof(struct prosa_keypair)];
    struct prosa_keypair keypair = {.key = {1}, .seed = {1}};
    struct prosa_keypair wanted;
    uint8_t seed[PROSA_SEED_SIZE] = {0};
    bool made = true;
    char why[512] = "";
    if (size == 0) {
        return 0;
    }
    const mode_t mode = data[0] % 2 == 0 ? 0600 : S_IRUSR | (mode_t)data[0] >> 1;
    const struct prosa_bytes content = prosa_bytes(data + 1, size - 1);
    const bool good = is_key(content, seed) && (mode & 077) == 0;
    const char *path = file_hold(content, mode);
    PROMISE(keyfile_open(path, &keypair, &made, why, sizeof why) == good && !made);
    if (good) {
        prosa_keypair_from_seed(&wanted, seed);
        PROMISE(memcmp(&wanted, &keypair, sizeof wanted) == 0);
    } else {
        PROMISE(why[0] != '\0' && strstr(why, path) != NULL &&
                memcmp(&keypair, nothing, sizeof nothing) == 0);
    }
    return 0;
}
