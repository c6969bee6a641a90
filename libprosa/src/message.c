/* SPDX-License-Identifier: MIT */
#include <prosa/message.h>

#include "layout.h"
#include "value.h"

/* A frame type with everything that the tables say about it. */
struct row {
    const struct prosa_frame_spec *spec;
    const struct prosa_layout *layout;
};

/* False when the registry lacks the type. */
static bool find_row(uint8_t type, struct row *row)
{
    const struct prosa_frame_spec *spec = prosa_frame_spec_find(type);
    if (spec == NULL)
        return false;
    *row = (struct row){spec, prosa_layouts[spec - prosa_registry_frames]};
    return true;
}

/* The place of a tag among the fields of a row; field_count when it is not one of them. */
static size_t find_field(const struct row *row, uint16_t tag)
{
    size_t i = 0;
    while (i < row->spec->field_count && row->spec->fields[i]->tag != tag)
        i++;
    return i;
}

/* --- struct members: offsets to values -------------------------------------------------------- */

static void store_member(struct prosa_message *message, const struct prosa_layout *layout,
                         enum prosa_kind kind, struct prosa_bytes value)
{
    unsigned char *member = (unsigned char *)message + layout->value;
    const bool has = true;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    if (layout->has != PROSA_LAYOUT_REQUIRED)
        memcpy((unsigned char *)message + layout->has, &has, sizeof has);
    switch (kind) {
    case PROSA_KIND_U8:
        *member = value.at[0];
        break;
    case PROSA_KIND_U16:
        u16 = prosa_load_u16(value.at);
        memcpy(member, &u16, sizeof u16);
        break;
    case PROSA_KIND_U32:
        u32 = prosa_load_u32(value.at);
        memcpy(member, &u32, sizeof u32);
        break;
    case PROSA_KIND_U64:
        u64 = prosa_load_u64(value.at);
        memcpy(member, &u64, sizeof u64);
        break;
    case PROSA_KIND_KEY:
    case PROSA_KIND_HASH:
    case PROSA_KIND_SIG:
    case PROSA_KIND_NONCE:
    case PROSA_KIND_EPOCH:
        memcpy(member, &value.at, sizeof value.at);
        break;
    default:
        memcpy(member, &value, sizeof value);
        break;
    }
}

static bool has_member(const struct prosa_message *message, const struct prosa_layout *layout)
{
    bool has = true;
    if (layout->has != PROSA_LAYOUT_REQUIRED)
        memcpy(&has, (const unsigned char *)message + layout->has, sizeof has);
    return has;
}

static struct prosa_bytes store_integer(uint8_t out[static 8], uint64_t number, size_t size)
{
    uint8_t octets[8];
    prosa_store_u64(octets, number);
    memcpy(out, octets + 8 - size, size);
    return prosa_bytes(out, size);
}

/* The octets of a member; those of an integer are made in `scratch`. */
static struct prosa_bytes load_member(const struct prosa_message *message, const struct prosa_layout *layout,
                                      const struct prosa_field_spec *spec, uint8_t scratch[static 8])
{
    const unsigned char *member = (const unsigned char *)message + layout->value;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    struct prosa_bytes octets;

    switch (spec->kind) {
    case PROSA_KIND_U8:
        return store_integer(scratch, *member, 1);
    case PROSA_KIND_U16:
        memcpy(&u16, member, sizeof u16);
        return store_integer(scratch, u16, sizeof u16);
    case PROSA_KIND_U32:
        memcpy(&u32, member, sizeof u32);
        return store_integer(scratch, u32, sizeof u32);
    case PROSA_KIND_U64:
        memcpy(&u64, member, sizeof u64);
        return store_integer(scratch, u64, sizeof u64);
    case PROSA_KIND_KEY:
    case PROSA_KIND_HASH:
    case PROSA_KIND_SIG:
    case PROSA_KIND_NONCE:
    case PROSA_KIND_EPOCH:
        memcpy(&octets.at, member, sizeof octets.at);
        octets.size = octets.at == NULL ? 0 : (size_t)spec->max;
        return octets;
    default:
        memcpy(&octets, member, sizeof octets);
        return octets;
    }
}

