/* SPDX-License-Identifier: MIT */
/*
 * bytes: octets in, numbers out. Big-endian loads and stores, borrowed views, and two cursors that
 * check every step against the end of the memory that they were given.
 * It refuses to allocate, and a cursor that failed once stays failed, so that one test at the end
 * of a run of reads or writes is enough.
 */
#ifndef PROSA_BYTES_H
#define PROSA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define PROSA_API       __attribute__((visibility("default")))
#define PROSA_NODISCARD __attribute__((warn_unused_result))
#else
#define PROSA_API
#define PROSA_NODISCARD
#endif

/* A borrowed view of octets that somebody else owns; `at` may be NULL when `size` is 0. */
struct prosa_bytes {
    const uint8_t *at;
    size_t size;
};

static inline struct prosa_bytes prosa_bytes(const void *at, size_t size)
{
    return (struct prosa_bytes){(const uint8_t *)at, size};
}

/* A view of a C string without its final zero octet; the string must outlive the view. */
static inline struct prosa_bytes prosa_bytes_of_string(const char *text)
{
    return prosa_bytes(text, strlen(text));
}

static inline bool prosa_bytes_equal(struct prosa_bytes a, struct prosa_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static inline uint16_t prosa_load_u16(const uint8_t at[static 2])
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t prosa_load_u32(const uint8_t at[static 4])
{
    return (uint32_t)prosa_load_u16(at) << 16 | prosa_load_u16(at + 2);
}

static inline uint64_t prosa_load_u64(const uint8_t at[static 8])
{
    return (uint64_t)prosa_load_u32(at) << 32 | prosa_load_u32(at + 4);
}

static inline void prosa_store_u16(uint8_t at[static 2], uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void prosa_store_u32(uint8_t at[static 4], uint32_t value)
{
    prosa_store_u16(at, (uint16_t)(value >> 16));
    prosa_store_u16(at + 2, (uint16_t)value);
}

static inline void prosa_store_u64(uint8_t at[static 8], uint64_t value)
{
    prosa_store_u32(at, (uint32_t)(value >> 32));
    prosa_store_u32(at + 4, (uint32_t)value);
}

/* Reads from `at`; `left` octets remain. The memory must outlive the reader and what it returned. */
struct prosa_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

PROSA_API void prosa_reader_init(struct prosa_reader *reader, struct prosa_bytes input);

/* Each takes its octets and moves on. With too few left the reader fails: from then on every
 * number is 0 and every view is empty. */
PROSA_API uint8_t prosa_read_u8(struct prosa_reader *reader);
PROSA_API uint16_t prosa_read_u16(struct prosa_reader *reader);
PROSA_API uint32_t prosa_read_u32(struct prosa_reader *reader);
PROSA_API uint64_t prosa_read_u64(struct prosa_reader *reader);
PROSA_API struct prosa_bytes prosa_read_bytes(struct prosa_reader *reader, size_t size);

/* Writes to `at`, never more than `cap` octets; `size` of them are written. */
struct prosa_writer {
    uint8_t *at;
    size_t cap;
    size_t size;
    bool failed;
};

PROSA_API void prosa_writer_init(struct prosa_writer *writer, uint8_t *at, size_t cap);

/* Each appends all of its octets or none; with too little room the writer fails. */
PROSA_API void prosa_write_u8(struct prosa_writer *writer, uint8_t value);
PROSA_API void prosa_write_u16(struct prosa_writer *writer, uint16_t value);
PROSA_API void prosa_write_u32(struct prosa_writer *writer, uint32_t value);
PROSA_API void prosa_write_u64(struct prosa_writer *writer, uint64_t value);
PROSA_API void prosa_write_bytes(struct prosa_writer *writer, struct prosa_bytes octets);

#endif
