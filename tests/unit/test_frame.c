/* SPDX-License-Identifier: MIT */
#include <prosa/frame.h>

#include "check.h"
#include "support.h"

#define CAP 16384u

static uint8_t room[70000];

static enum prosa_status parse(const char *hex, size_t cap, struct prosa_frame *frame)
{
    struct guarded memory = guarded_copy(from_hex(hex, room, sizeof room));
    enum prosa_status status = prosa_frame_parse(prosa_bytes(memory.at, memory.size), cap, frame);
    guarded_free(&memory);
    return status;
}

static void test_good_frame(void)
{
    struct prosa_frame frame;

    PROSA_CLAUSE("WIRE-05");
    CHECK(parse("5052 01 1e 00000005 00a00001 ff 5052", CAP, &frame) == PROSA_OK);
    CHECK(frame.type == PROSA_FRAME_PING && frame.version == 1);
    CHECK(frame.octets.size == 13 && frame.body.size == 5);
    CHECK(frame.body.at == frame.octets.at + PROSA_HEADER_SIZE);
    CHECK(parse("5052 01 1e 00000000", CAP, &frame) == PROSA_OK && frame.body.size == 0);
}

static void test_prefixes_are_partial(void)
{
    struct prosa_frame frame;
    const char *hex = "5052011e0000000500a00001ff";
    char prefix[27];

    PROSA_CLAUSE("WIRE-11");
    for (size_t octets = 0; octets < 13; octets++) {
        memcpy(prefix, hex, 2 * octets);
        prefix[2 * octets] = 0;
        CHECK(parse(prefix, CAP, &frame) == PROSA_PARTIAL);
    }
}

static void test_header_is_judged_octet_by_octet(void)
{
    struct prosa_frame frame;

    PROSA_CLAUSE("WIRE-02");
    CHECK(parse("47", CAP, &frame) == PROSA_ERR_BAD_FRAME);
    CHECK(parse("5047", CAP, &frame) == PROSA_ERR_BAD_FRAME);
    PROSA_CLAUSE("WIRE-04");
    CHECK(parse("5052 02", CAP, &frame) == PROSA_ERR_UNSUPPORTED);
    CHECK(parse("5052 00 1e 00000000", CAP, &frame) == PROSA_ERR_UNSUPPORTED);
    PROSA_CLAUSE("WIRE-06");
    CHECK(parse("5052 01 1e 00004001", CAP, &frame) == PROSA_ERR_TOO_LARGE);
    CHECK(parse("5052 01 1e ffffffff", CAP, &frame) == PROSA_ERR_TOO_LARGE);
    CHECK(parse("5052 01 4b 80000000", CAP, &frame) == PROSA_ERR_TOO_LARGE);
    CHECK(parse("5052 01 1e 00004000", CAP, &frame) == PROSA_PARTIAL);
    PROSA_CLAUSE("MSG-10");
    CHECK(parse("5052 01 14 00003f00", CAP, &frame) == PROSA_PARTIAL);
    CHECK(parse("5052 01 14 00003f01", CAP, &frame) == PROSA_ERR_TOO_LARGE);
    CHECK(parse("5052 01 14 00000000", 255, &frame) == PROSA_ERR_TOO_LARGE);
}

static void test_unknown_types(void)
{
    struct prosa_frame frame;

    PROSA_CLAUSE("WIRE-12");
    CHECK(parse("5052 01 4b 00000003 ffffff 50", CAP, &frame) == PROSA_IGNORED);
    CHECK(frame.type == 0x4B && frame.octets.size == 11);
    CHECK(parse("5052 01 4b 00000003 ffff", CAP, &frame) == PROSA_PARTIAL);
    PROSA_CLAUSE("WIRE-14");
    CHECK(parse("5052 01 4c 00000000", CAP, &frame) == PROSA_ERR_UNSUPPORTED);
}

static void test_header_is_written(void)
{
    uint8_t header[PROSA_HEADER_SIZE];
    uint8_t expected[PROSA_HEADER_SIZE];

    prosa_frame_header(header, PROSA_FRAME_DELIVER, 0x01020304);
    from_hex("5052 01 16 01020304", expected, sizeof expected);
    CHECK(memcmp(header, expected, sizeof header) == 0);
}

/* Walks to the end; the number of good fields goes to *count. */
static enum prosa_status walk(uint8_t type, struct prosa_bytes body, unsigned *count)
{
    struct guarded memory = guarded_copy(body);
    struct prosa_field_walk fields;
    struct prosa_field field;
    enum prosa_status status;

    *count = 0;
    prosa_field_walk_init(&fields, type, prosa_bytes(memory.at, memory.size));
    while ((status = prosa_field_next(&fields, &field)) == PROSA_OK)
        ++*count;
    CHECK(prosa_field_next(&fields, &field) == status); /* what ended the walk stays so */
    guarded_free(&memory);
    return status;
}

static enum prosa_status walk_hex(uint8_t type, const char *hex)
{
    unsigned count;
    return walk(type, from_hex(hex, room, sizeof room), &count);
}