/* --- decode ----------------------------------------------------------------------------------- */

/* Bit i of the result stands for field i of the row, as in the registry's sets. */
static enum prosa_status take_field(const struct row *row, const struct prosa_field *field,
                                    struct prosa_message *message, uint32_t *present)
{
    size_t i = find_field(row, field->tag);
    if (i < row->spec->field_count) {
        const struct prosa_field_spec *spec = row->spec->fields[i];
        enum prosa_status status = prosa_value_check(spec, field->value);
        if (status != PROSA_OK)
            return status;
        store_member(message, &row->layout[i], spec->kind, field->value);
        *present |= UINT32_C(1) << i;
        return PROSA_OK;
    }
    if (!prosa_is_critical(field->tag))
        return PROSA_OK; /* [WIRE-22] */
    if (message->type != PROSA_FRAME_DELIVER || field->tag > PROSA_AUTHOR_ZONE_LAST)
        return PROSA_ERR_UNSUPPORTED; /* [WIRE-23] */
    message->displayable = false;     /* [MSG-14] */
    return PROSA_OK;
}

static bool rule_applies(const struct prosa_rule_spec *rule, const struct row *row,
                         const struct prosa_message *message, enum prosa_sender from, uint32_t present)
{
    if (rule->type != message->type || (rule->from & from) == 0)
        return false;
    if ((present & rule->if_present) != rule->if_present)
        return false;
    if (rule->when_tag == 0)
        return true;
    size_t i = find_field(row, (uint16_t)rule->when_tag);
    uint8_t value = *((const unsigned char *)message + row->layout[i].value);
    return value < 32 && (rule->when_values >> value & 1) != 0;
}

/* [WIRE-20], [WIRE-30] to [WIRE-33]. */
static enum prosa_status check_presence(const struct row *row, const struct prosa_message *message,
                                        enum prosa_sender from, uint32_t present)
{
    if ((present & row->spec->required) != row->spec->required)
        return PROSA_ERR_BAD_FRAME;
    for (size_t i = 0; i < PROSA_RULES_COUNT; i++) {
        const struct prosa_rule_spec *rule = &prosa_registry_rules[i];
        if (!rule_applies(rule, row, message, from, present))
            continue;
        if ((present & rule->required) != rule->required || (present & rule->forbidden) != 0)
            return PROSA_ERR_BAD_FRAME;
    }
    return PROSA_OK;
}

enum prosa_status prosa_message_decode(const struct prosa_frame *frame, enum prosa_sender from,
                                       struct prosa_message *message)
{
    struct row row;
    struct prosa_field_walk walk;
    struct prosa_field field;
    uint32_t present = 0;
    enum prosa_status status;

    if (!find_row(frame->type, &row))
        return PROSA_ERR_CALL;
    memset(message, 0, sizeof *message);
    message->type = frame->type;
    message->displayable = true;
    message->body = frame->body;
    prosa_field_walk_init(&walk, frame->type, frame->body);
    while ((status = prosa_field_next(&walk, &field)) == PROSA_OK) {
        status = take_field(&row, &field, message, &present);
        if (status != PROSA_OK)
            return status;
    }
    if (status != PROSA_END)
        return status;
    return check_presence(&row, message, from, present);
}

/* --- encode ----------------------------------------------------------------------------------- */

/* A value too long for the length does not fit into a frame, either: the result is refused. */
static void write_field(struct prosa_writer *writer, uint16_t tag, struct prosa_bytes value)
{
    prosa_write_u16(writer, tag);
    prosa_write_u16(writer, (uint16_t)value.size);
    prosa_write_bytes(writer, value);
}

/* Moves on to the next extra field that the row does not list; false when there is none left. */
static bool next_extra(const struct row *row, struct prosa_reader *extra, uint16_t *tag,
                       struct prosa_bytes *value)
{
    while (extra->left > 0 && !extra->failed) {
        *tag = prosa_read_u16(extra);
        *value = prosa_read_bytes(extra, prosa_read_u16(extra));
        if (!extra->failed && find_field(row, *tag) == row->spec->field_count)
            return true;
    }
    return false;
}

