/* SPDX-License-Identifier: MIT */
#include "frames.h"

enum { FIELDS_ROOM = 40 };

/* Names that the sessions of the targets know; numbers at which something changes. */
static const char *const names[] = {"@host", "general", "lab", "ada", "bob", "host", "-", "@", "@admin"};
static const uint64_t numbers[] = {
    0,         1,    2,     3,     4,        7,        8,         9,          15,        16,
    31,        32,   33,    63,    64,       65,       127,       255,        256,       1024,
    4095,      8192, 16384, 65535, 1u << 16, 1u << 20, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 1,
    UINT64_MAX};
static const char *const texts[] = {
    "a",       "hello", "\xc3\xa9\xe2\x82\xac", "\xf0\x9f\x91\x8b", "\x1b[2J\x07", "\xe2\x80\xae\xe2\x81\xa6",
    "\\u0041", "\xc3(", "\xed\xa0\x80"};

struct field {
    uint16_t tag;
    struct prosa_bytes value;
};

/* --- values ----------------------------------------------------------------------------------- */

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

static void store(uint8_t *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(number >> 8 * (size - 1 - i));
    }
}

static uint16_t any_code(struct dice *dice)
{
    return prosa_registry_codes[dice_below(dice, PROSA_CODES_COUNT)].code;
}

static uint64_t make_number(struct dice *dice, const struct prosa_field_spec *spec)
{
    const uint64_t any = (uint64_t)dice_any(dice) << 32 | dice_any(dice);
    if (spec->tag == PROSA_TAG_CODE && !dice_one_in(dice, 8)) {
        return any_code(dice);
    }
    switch (dice_below(dice, 8)) {
    case 0:
        return spec->min;
    case 1:
        return spec->max;
    case 2:
        return dice_one_in(dice, 2) ? spec->min - 1 : spec->max + 1;
    case 3:
        return spec->max == UINT64_MAX ? any : spec->min + any % (spec->max - spec->min + 1);
    case 4:
        return numbers[dice_below(dice, sizeof numbers / sizeof numbers[0])];
    default:
        return spec->min + any % 6;
    }
}

/* `count` octets of an alphabet that all names share. */
static void make_letters(struct dice *dice, uint8_t *out, size_t count)
{
    static const char letters[] = "abcxyz0189_-";
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)letters[dice_below(dice, sizeof letters - 1)];
    }
}

static size_t take_text(const char *text, uint8_t *out)
{
    const struct prosa_bytes octets = prosa_bytes_of_string(text);
    memcpy(out, octets.at, octets.size);
    return octets.size;
}

static size_t make_length(struct dice *dice, const struct prosa_field_spec *spec, size_t room)
{
    const uint64_t most = spec->max < room ? spec->max : room;
    switch (dice_below(dice, 12)) {
    case 0:
        return (size_t)spec->min;
    case 1:
        return (size_t)most;
    case 2:
        return (size_t)(spec->min + dice_below(dice, (size_t)(most - spec->min + 1)));
    case 3:
        return spec->min > 0 ? (size_t)spec->min - 1 : most < room ? (size_t)most + 1 : (size_t)most;
    default:
        return (size_t)(spec->min +
                        dice_below(dice, most - spec->min < 8 ? (size_t)(most - spec->min + 1) : 8));
    }
}

static size_t make_utf8(struct dice *dice, const struct prosa_field_spec *spec, uint8_t *out, size_t room)
{
    const size_t size = make_length(dice, spec, room);
    if (dice_one_in(dice, 3)) {
        return take_text(texts[dice_below(dice, sizeof texts / sizeof texts[0])], out);
    }
    make_letters(dice, out, size);
    return size;
}

/* Writes a value of the field's kind, mostly one that a decoder takes; its size, at most `room`. */
static size_t make_value(struct dice *dice, const struct prosa_field_spec *spec, uint8_t *out, size_t room)
{
    size_t size = integer_size(spec->kind);
    if (size > 0) {
        store(out, make_number(dice, spec), size);
        return size;
    }
    switch (spec->kind) {
    case PROSA_KIND_VERSIONS:
        out[0] = 1;
        out[1] = dice_one_in(dice, 4) ? 1 : 2;
        return dice_one_in(dice, 2) ? 1 : 2;
    case PROSA_KIND_NICK:
    case PROSA_KIND_ROOM:
        if (!dice_one_in(dice, 4)) {
            return take_text(names[dice_below(dice, sizeof names / sizeof names[0])], out);
        }
        size = make_length(dice, spec, room);
        make_letters(dice, out, size);
        return size;
    case PROSA_KIND_TARGET:
        return take_text(dice_one_in(dice, 3) ? "[::1]:1" : "localhost:65432", out);
    case PROSA_KIND_CLAUSE:
        return take_text("FLOW-21", out);
    case PROSA_KIND_UTF8:
        return make_utf8(dice, spec, out, room);
    default: /* keys, hashes, signatures, opaque octets */
        size = make_length(dice, spec, room);
        size = size > spec->max || spec->min == spec->max ? (size_t)spec->max : size;
        memset(out, (int)dice_below(dice, 8), size);
        return size;
    }
}