static void test_fields_in_order(void)
{
    struct prosa_field_walk fields;
    struct prosa_field field;
    uint8_t octets[11];

    prosa_field_walk_init(&fields, PROSA_FRAME_PING,
                          from_hex("0a0b 0000 00a1 0003 414243", octets, sizeof octets));
    /* the first tag is greater than the second: it must not stand before it */
    CHECK(prosa_field_next(&fields, &field) == PROSA_OK && field.tag == 0x0A0B && field.value.size == 0);
    PROSA_CLAUSE("WIRE-16");
    CHECK(prosa_field_next(&fields, &field) == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PING, "00a1 0000 00a1 0000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PING, "00a1 0000 00a2 0000") == PROSA_END);
    PROSA_CLAUSE("WIRE-17");
    CHECK(walk_hex(PROSA_FRAME_PING, "0000 0000") == PROSA_ERR_BAD_FRAME);
}

static void test_fields_fill_the_body(void)
{
    PROSA_CLAUSE("WIRE-19");
    CHECK(walk_hex(PROSA_FRAME_PING, "") == PROSA_END);
    CHECK(walk_hex(PROSA_FRAME_PING, "00") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PING, "00a000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PING, "00a0 0001") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PING, "00a0 ffff 00") == PROSA_ERR_BAD_FRAME);
}

static struct prosa_bytes empty_fields(size_t count)
{
    for (size_t i = 0; i < count; i++)
        prosa_store_u32(room + 4 * i, (uint32_t)(i + 1) << 16);
    return prosa_bytes(room, 4 * count);
}

static void test_number_of_fields(void)
{
    unsigned count;

    PROSA_CLAUSE("WIRE-18");
    CHECK(walk(PROSA_FRAME_DELIVER, empty_fields(32), &count) == PROSA_END && count == 32);
    CHECK(walk(PROSA_FRAME_DELIVER, empty_fields(33), &count) == PROSA_ERR_BAD_FRAME && count == 32);
    PROSA_CLAUSE("MSG-09");
    CHECK(walk(PROSA_FRAME_PUBLISH, empty_fields(24), &count) == PROSA_END && count == 24);
    CHECK(walk(PROSA_FRAME_PUBLISH, empty_fields(25), &count) == PROSA_ERR_BAD_FRAME && count == 24);
}

static void test_zones_of_tags(void)
{
    PROSA_CLAUSE("WIRE-24");
    CHECK(walk_hex(PROSA_FRAME_PING, "7fff 0000") == PROSA_END);
    CHECK(walk_hex(PROSA_FRAME_PING, "8001 0000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_HELLO, "8a8b 0000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_CHALLENGE, "8a8b 0000") == PROSA_END);
    CHECK(walk_hex(PROSA_FRAME_AUTH, "8a8b 0000") == PROSA_END);
    PROSA_CLAUSE("WIRE-25");
    CHECK(walk_hex(PROSA_FRAME_AUTH, "fffe 0000 ffff 0000") == PROSA_ERR_BAD_FRAME);
    PROSA_CLAUSE("MSG-09");
    CHECK(walk_hex(PROSA_FRAME_PUBLISH, "4000 0000") == PROSA_END);
    CHECK(walk_hex(PROSA_FRAME_PUBLISH, "4001 0000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_PUBLISH, "4a4b 0000") == PROSA_ERR_BAD_FRAME);
    CHECK(walk_hex(PROSA_FRAME_DELIVER, "4a4b 0000") == PROSA_END);
}

static void test_fields_before_a_tag(void)
{
    uint8_t octets[32];
    struct prosa_bytes body =
        from_hex("0040 0001 61  3fff 0000  4000 0001 ff  4002 0000", octets, sizeof octets);

    CHECK(prosa_fields_before(body, 0x0040).size == 0);
    CHECK(prosa_fields_before(body, 0x0041).size == 5);
    CHECK(prosa_fields_before(body, 0x4000).size == 9);
    CHECK(prosa_fields_before(body, 0x4001).size == 14);
    CHECK(prosa_fields_before(body, 0xFFFE).size == body.size);
    CHECK(prosa_fields_before(prosa_bytes(NULL, 0), 1).size == 0);
}

static void test_grease(void)
{
    unsigned tags = 0, types = 0;

    PROSA_CLAUSE("WIRE-26");
    for (unsigned i = 0; i <= 0xFFFF; i++)
        tags += prosa_tag_is_grease((uint16_t)i);
    for (unsigned i = 0; i <= 0xFF; i++)
        types += prosa_type_is_grease((uint8_t)i) && prosa_frame_spec_find((uint8_t)i) == NULL;
    CHECK(tags == 16 && types == 3);
    CHECK(prosa_tag_is_grease(0x0A0B) && prosa_tag_is_grease(0xFAFB) && !prosa_tag_is_grease(0x0A1B));
    CHECK(prosa_type_is_grease(0x4B) && prosa_type_is_grease(0x8B) && prosa_type_is_grease(0xCB));
    CHECK(!prosa_is_critical(0x0A0B) && prosa_is_critical(0x0A0C));
}

static void test_rows_are_found(void)
{
    const struct prosa_frame_spec *ping = prosa_frame_spec_find(PROSA_FRAME_PING);

    CHECK(ping != NULL && strcmp(ping->name, "PING") == 0);
    CHECK(prosa_frame_spec_find(0) == NULL && prosa_frame_spec_find(255) == NULL);
    CHECK(prosa_field_spec_find(ping, PROSA_TAG_OPAQUE)->kind == PROSA_KIND_OPAQUE);
    CHECK(prosa_field_spec_find(ping, PROSA_TAG_TEXT) == NULL);
}

int main(void)
{
    test_good_frame();
    test_prefixes_are_partial();
    test_header_is_judged_octet_by_octet();
    test_unknown_types();
    test_header_is_written();
    test_fields_in_order();
    test_fields_fill_the_body();
    test_number_of_fields();
    test_zones_of_tags();
    test_fields_before_a_tag();
    test_grease();
    test_rows_are_found();
    return check_result();
}
