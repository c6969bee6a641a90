/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <prosa/text.h>

static bool is_between(uint8_t octet, char first, char last)
{
    return octet >= first && octet <= last;
}

static bool is_name_octet(uint8_t octet)
{
    return is_between(octet, 'a', 'z') || is_between(octet, '0', '9') || octet == '_' || octet == '-';
}

static bool is_host_octet(uint8_t octet)
{
    return is_name_octet(octet) || octet == '.';
}

static bool is_address_octet(uint8_t octet)
{
    return is_between(octet, 'a', 'f') || is_between(octet, '0', '9') || octet == ':' || octet == '.';
}

static bool is_clause_octet(uint8_t octet)
{
    return is_between(octet, 'A', 'Z') || is_between(octet, '0', '9') || octet == '-';
}

/* True when there is at least one octet and each one is of the alphabet. */
static bool consists_of(struct prosa_bytes text, bool (*alphabet)(uint8_t octet))
{
    for (size_t i = 0; i < text.size; i++)
        if (!alphabet(text.at[i]))
            return false;
    return text.size > 0;
}

static bool is_room(struct prosa_bytes name)
{
    if (name.size > 0 && name.at[0] == '@')
        name = prosa_bytes(name.at + 1, name.size - 1);
    return name.size <= 32 && consists_of(name, is_name_octet);
}

static bool is_port(struct prosa_bytes digits)
{
    uint32_t port = 0;

    if (digits.size < 1 || digits.size > 5 || digits.at[0] == '0')
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (!is_between(digits.at[i], '0', '9'))
            return false;
        port = port * 10 + (uint32_t)(digits.at[i] - '0');
    }
    return port <= 65535;
}

/* name:port or [address]:port; the last colon is the one before the port [ID-03]. */
static bool is_target(struct prosa_bytes target)
{
    size_t colon = target.size;
    while (colon > 0 && target.at[colon - 1] != ':')
        colon--;
    if (colon == 0 || !is_port(prosa_bytes(target.at + colon, target.size - colon)))
        return false;
    struct prosa_bytes host = prosa_bytes(target.at, colon - 1);
    if (host.size > 2 && host.at[0] == '[' && host.at[host.size - 1] == ']')
        return consists_of(prosa_bytes(host.at + 1, host.size - 2), is_address_octet);
    return consists_of(host, is_host_octet);
}

static bool is_versions(struct prosa_bytes versions)
{
    uint8_t last = 0;
    for (size_t i = 0; i < versions.size; i++) {
        if (versions.at[i] <= last)
            return false;
        last = versions.at[i];
    }
    return true;
}

/* The octets of an integer kind, 0 for the others. */
static size_t integer_size(enum prosa_kind kind)
{
    switch (kind) {
    case PROSA_KIND_U8:
        return 1;
    case PROSA_KIND_U16:
        return 2;
    case PROSA_KIND_U32:
        return 4;
    case PROSA_KIND_U64:
        return 8;
    default:
        return 0;
    }
}

static bool is_integer_between(struct prosa_bytes value, uint64_t min, uint64_t max)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++)
        number = number << 8 | value.at[i];
    return number >= min && number <= max;
}

static bool has_form(enum prosa_kind kind, struct prosa_bytes value)
{
    switch (kind) {
    case PROSA_KIND_VERSIONS:
        return is_versions(value);
    case PROSA_KIND_NICK:
        return consists_of(value, is_name_octet);
    case PROSA_KIND_ROOM:
        return is_room(value);
    case PROSA_KIND_TARGET:
        return is_target(value);
    case PROSA_KIND_CLAUSE:
        return consists_of(value, is_clause_octet);
    default:
        return true;
    }
}

enum prosa_status prosa_value_check(const struct prosa_field_spec *spec, struct prosa_bytes value)
{
    size_t size = integer_size(spec->kind);
    if (size > 0) {
        bool good = value.size == size && is_integer_between(value, spec->min, spec->max);
        return good ? PROSA_OK : PROSA_ERR_BAD_FRAME;
    }
    if (value.size < spec->min || value.size > spec->max || !has_form(spec->kind, value))
        return PROSA_ERR_BAD_FRAME;
    if (spec->kind == PROSA_KIND_UTF8 && !prosa_text_is_valid(value))
        return PROSA_ERR_BAD_TEXT;
    return PROSA_OK;
}
