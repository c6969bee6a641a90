/* SPDX-License-Identifier: MIT */
#include <prosa/json.h>
#include <prosa/message.h>

#include "check.h"
#include "support.h"

static uint8_t octets[512];

/* Projects the frame into exactly enough room. */
static bool projects_to(const char *hex, const char *expected)
{
    struct prosa_frame frame;
    struct prosa_message message;
    size_t length = strlen(expected);
    struct guarded out = guarded_new(length + 1);
    enum prosa_status status = prosa_frame_parse(from_hex(hex, octets, sizeof octets), 1024, &frame);

    if (status == PROSA_OK)
        status = prosa_message_decode(&frame, PROSA_FROM_SERVER, &message);
    bool good = (status == PROSA_OK || status == PROSA_IGNORED) &&
                prosa_json_frame(&frame, (char *)out.at, out.size) == length &&
                memcmp(out.at, expected, length + 1) == 0;
    guarded_free(&out);
    return good;
}

static void test_projection(void)
{
    PROSA_CLAUSE("WIRE-34");
    CHECK(projects_to("5052 01 1e 00000009 00a0 0001 ff 0a0b 0000",
                      "{\"frame\":\"PING\",\"type\":30,\"version\":1,\"length\":9,"
                      "\"fields\":{\"opaque\":\"ff\",\"0x0a0b\":\"\"}}"));
    CHECK(projects_to("5052 01 4b 00000001 00", "{\"frame\":null,\"type\":75,\"version\":1,\"length\":1}"));
    CHECK(projects_to("5052 01 08 00000018 0010 0008 ffffffffffffffff 0012 0008 0000000000000000",
                      "{\"frame\":\"WELCOME\",\"type\":8,\"version\":1,\"length\":24,"
                      "\"fields\":{\"session\":\"18446744073709551615\",\"time\":\"0\"}}"));
    CHECK(projects_to(
        "5052 01 24 0000001a 00b0 0002 0601 00b2 0008 225c 0a e280ae c3a1 00b3 0004 ffffffff",
        "{\"frame\":\"BYE\",\"type\":36,\"version\":1,\"length\":26,\"fields\":{\"code\":\"NORMAL\","
        "\"reason\":\"\\\"\\\\\\u000a\\u202e\xC3\xA1\",\"after_ms\":4294967295}}"));
}

static void test_numbers_without_a_name_stay_numbers(void)
{
    PROSA_CLAUSE("WIRE-34");
    CHECK(
        projects_to("5052 01 24 00000006 00b0 0002 0777",
                    "{\"frame\":\"BYE\",\"type\":36,\"version\":1,\"length\":6,\"fields\":{\"code\":1911}}"));
    CHECK(projects_to(
        "5052 01 24 00000006 00b0 0002 0602",
        "{\"frame\":\"BYE\",\"type\":36,\"version\":1,\"length\":6,\"fields\":{\"code\":\"SHUTDOWN\"}}"));
}

/* Every capacity gives the same needed length, an ended text, and a prefix of the whole. */
static void test_output_is_bounded(void)
{
    struct prosa_frame frame;
    char whole[256];

    CHECK(prosa_frame_parse(from_hex("5052 01 1e 00000005 00a0 0001 ff", octets, sizeof octets), 1024,
                            &frame) == PROSA_OK);
    size_t needed = prosa_json_frame(&frame, whole, sizeof whole);
    CHECK(needed == strlen(whole));
    CHECK(prosa_json_frame(&frame, NULL, 0) == needed);
    for (size_t cap = 1; cap <= needed; cap++) {
        struct guarded out = guarded_new(cap);
        CHECK(prosa_json_frame(&frame, (char *)out.at, cap) == needed);
        CHECK(memchr(out.at, 0, cap) != NULL);
        CHECK(strncmp(whole, (char *)out.at, strlen((char *)out.at)) == 0);
        guarded_free(&out);
    }
}

static void test_strings(void)
{
    char out[64];

    CHECK(prosa_json_string(prosa_bytes("a\"\\\0\xFF", 5), out, sizeof out) == strlen(out));
    CHECK(strcmp(out, "\"a\\\"\\\\\\u0000\xEF\xBF\xBD\"") == 0);
    CHECK(prosa_json_string(prosa_bytes(NULL, 0), out, sizeof out) == 2);
}

int main(void)
{
    test_projection();
    test_numbers_without_a_name_stay_numbers();
    test_output_is_bounded();
    test_strings();
    return check_result();
}