/* --- frames ----------------------------------------------------------------------------------- */

static size_t join_fields(const struct field *fields, size_t count, uint8_t type, uint8_t *out, size_t cap)
{
    struct prosa_writer writer;
    if (cap < PROSA_HEADER_SIZE) {
        return 0;
    }
    prosa_writer_init(&writer, out + PROSA_HEADER_SIZE, cap - PROSA_HEADER_SIZE);
    for (size_t i = 0; i < count; i++) {
        if (writer.cap - writer.size < PROSA_FIELD_HEADER_SIZE + fields[i].value.size) {
            break;
        }
        prosa_write_u16(&writer, fields[i].tag);
        prosa_write_u16(&writer, (uint16_t)fields[i].value.size);
        prosa_write_bytes(&writer, fields[i].value);
    }
    prosa_frame_header(out, type, (uint32_t)writer.size);
    return PROSA_HEADER_SIZE + writer.size;
}

size_t frames_make(struct dice *dice, enum prosa_sender from, uint8_t out[static FRAMES_ROOM])
{
    static uint8_t memory[FRAMES_ROOM];
    struct field fields[FIELDS_ROOM];
    const struct prosa_frame_spec *row;
    size_t count = 0;
    size_t used = 0;
    do {
        row = &prosa_registry_frames[dice_below(dice, PROSA_FRAMES_COUNT)];
    } while ((row->from & from) == 0 && !dice_one_in(dice, 64));
    for (size_t i = 0; i < row->field_count; i++) {
        const bool required = (row->required >> i & 1) != 0;
        if (required ? dice_one_in(dice, 100) : dice_one_in(dice, 2)) {
            continue;
        }
        const size_t room = row->fields[i]->max > 9000 ? 9000 : 300;
        const size_t size = make_value(dice, row->fields[i], memory + used, room);
        fields[count++] = (struct field){row->fields[i]->tag, prosa_bytes(memory + used, size)};
        used += size;
    }
    return join_fields(fields, count, row->type, out, FRAMES_ROOM);
}

/* The fields as far as there are any; what is left of the octets is forgotten. */
static size_t split_fields(const uint8_t *frame, size_t size, struct field fields[static FIELDS_ROOM])
{
    struct prosa_reader reader;
    size_t count = 0;
    prosa_reader_init(&reader, prosa_bytes(frame, size));
    (void)prosa_read_bytes(&reader, PROSA_HEADER_SIZE);
    while (reader.left >= PROSA_FIELD_HEADER_SIZE && count < FIELDS_ROOM - 1) {
        struct field field = {.tag = prosa_read_u16(&reader)};
        size_t length = prosa_read_u16(&reader);
        field.value = prosa_read_bytes(&reader, length < reader.left ? length : reader.left);
        fields[count++] = field;
    }
    return count;
}

static const struct prosa_field_spec *spec_of(struct dice *dice, uint16_t tag)
{
    for (size_t i = 0; i < PROSA_FIELDS_COUNT; i++) {
        if (prosa_registry_fields[i].tag == tag) {
            return &prosa_registry_fields[i];
        }
    }
    return &prosa_registry_fields[dice_below(dice, PROSA_FIELDS_COUNT)];
}

/* The place of a field of this tag among the others. */
static size_t insert_field(struct field *fields, size_t count, struct field field)
{
    size_t at = 0;
    while (at < count && fields[at].tag < field.tag) {
        at++;
    }
    memmove(fields + at + 1, fields + at, (count - at) * sizeof *fields);
    fields[at] = field;
    return count + 1;
}

static uint16_t any_tag(struct dice *dice, const struct prosa_frame_spec *row)
{
    switch (dice_below(dice, 4)) {
    case 0:
        return prosa_registry_grease_tags[dice_below(dice, PROSA_GREASE_TAGS_COUNT)];
    case 1:
        return (uint16_t)dice_any(dice);
    case 2:
        return prosa_registry_fields[dice_below(dice, PROSA_FIELDS_COUNT)].tag;
    default:
        return row == NULL ? 1 : row->fields[dice_below(dice, row->field_count)]->tag;
    }
}

