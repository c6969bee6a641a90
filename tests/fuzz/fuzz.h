/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what every target of tests/fuzz is made of. A target is one function that takes any octets, and
 * ends the program when a promise of the code under test is broken. Beside it stand either libFuzzer, which
 * looks for such octets, or replay.c, which takes them from files.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <prosa/bytes.h>

#include <stdio.h>
#include <stdlib.h>

/* The entry points, as libFuzzer names them. A target has the first one; the others are optional. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                                 uint8_t *out, size_t max_out_size, unsigned int seed);

/* The mutator of octets without a form; libFuzzer's, or that of replay.c. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A promise. It is no assert(): it holds in every build. */
#define PROMISE(condition) ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))

_Noreturn static inline void fuzz_broken(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, condition);
    abort();
}

/* Random numbers of a mutator: the same seed gives the same ones. */
struct dice {
    uint64_t state;
};

static inline uint32_t dice_any(struct dice *dice)
{
    dice->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t mixed = dice->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((mixed ^ (mixed >> 31)) >> 32);
}

/* 0 to below - 1, or 0. */
static inline uint32_t dice_below(struct dice *dice, size_t below)
{
    return below == 0 ? 0 : (uint32_t)(dice_any(dice) % below);
}

static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
    return dice_below(dice, n) == 0;
}

#endif
