/* SPDX-License-Identifier: MIT */
#include <prosa/bytes.h>

#include "check.h"
#include "support.h"

static void test_loads_and_stores_are_big_endian(void)
{
    uint8_t octets[8];

    prosa_store_u64(octets, UINT64_C(0x0102030405060708));
    for (uint8_t i = 0; i < 8; i++)
        CHECK(octets[i] == i + 1);
    CHECK(prosa_load_u16(octets) == 0x0102);
    CHECK(prosa_load_u32(octets) == 0x01020304);
    CHECK(prosa_load_u64(octets) == UINT64_C(0x0102030405060708));
    prosa_store_u64(octets, UINT64_MAX);
    CHECK(prosa_load_u16(octets) == UINT16_MAX);
    CHECK(prosa_load_u32(octets) == UINT32_MAX);
    CHECK(prosa_load_u64(octets) == UINT64_MAX);
}

static void test_reader_gives_what_is_there(void)
{
    uint8_t octets[18];
    struct guarded memory =
        guarded_copy(from_hex("01 0203 04050607 08090a0b0c0d0e0f 101112", octets, sizeof octets));
    struct prosa_reader reader;

    prosa_reader_init(&reader, prosa_bytes(memory.at, memory.size));
    CHECK(prosa_read_u8(&reader) == 0x01);
    CHECK(prosa_read_u16(&reader) == 0x0203);
    CHECK(prosa_read_u32(&reader) == 0x04050607);
    CHECK(prosa_read_u64(&reader) == UINT64_C(0x08090a0b0c0d0e0f));
    CHECK(prosa_read_bytes(&reader, 0).size == 0);
    struct prosa_bytes rest = prosa_read_bytes(&reader, 3);
    CHECK(rest.size == 3 && rest.at == memory.at + 15);
    CHECK(reader.left == 0 && !reader.failed);
    guarded_free(&memory);
}

static void test_reader_stays_failed(void)
{
    const uint8_t octets[] = {1, 2, 3};
    struct guarded memory = guarded_copy(prosa_bytes(octets, sizeof octets));
    struct prosa_reader reader;

    prosa_reader_init(&reader, prosa_bytes(memory.at, memory.size));
    CHECK(prosa_read_u32(&reader) == 0);
    CHECK(reader.failed);
    CHECK(prosa_read_u8(&reader) == 0);
    CHECK(prosa_read_bytes(&reader, 1).size == 0);
    prosa_reader_init(&reader, prosa_bytes(memory.at, memory.size));
    CHECK(prosa_read_bytes(&reader, SIZE_MAX).at == NULL);
    CHECK(reader.failed);
    prosa_reader_init(&reader, prosa_bytes(NULL, 0));
    CHECK(prosa_read_bytes(&reader, 0).size == 0 && !reader.failed);
    CHECK(prosa_read_u8(&reader) == 0 && reader.failed);
    guarded_free(&memory);
}

static void test_writer_fills_its_room_and_no_more(void)
{
    uint8_t expected[15];
    struct guarded memory = guarded_new(15);
    struct prosa_writer writer;

    prosa_writer_init(&writer, memory.at, memory.size);
    prosa_write_u8(&writer, 0x01);
    prosa_write_u16(&writer, 0x0203);
    prosa_write_u32(&writer, 0x04050607);
    prosa_write_u64(&writer, UINT64_C(0x08090a0b0c0d0e0f));
    prosa_write_bytes(&writer, prosa_bytes(NULL, 0));
    CHECK(!writer.failed);
    from_hex("01 0203 04050607 08090a0b0c0d0e0f", expected, sizeof expected);
    CHECK(prosa_bytes_equal(prosa_bytes(memory.at, writer.size), prosa_bytes(expected, sizeof expected)));
    prosa_write_u8(&writer, 0x10);
    CHECK(writer.failed && writer.size == 15);
    guarded_free(&memory);
}

static void test_writer_stays_failed(void)
{
    uint8_t room[3] = {0};
    struct prosa_writer writer;

    prosa_writer_init(&writer, room, sizeof room);
    prosa_write_u32(&writer, 1);
    CHECK(writer.failed && writer.size == 0);
    prosa_write_u8(&writer, 7);
    CHECK(writer.failed && writer.size == 0 && room[0] == 0);
}

static void test_views_compare_by_octets(void)
{
    CHECK(prosa_bytes_equal(prosa_bytes_of_string("abc"), prosa_bytes("abc", 3)));
    CHECK(!prosa_bytes_equal(prosa_bytes_of_string("abc"), prosa_bytes_of_string("abd")));
    CHECK(!prosa_bytes_equal(prosa_bytes_of_string("abc"), prosa_bytes_of_string("ab")));
    CHECK(prosa_bytes_equal(prosa_bytes(NULL, 0), prosa_bytes("", 0)));
}

int main(void)
{
    test_loads_and_stores_are_big_endian();
    test_reader_gives_what_is_there();
    test_reader_stays_failed();
    test_writer_fills_its_room_and_no_more();
    test_writer_stays_failed();
    test_views_compare_by_octets();
    return check_result();
}