/* One field in another way; the new number of fields. */
static size_t change_fields(struct dice *dice, struct field *fields, size_t count,
                            const struct prosa_frame_spec *row, uint8_t memory[static FRAMES_ROOM])
{
    const size_t at = count == 0 ? 0 : dice_below(dice, count);
    const uint32_t action = count == 0 ? 0 : dice_below(dice, 10);
    struct field *field = &fields[at];
    if (action == 0) { /* one more */
        const uint16_t tag = any_tag(dice, row);
        const size_t size = make_value(dice, spec_of(dice, tag), memory, 300);
        return insert_field(fields, count, (struct field){tag, prosa_bytes(memory, size)});
    }
    if (action == 1) { /* one less */
        memmove(field, field + 1, (count - at - 1) * sizeof *fields);
        return count - 1;
    }
    if (action == 2) { /* out of order, or twice */
        const struct field kept = *field;
        *field = fields[dice_below(dice, count)];
        if (dice_one_in(dice, 2)) {
            fields[dice_below(dice, count)] = kept;
        }
    } else if (action <= 4) { /* octets, whatever they mean */
        const size_t size = field->value.size < 4096 ? field->value.size : 4096;
        if (size > 0) {
            memcpy(memory, field->value.at, size);
        }
        field->value = prosa_bytes(memory, LLVMFuzzerMutate(memory, size, size + 16));
    } else if (action == 5) {
        field->tag = any_tag(dice, row);
    } else { /* another value of its kind */
        const struct prosa_field_spec *spec = spec_of(dice, field->tag);
        field->value = prosa_bytes(memory, make_value(dice, spec, memory, spec->max > 9000 ? 9000 : 300));
    }
    return count;
}

/* A header that lies. */
static void change_header(struct dice *dice, uint8_t *frame, size_t size)
{
    switch (dice_below(dice, 4)) {
    case 0:
        frame[dice_below(dice, 3)] ^= (uint8_t)(1u << dice_below(dice, 8));
        break;
    case 1:
        frame[3] = (uint8_t)dice_any(dice);
        break;
    case 2:
        prosa_store_u32(frame + 4, (uint32_t)(size - PROSA_HEADER_SIZE) + dice_below(dice, 9) - 4);
        break;
    default:
        prosa_store_u32(frame + 4, (uint32_t)numbers[dice_below(dice, sizeof numbers / sizeof numbers[0])]);
        break;
    }
}

size_t frames_change(struct dice *dice, uint8_t *frame, size_t size, size_t cap)
{
    static uint8_t memory[FRAMES_ROOM];
    static uint8_t made[FRAMES_ROOM];
    struct field fields[FIELDS_ROOM];
    if (size < PROSA_HEADER_SIZE || cap < PROSA_HEADER_SIZE || dice_one_in(dice, 40)) {
        return LLVMFuzzerMutate(frame, size, cap);
    }
    const uint8_t type = frame[3];
    size_t count = split_fields(frame, size, fields);
    count = change_fields(dice, fields, count, prosa_frame_spec_find(type), memory);
    size = join_fields(fields, count, type, made, cap < sizeof made ? cap : sizeof made);
    memcpy(frame, made, size);
    if (dice_one_in(dice, 30)) {
        change_header(dice, frame, size);
    }
    return size;
}

struct prosa_bytes frames_get(const uint8_t *frame, size_t size, uint16_t tag)
{
    size_t at = PROSA_HEADER_SIZE;
    while (at + PROSA_FIELD_HEADER_SIZE <= size) {
        const size_t length = prosa_load_u16(frame + at + 2);
        const size_t value = at + PROSA_FIELD_HEADER_SIZE;
        if (length > size - value) {
            break;
        }
        if (prosa_load_u16(frame + at) == tag) {
            return prosa_bytes(frame + value, length);
        }
        at = value + length;
    }
    return prosa_bytes(NULL, 0);
}

size_t frames_set(uint8_t *frame, size_t size, size_t cap, uint16_t tag, struct prosa_bytes value)
{
    const struct prosa_bytes old = frames_get(frame, size, tag);
    if (old.at == NULL || size - old.size + value.size > cap) {
        return size;
    }
    const bool is_true = prosa_load_u32(frame + 4) == size - PROSA_HEADER_SIZE;
    const size_t at = (size_t)(old.at - frame);
    memmove(frame + at + value.size, frame + at + old.size, size - at - old.size);
    if (value.size > 0) {
        memcpy(frame + at, value.at, value.size);
    }
    prosa_store_u16(frame + at - 2, (uint16_t)value.size);
    size = size - old.size + value.size;
    if (is_true) {
        prosa_store_u32(frame + 4, (uint32_t)(size - PROSA_HEADER_SIZE));
    }
    return size;
}

void frames_hear(struct frames_heard *heard, struct prosa_bytes octets,
                 void (*take)(void *listener, const struct prosa_frame *frame), void *listener)
{
    struct prosa_frame frame;
    size_t used = 0;
    PROMISE(octets.size <= sizeof heard->octets - heard->size);
    memcpy(heard->octets + heard->size, octets.at, octets.size);
    heard->size += octets.size;
    for (;;) {
        const struct prosa_bytes rest = prosa_bytes(heard->octets + used, heard->size - used);
        const enum prosa_status status =
            rest.size == 0 ? PROSA_PARTIAL : prosa_frame_parse(rest, PROSA_MAX_FRAME_CEILING, &frame);
        PROMISE(status == PROSA_OK || status == PROSA_PARTIAL);
        if (status == PROSA_PARTIAL) {
            break;
        }
        take(listener, &frame);
        used += frame.octets.size;
    }
    memmove(heard->octets, heard->octets + used, heard->size - used);
    heard->size -= used;
}
