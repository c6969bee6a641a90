/* SPDX-License-Identifier: MIT */
#include <prosa/frame.h>

/* Each octet is judged as soon as it is there: magic, version, length [WIRE-02] to [WIRE-06]. */
static enum prosa_status check_header(struct prosa_bytes input, size_t cap)
{
    if (input.size > 0 && input.at[0] != PROSA_MAGIC >> 8)
        return PROSA_ERR_BAD_FRAME;
    if (input.size > 1 && input.at[1] != (PROSA_MAGIC & 0xFF))
        return PROSA_ERR_BAD_FRAME;
    if (input.size > 2 && input.at[2] != PROSA_VERSION)
        return PROSA_ERR_UNSUPPORTED;
    if (input.size < PROSA_HEADER_SIZE)
        return PROSA_PARTIAL;
    uint32_t length = prosa_load_u32(input.at + 4);
    if (length > cap)
        return PROSA_ERR_TOO_LARGE;
    if (input.at[3] == PROSA_FRAME_PUBLISH && cap - length < PROSA_PUBLISH_HEADROOM)
        return PROSA_ERR_TOO_LARGE; /* [MSG-10] */
    return input.size - PROSA_HEADER_SIZE < length ? PROSA_PARTIAL : PROSA_OK;
}

enum prosa_status prosa_frame_parse(struct prosa_bytes input, size_t cap, struct prosa_frame *frame)
{
    enum prosa_status status = check_header(input, cap);
    if (status != PROSA_OK)
        return status;
    size_t length = prosa_load_u32(input.at + 4);
    *frame = (struct prosa_frame){
        .version = input.at[2],
        .type = input.at[3],
        .octets = prosa_bytes(input.at, PROSA_HEADER_SIZE + length),
        .body = prosa_bytes(input.at + PROSA_HEADER_SIZE, length),
    };
    if (prosa_frame_spec_find(frame->type) != NULL)
        return PROSA_OK;
    return prosa_is_critical(frame->type) ? PROSA_ERR_UNSUPPORTED : PROSA_IGNORED; /* [WIRE-12], [WIRE-14] */
}

void prosa_frame_header(uint8_t out[static PROSA_HEADER_SIZE], uint8_t type, uint32_t length)
{
    prosa_store_u16(out, PROSA_MAGIC);
    out[2] = PROSA_VERSION;
    out[3] = type;
    prosa_store_u32(out + 4, length);
}

void prosa_field_walk_init(struct prosa_field_walk *walk, uint8_t type, struct prosa_bytes body)
{
    *walk = (struct prosa_field_walk){.type = type};
    prosa_reader_init(&walk->reader, body);
}

/* Takes tag, length and value off the reader, and fails it when they are not all there [WIRE-19]. */
static struct prosa_field read_field(struct prosa_reader *reader)
{
    const uint8_t *start = reader->at;
    struct prosa_field field = {.tag = prosa_read_u16(reader)};
    field.value = prosa_read_bytes(reader, prosa_read_u16(reader));
    field.octets = prosa_bytes(start, reader->failed ? 0 : PROSA_FIELD_HEADER_SIZE + field.value.size);
    return field;
}

static bool tag_may_stand_here(const struct prosa_field_walk *walk, uint16_t tag)
{
    bool publish = walk->type == PROSA_FRAME_PUBLISH;
    bool handshake = walk->type == PROSA_FRAME_CHALLENGE || walk->type == PROSA_FRAME_AUTH;

    if (tag <= walk->last_tag || walk->last_tag == PROSA_HANDSHAKE_SIG_TAG)
        return false; /* [WIRE-16], [WIRE-17], [WIRE-25] */
    if (walk->count >= (publish ? PROSA_MAX_PUBLISH_FIELDS : PROSA_MAX_FIELDS))
        return false; /* [WIRE-18], [MSG-09] */
    if (tag > PROSA_SERVER_ZONE_LAST && !handshake)
        return false;                               /* [WIRE-24] */
    return tag <= PROSA_AUTHOR_SIG_TAG || !publish; /* [MSG-09] */
}

enum prosa_status prosa_field_next(struct prosa_field_walk *walk, struct prosa_field *field)
{
    if (!walk->reader.failed && walk->reader.left == 0)
        return PROSA_END;
    *field = read_field(&walk->reader);
    if (!walk->reader.failed && !tag_may_stand_here(walk, field->tag))
        walk->reader.failed = true;
    if (walk->reader.failed)
        return PROSA_ERR_BAD_FRAME;
    walk->last_tag = field->tag;
    walk->count++;
    return PROSA_OK;
}

struct prosa_bytes prosa_fields_before(struct prosa_bytes body, uint16_t tag)
{
    struct prosa_reader reader;
    size_t size = 0;

    prosa_reader_init(&reader, body);
    while (reader.left > 0) {
        struct prosa_field field = read_field(&reader);
        if (reader.failed || field.tag >= tag)
            break;
        size += field.octets.size;
    }
    return prosa_bytes(body.at, size);
}

const struct prosa_frame_spec *prosa_frame_spec_find(uint8_t type)
{
    for (size_t i = 0; i < PROSA_FRAMES_COUNT; i++)
        if (prosa_registry_frames[i].type == type)
            return &prosa_registry_frames[i];
    return NULL;
}

const struct prosa_field_spec *prosa_field_spec_find(const struct prosa_frame_spec *frame, uint16_t tag)
{
    for (size_t i = 0; i < frame->field_count; i++)
        if (frame->fields[i]->tag == tag)
            return frame->fields[i];
    return NULL;
}

bool prosa_tag_is_grease(uint16_t tag)
{
    for (size_t i = 0; i < PROSA_GREASE_TAGS_COUNT; i++)
        if (prosa_registry_grease_tags[i] == tag)
            return true;
    return false;
}

bool prosa_type_is_grease(uint8_t type)
{
    for (size_t i = 0; i < PROSA_GREASE_TYPES_COUNT; i++)
        if (prosa_registry_grease_types[i] == type)
            return true;
    return false;
}
