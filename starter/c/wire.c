/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(struct fault *fault, uint16_t code, const char *clause)
{
    *fault = (struct fault){code, clause};
    return false;
}

/* --- tables ------------------------------------------------------------------------------ */

const struct prosa_field_spec *field_row(uint16_t tag)
{
    for (size_t i = 0; i < PROSA_FIELDS_COUNT; i++)
        if (prosa_registry_fields[i].tag == tag)
            return &prosa_registry_fields[i];
    return NULL;
}

static const struct prosa_frame_spec *frame_row(uint8_t type)
{
    for (size_t i = 0; i < PROSA_FRAMES_COUNT; i++)
        if (prosa_registry_frames[i].type == type)
            return &prosa_registry_frames[i];
    return NULL;
}

static int place_in(const struct prosa_frame_spec *row, uint16_t tag) /* -1: not listed */
{
    for (size_t i = 0; i < row->field_count; i++)
        if (row->fields[i]->tag == tag)
            return (int)i;
    return -1;
}

const char *code_name(uint16_t code)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++)
        if (prosa_registry_codes[i].code == code)
            return prosa_registry_codes[i].name;
    return NULL;
}

bool is_fatal(uint16_t code)
{
    return code >> 8 != PROSA_CLASS_REFUSED && code >> 8 != PROSA_CLASS_TEMPORARY;
}

/* --- values ------------------------------------------------------------------------------ */

static bool is_utf8(struct prosa_bytes text)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t first = text.at[i];
        size_t more = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : (first & 0xF0) == 0xE0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || more >= text.size - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((text.at[i + k] & 0xC0) != 0x80)
                return false;
        uint8_t second =
            more ? text.at[i + 1] : 0; /* neither too long, nor a surrogate, nor above U+10FFFF */
        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
            (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
            return false;
        i += more + 1;
    }
    return true;
}

static bool all_in(struct prosa_bytes text, const char *alphabet)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] == 0 || !strchr(alphabet, text.at[i]))
            return false;
    return text.size > 0;
}

static bool is_target(struct prosa_bytes text)
{
    size_t colon = text.size;
    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon == text.size || text.size - colon > 5 || text.at[colon] == '0')
        return false;
    struct prosa_bytes name = prosa_bytes(text.at, colon - 1),
                       port = prosa_bytes(text.at + colon, text.size - colon);
    unsigned value = 0;
    for (size_t i = 0; i < port.size; i++)
        value = value * 10 + (port.at[i] - '0');
    if (!all_in(port, "0123456789") || value > 65535)
        return false;
    if (name.at[0] == '[')
        return name.size > 2 && name.at[name.size - 1] == ']' &&
               all_in(prosa_bytes(name.at + 1, name.size - 2), "0123456789abcdef:.");
    return all_in(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
}

static uint64_t load(struct prosa_bytes value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++)
        number = number << 8 | value.at[i];
    return number;
}

static size_t integer_size(enum prosa_kind kind) /* 0: no integer */
{
    return kind <= PROSA_KIND_U64 ? (size_t)1 << kind : 0;
}

#define NICK "abcdefghijklmnopqrstuvwxyz0123456789_-"