/* Merges the members of the message with the extra fields, both ascending. */
static void write_fields(struct prosa_writer *writer, const struct row *row,
                         const struct prosa_message *message, struct prosa_reader *extra)
{
    uint16_t extra_tag = 0;
    struct prosa_bytes extra_value;
    bool has_extra = next_extra(row, extra, &extra_tag, &extra_value);

    for (size_t i = 0; i < row->spec->field_count; i++) {
        const struct prosa_field_spec *spec = row->spec->fields[i];
        uint8_t scratch[8];
        while (has_extra && extra_tag < spec->tag) {
            write_field(writer, extra_tag, extra_value);
            has_extra = next_extra(row, extra, &extra_tag, &extra_value);
        }
        if (has_member(message, &row->layout[i]))
            write_field(writer, spec->tag, load_member(message, &row->layout[i], spec, scratch));
    }
    while (has_extra) {
        write_field(writer, extra_tag, extra_value);
        has_extra = next_extra(row, extra, &extra_tag, &extra_value);
    }
}

/* What this encoder writes a decoder accepts, from one sender or the other. */
static bool is_acceptable(struct prosa_bytes octets)
{
    struct prosa_frame frame;
    struct prosa_message message;

    return prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, &frame) == PROSA_OK &&
           (prosa_message_decode(&frame, PROSA_FROM_CLIENT, &message) == PROSA_OK ||
            prosa_message_decode(&frame, PROSA_FROM_SERVER, &message) == PROSA_OK);
}

enum prosa_status prosa_message_encode(const struct prosa_message *message, struct prosa_bytes extra,
                                       uint8_t *out, size_t cap, size_t *size)
{
    struct row row;
    struct prosa_writer writer;
    struct prosa_reader reader;

    if (!find_row(message->type, &row))
        return PROSA_ERR_CALL;
    if (cap < PROSA_HEADER_SIZE)
        return PROSA_ERR_NO_SPACE;
    prosa_writer_init(&writer, out + PROSA_HEADER_SIZE, cap - PROSA_HEADER_SIZE);
    prosa_reader_init(&reader, extra);
    write_fields(&writer, &row, message, &reader);
    if (reader.failed)
        return PROSA_ERR_CALL;
    if (writer.failed) /* with room for any frame, the message itself is too large */
        return cap < PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING ? PROSA_ERR_NO_SPACE : PROSA_ERR_CALL;
    prosa_frame_header(out, message->type, (uint32_t)writer.size);
    *size = PROSA_HEADER_SIZE + writer.size;
    return is_acceptable(prosa_bytes(out, *size)) ? PROSA_OK : PROSA_ERR_CALL;
}

enum prosa_status prosa_deliver_encode(struct prosa_bytes publish, uint64_t room_seq, uint64_t server_time,
                                       const uint8_t *prev_hash, uint8_t *out, size_t cap, size_t *size)
{
    struct prosa_writer writer;
    uint8_t scratch[8];

    if (cap < PROSA_HEADER_SIZE)
        return PROSA_ERR_NO_SPACE;
    prosa_writer_init(&writer, out + PROSA_HEADER_SIZE, cap - PROSA_HEADER_SIZE);
    prosa_write_bytes(&writer, publish);
    write_field(&writer, PROSA_TAG_ROOM_SEQ, store_integer(scratch, room_seq, 8));
    write_field(&writer, PROSA_TAG_SERVER_TIME, store_integer(scratch, server_time, 8));
    if (prev_hash != NULL)
        write_field(&writer, PROSA_TAG_PREV_HASH, prosa_bytes(prev_hash, PROSA_HASH_SIZE));
    if (writer.failed)
        return PROSA_ERR_NO_SPACE;
    prosa_frame_header(out, PROSA_FRAME_DELIVER, (uint32_t)writer.size);
    *size = PROSA_HEADER_SIZE + writer.size;
    return PROSA_OK;
}

struct prosa_bytes prosa_author_zone(struct prosa_bytes body)
{
    return prosa_fields_before(body, PROSA_AUTHOR_ZONE_LAST + 1);
}

struct prosa_bytes prosa_publish_zone(struct prosa_bytes body)
{
    return prosa_fields_before(body, PROSA_AUTHOR_SIG_TAG + 1);
}
