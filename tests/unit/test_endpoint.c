/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include "check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static struct endpoint of(const char *ip, uint16_t port, uint32_t interface)
{
    union address address = {0};
    if (inet_pton(AF_INET, ip, &address.in.sin_addr) == 1) {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons(port);
    } else {
        CHECK(inet_pton(AF_INET6, ip, &address.in6.sin6_addr) == 1);
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons(port);
        address.in6.sin6_scope_id = interface;
    }
    return endpoint_of(&address.any);
}

static bool reads(const struct endpoint endpoint, const char *text)
{
    char out[ADDRESS_TEXT_SIZE];
    return strcmp(endpoint_format(&endpoint, out), text) == 0;
}

static bool is_near(const char *one, const char *other)
{
    const struct endpoint a = of(one, 1, 0);
    const struct endpoint b = of(other, 2, 0);
    return endpoint_is_near(&a, &b);
}

static void test_it_reads_as_people_write_it(void)
{
    char loopback[IF_NAMESIZE];
    char text[ADDRESS_TEXT_SIZE];
    CHECK(reads(of("192.0.2.1", 1000, 0), "192.0.2.1:1000"));
    CHECK(reads(of("::ffff:192.0.2.1", 65535, 0), "192.0.2.1:65535"));
    CHECK(reads(of("2001:db8::1", 7, 0), "[2001:db8::1]:7"));
    CHECK(reads(of("::", 0, 0), "[::]:0"));
    CHECK(reads(of("fe80::1", 1, 4000000000), "[fe80::1%4000000000]:1"));
    CHECK(if_indextoname(1, loopback) != NULL);
    snprintf(text, sizeof text, "[fe80::1%%%s]:1", loopback);
    CHECK(reads(of("fe80::1", 1, 1), text));
}

static void test_who_is_near(void)
{
    PROSA_CLAUSE("LIM-05");
    CHECK(is_near("192.0.2.1", "192.0.2.1") && is_near("192.0.2.1", "::ffff:192.0.2.1"));
    CHECK(!is_near("192.0.2.1", "192.0.2.2") && !is_near("192.0.2.1", "::1"));
    CHECK(is_near("2001:db8::1", "2001:db8::ffff:0:0:2") && !is_near("2001:db8::1", "2001:db8:0:1::1"));
}

int main(void)
{
    test_it_reads_as_people_write_it();
    test_who_is_near();
    return check_result();
}
