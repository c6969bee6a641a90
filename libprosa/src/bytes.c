/* SPDX-License-Identifier: MIT */
#include <prosa/bytes.h>

void prosa_reader_init(struct prosa_reader *reader, struct prosa_bytes input)
{
    *reader = (struct prosa_reader){.at = input.at, .left = input.size};
}

struct prosa_bytes prosa_read_bytes(struct prosa_reader *reader, size_t size)
{
    if (reader->failed || size > reader->left) {
        reader->failed = true;
        return prosa_bytes(NULL, 0);
    }
    if (size == 0)
        return prosa_bytes(reader->at, 0); /* NULL + 0 is not defined in C */
    struct prosa_bytes octets = prosa_bytes(reader->at, size);
    reader->at += size;
    reader->left -= size;
    return octets;
}

uint8_t prosa_read_u8(struct prosa_reader *reader)
{
    struct prosa_bytes octets = prosa_read_bytes(reader, 1);
    return octets.size == 1 ? octets.at[0] : 0;
}

uint16_t prosa_read_u16(struct prosa_reader *reader)
{
    struct prosa_bytes octets = prosa_read_bytes(reader, 2);
    return octets.size == 2 ? prosa_load_u16(octets.at) : 0;
}

uint32_t prosa_read_u32(struct prosa_reader *reader)
{
    struct prosa_bytes octets = prosa_read_bytes(reader, 4);
    return octets.size == 4 ? prosa_load_u32(octets.at) : 0;
}

uint64_t prosa_read_u64(struct prosa_reader *reader)
{
    struct prosa_bytes octets = prosa_read_bytes(reader, 8);
    return octets.size == 8 ? prosa_load_u64(octets.at) : 0;
}

void prosa_writer_init(struct prosa_writer *writer, uint8_t *at, size_t cap)
{
    writer->at = at;
    writer->cap = cap;
    writer->size = 0;
    writer->failed = false;
}

void prosa_write_bytes(struct prosa_writer *writer, struct prosa_bytes octets)
{
    if (writer->failed || octets.size > writer->cap - writer->size) {
        writer->failed = true;
        return;
    }
    if (octets.size == 0)
        return; /* memcpy wants no NULL, even for nothing */
    memcpy(writer->at + writer->size, octets.at, octets.size);
    writer->size += octets.size;
}

void prosa_write_u8(struct prosa_writer *writer, uint8_t value)
{
    prosa_write_bytes(writer, prosa_bytes(&value, 1));
}

void prosa_write_u16(struct prosa_writer *writer, uint16_t value)
{
    uint8_t octets[2];
    prosa_store_u16(octets, value);
    prosa_write_bytes(writer, prosa_bytes(octets, sizeof octets));
}

void prosa_write_u32(struct prosa_writer *writer, uint32_t value)
{
    uint8_t octets[4];
    prosa_store_u32(octets, value);
    prosa_write_bytes(writer, prosa_bytes(octets, sizeof octets));
}

void prosa_write_u64(struct prosa_writer *writer, uint64_t value)
{
    uint8_t octets[8];
    prosa_store_u64(octets, value);
    prosa_write_bytes(writer, prosa_bytes(octets, sizeof octets));
}