uint16_t value_fault(const struct prosa_field_spec *row, struct prosa_bytes value)
{
    bool is_good = true;
    size_t size = integer_size(row->kind);
    if (size)
        return value.size == size && load(value) >= row->min && load(value) <= row->max
                   ? 0
                   : PROSA_CODE_BAD_FRAME;
    if (value.size < row->min || value.size > row->max)
        return PROSA_CODE_BAD_FRAME;
    if (row->kind == PROSA_KIND_UTF8)
        return is_utf8(value) && !memchr(value.at, 0, value.size) ? 0 : PROSA_CODE_BAD_TEXT;
    if (row->kind == PROSA_KIND_VERSIONS)
        for (size_t i = 0; i < value.size; i++)
            is_good = is_good && value.at[i] > (i ? value.at[i - 1] : 0);
    else if (row->kind == PROSA_KIND_NICK)
        is_good = all_in(value, NICK);
    else if (row->kind == PROSA_KIND_ROOM && value.at[0] == '@')
        is_good = all_in(prosa_bytes(value.at + 1, value.size - 1), NICK);
    else if (row->kind == PROSA_KIND_ROOM)
        is_good = value.size <= 32 && all_in(value, NICK);
    else if (row->kind == PROSA_KIND_TARGET)
        is_good = is_target(value);
    else if (row->kind == PROSA_KIND_CLAUSE)
        is_good = all_in(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return is_good ? 0 : PROSA_CODE_BAD_FRAME;
}

/* --- fields of a frame ------------------------------------------------------------------- */

static struct prosa_bytes field_at(struct prosa_bytes octets, size_t at)
{
    return prosa_bytes(octets.at + at + 4, prosa_load_u16(octets.at + at + 2));
}

struct prosa_bytes field(const struct frame *frame, uint16_t tag)
{
    for (size_t at = PROSA_HEADER_SIZE; at < frame->octets.size; at += 4 + field_at(frame->octets, at).size)
        if (prosa_load_u16(frame->octets.at + at) == tag)
            return field_at(frame->octets, at);
    return prosa_bytes(NULL, 0);
}

bool has(const struct frame *frame, uint16_t tag)
{
    return field(frame, tag).at != NULL;
}

uint64_t number(const struct frame *frame, uint16_t tag)
{
    return load(field(frame, tag));
}

bool is(const struct frame *frame, uint16_t tag, const void *octets, size_t size)
{
    return prosa_bytes_equal(field(frame, tag), prosa_bytes(octets, size));
}

struct prosa_bytes before(const struct frame *frame, uint16_t tag)
{
    size_t at = PROSA_HEADER_SIZE;
    while (at < frame->octets.size && prosa_load_u16(frame->octets.at + at) < tag)
        at += 4 + field_at(frame->octets, at).size;
    return prosa_bytes(frame->octets.at + PROSA_HEADER_SIZE, at - PROSA_HEADER_SIZE);
}

/* --- decoding ---------------------------------------------------------------------------- */

/* Whether this tag may stand here at all, after the tag `last` and `count` fields. */
static bool check_tag(const struct prosa_frame_spec *row, uint16_t tag, uint16_t last, size_t count,
                      struct fault *fault)
{
    bool is_publish = row->type == PROSA_FRAME_PUBLISH;
    size_t most = is_publish ? PROSA_MAX_PUBLISH_FIELDS : PROSA_MAX_FIELDS;
    if (last == PROSA_HANDSHAKE_SIG_TAG)
        return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-25");
    if (tag == 0)
        return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-17");
    if (tag <= last)
        return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-16");
    if (count >= most || (is_publish && tag > PROSA_AUTHOR_SIG_TAG))
        return refuse(fault, PROSA_CODE_BAD_FRAME, is_publish ? "MSG-09" : "WIRE-18");
    if (tag > PROSA_SERVER_ZONE_LAST && place_in(row, PROSA_HANDSHAKE_SIG_TAG) < 0)
        return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-24");
    return true;
}

/* The fields that a frame must have, and those that stand together or not at all (section 3.6). */
static bool check_together(const struct frame *frame, enum prosa_sender sender, uint32_t there,
                           struct fault *fault)
{
    if (frame->row->required & ~there)
        return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-20");
    for (size_t i = 0; i < PROSA_RULES_COUNT; i++) {
        const struct prosa_rule_spec *rule = &prosa_registry_rules[i];
        if (rule->type != frame->type || !(rule->from & sender) || (rule->if_present & ~there))
            continue;
        uint64_t when = rule->when_tag ? number(frame, rule->when_tag) : 0;
        if (rule->when_tag && (when > 31 || !(rule->when_values >> when & 1)))
            continue;
        if ((rule->required & ~there) || (rule->forbidden & there))
            return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-20");
    }
    return true;
}

static bool decode_fields(struct frame *frame, enum prosa_sender sender, struct fault *fault)
{
    // >>> framing WIRE-16 WIRE-19 WIRE-21 WIRE-22 WIRE-23 | go from field to field: tag and length in two
    // octets each,
    //     then the value (value_fault); collect in a set of bits which fields of the row are there
    //     (check_together)
    struct prosa_bytes octets = frame->octets;
    uint32_t there = 0;
    uint16_t last = 0;
    size_t count = 0;
    for (size_t at = PROSA_HEADER_SIZE; at < octets.size; count++) {
        if (octets.size - at < 4)
            return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-19");
        uint16_t tag = prosa_load_u16(octets.at + at);
        struct prosa_bytes value = field_at(octets, at);
        int place = place_in(frame->row, tag);
        if (!check_tag(frame->row, tag, last, count, fault))
            return false;
        if (place < 0 && tag % 2 == 0) {
            if (frame->type != PROSA_FRAME_DELIVER || tag >= PROSA_AUTHOR_SIG_TAG)
                return refuse(fault, PROSA_CODE_UNSUPPORTED, "WIRE-23");
            frame->is_displayable = false;
        }
        if (value.size > octets.size - at - 4)
            return refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-19");
        uint16_t code = place < 0 ? 0 : value_fault(frame->row->fields[place], value);
        if (code)
            return refuse(fault, code, "WIRE-21");
        if (place >= 0)
            there |= UINT32_C(1) << place;
        at += 4 + value.size;
        last = tag;
    }
    return check_together(frame, sender, there, fault);
    // <<<
}

enum decoded decode(struct prosa_bytes octets, enum prosa_sender sender, size_t cap, admit_fn *admit,
                    void *who, struct frame *frame, struct fault *fault)
{
    *frame = (struct frame){.is_displayable = true};
    // >>> framing WIRE-01 WIRE-05 WIRE-06 WIRE-10 WIRE-14 | judge the header (magic, version, length, type,
    // in this
    //     order), and give back a frame when all of its octets are here
    static const uint8_t magic[2] = {PROSA_MAGIC >> 8, PROSA_MAGIC & 0xFF};
    if (octets.size == 0)
        return PARTIAL;
    if (memcmp(octets.at, magic, octets.size < 2 ? octets.size : 2) != 0) {
        refuse(fault, PROSA_CODE_BAD_FRAME, "WIRE-02");
        return FAULTY;
    }
    if (octets.size < PROSA_HEADER_SIZE)
        return PARTIAL;
    size_t length = prosa_load_u32(octets.at + 4);
    frame->type = octets.at[3];
    frame->row = frame_row(frame->type);
    size_t room_for_server = frame->type == PROSA_FRAME_PUBLISH ? PROSA_PUBLISH_HEADROOM : 0;
    bool is_good = true;
    if (octets.at[2] != PROSA_VERSION)
        is_good = refuse(fault, PROSA_CODE_UNSUPPORTED, "WIRE-04");
    else if (length > cap)
        is_good = refuse(fault, PROSA_CODE_TOO_LARGE, "WIRE-06");
    else if (!admit(who, frame->type, frame->row, fault))
        is_good = false;
    else if (!frame->row && frame->type % 2 == 0)
        is_good = refuse(fault, PROSA_CODE_UNSUPPORTED, "WIRE-14");
    else if (length > cap - room_for_server)
        is_good = refuse(fault, PROSA_CODE_TOO_LARGE, "MSG-10");
    if (!is_good)
        return FAULTY;
    if (octets.size - PROSA_HEADER_SIZE < length)
        return PARTIAL;
    frame->octets = prosa_bytes(octets.at, PROSA_HEADER_SIZE + length);
    return !frame->row || decode_fields(frame, sender, fault) ? FRAME : FAULTY;
    // <<<
}

/* --- encoding ---------------------------------------------------------------------------- */

void begin(struct body *body)
{
    body->size = PROSA_HEADER_SIZE;
}

void put(struct body *body, uint16_t tag, const void *octets, size_t size)
{
    // >>> framing WIRE-05 WIRE-16 | behind what is there: the tag in two octets, the length in two, the value
    if (size > UINT16_MAX || size + 4 > sizeof body->at - body->size)
        abort(); /* nothing that is written here can be so long */
    prosa_store_u16(body->at + body->size, tag);
    prosa_store_u16(body->at + body->size + 2, (uint16_t)size);
    if (size)
        memcpy(body->at + body->size + 4, octets, size);
    body->size += 4 + size;
    // <<<
}

void put_number(struct body *body, uint16_t tag, uint64_t value)
{
    uint8_t octets[8];
    size_t size = integer_size(field_row(tag)->kind);
    prosa_store_u64(octets, value);
    put(body, tag, octets + sizeof octets - size, size);
}

void put_text(struct body *body, uint16_t tag, const char *text)
{
    put(body, tag, text, strlen(text));
}

struct prosa_bytes fields_of(const struct body *body)
{
    return prosa_bytes(body->at + PROSA_HEADER_SIZE, body->size - PROSA_HEADER_SIZE);
}

struct prosa_bytes finish(struct body *body, uint8_t type)
{
    // >>> framing WIRE-01 WIRE-05 | the header of eight octets: magic, version, type, and the length of the
    // fields
    prosa_store_u16(body->at, PROSA_MAGIC);
    body->at[2] = PROSA_VERSION;
    body->at[3] = type;
    prosa_store_u32(body->at + 4, (uint32_t)(body->size - PROSA_HEADER_SIZE));
    return prosa_bytes(body->at, body->size);
    // <<<
}

void left_to_write(const char *words)
{
    fprintf(stderr, "stopped: %s\n", words);
    exit(EXIT_FAILURE);
}
