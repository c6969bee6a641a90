/* SPDX-License-Identifier: MIT */
#include <prosa/json.h>

#include "text_out.h"

static void put_string(struct prosa_text_out *out, struct prosa_bytes text)
{
    prosa_text_out_string(out, "\"");
    while (text.size > 0) {
        uint32_t code_point;
        prosa_text_next(&text, &code_point);
        if (code_point == '"' || code_point == '\\')
            prosa_text_out_string(out, "\\");
        if (prosa_text_is_unprintable(code_point))
            prosa_text_out_escape(out, code_point);
        else
            prosa_text_out_code_point(out, code_point);
    }
    prosa_text_out_string(out, "\"");
}

static void put_name(struct prosa_text_out *out, const char *name)
{
    put_string(out, prosa_bytes_of_string(name));
}

static void put_hex(struct prosa_text_out *out, struct prosa_bytes octets)
{
    prosa_text_out_string(out, "\"");
    prosa_text_out_hex(out, octets);
    prosa_text_out_string(out, "\"");
}

static void put_versions(struct prosa_text_out *out, struct prosa_bytes versions)
{
    prosa_text_out_string(out, "[");
    for (size_t i = 0; i < versions.size; i++) {
        if (i > 0)
            prosa_text_out_string(out, ",");
        prosa_text_out_decimal(out, versions.at[i]);
    }
    prosa_text_out_string(out, "]");
}

static const char *event_name(uint8_t value)
{
    for (size_t i = 0; i < PROSA_EVENTS_COUNT; i++)
        if (prosa_registry_events[i].value == value)
            return prosa_registry_events[i].name;
    return NULL;
}

/* A small integer; as its registered name if `name` is not NULL. */
static void put_number(struct prosa_text_out *out, uint64_t number, const char *name)
{
    if (name != NULL)
        put_name(out, name);
    else
        prosa_text_out_decimal(out, number);
}

static void put_value(struct prosa_text_out *out, const struct prosa_field_spec *spec,
                      struct prosa_bytes value)
{
    switch (spec->kind) {
    case PROSA_KIND_U8:
        put_number(out, value.at[0], spec->tag == PROSA_TAG_EVENT ? event_name(value.at[0]) : NULL);
        break;
    case PROSA_KIND_U16: {
        uint16_t number = prosa_load_u16(value.at);
        put_number(out, number, spec->tag == PROSA_TAG_CODE ? prosa_code_name(number) : NULL);
        break;
    }
    case PROSA_KIND_U32:
        prosa_text_out_decimal(out, prosa_load_u32(value.at));
        break;
    case PROSA_KIND_U64:
        prosa_text_out_string(out, "\"");
        prosa_text_out_decimal(out, prosa_load_u64(value.at));
        prosa_text_out_string(out, "\"");
        break;
    case PROSA_KIND_VERSIONS:
        put_versions(out, value);
        break;
    case PROSA_KIND_NICK:
    case PROSA_KIND_ROOM:
    case PROSA_KIND_TARGET:
    case PROSA_KIND_CLAUSE:
    case PROSA_KIND_UTF8:
        put_string(out, value);
        break;
    default: /* keys, hashes, signatures, opaque octets */
        put_hex(out, value);
        break;
    }
}

static void put_field(struct prosa_text_out *out, const struct prosa_frame_spec *row,
                      const struct prosa_field *field)
{
    const struct prosa_field_spec *spec = prosa_field_spec_find(row, field->tag);
    if (spec != NULL) {
        put_name(out, spec->name);
        prosa_text_out_string(out, ":");
        put_value(out, spec, field->value);
        return;
    }
    uint8_t tag[2];
    prosa_store_u16(tag, field->tag);
    prosa_text_out_string(out, "\"0x");
    prosa_text_out_hex(out, prosa_bytes(tag, sizeof tag));
    prosa_text_out_string(out, "\":");
    put_hex(out, field->value);
}

static void put_fields(struct prosa_text_out *out, const struct prosa_frame *frame,
                       const struct prosa_frame_spec *row)
{
    struct prosa_field_walk walk;
    struct prosa_field field;
    const char *separator = "";

    prosa_text_out_string(out, ",\"fields\":{");
    prosa_field_walk_init(&walk, frame->type, frame->body);
    while (prosa_field_next(&walk, &field) == PROSA_OK) {
        prosa_text_out_string(out, separator);
        put_field(out, row, &field);
        separator = ",";
    }
    prosa_text_out_string(out, "}");
}

size_t prosa_json_frame(const struct prosa_frame *frame, char *out, size_t cap)
{
    struct prosa_text_out sink;
    const struct prosa_frame_spec *row = prosa_frame_spec_find(frame->type);

    prosa_text_out_init(&sink, out, cap);
    prosa_text_out_string(&sink, "{\"frame\":");
    if (row != NULL)
        put_name(&sink, row->name);
    else
        prosa_text_out_string(&sink, "null");
    prosa_text_out_string(&sink, ",\"type\":");
    prosa_text_out_decimal(&sink, frame->type);
    prosa_text_out_string(&sink, ",\"version\":");
    prosa_text_out_decimal(&sink, frame->version);
    prosa_text_out_string(&sink, ",\"length\":");
    prosa_text_out_decimal(&sink, frame->body.size);
    if (row != NULL)
        put_fields(&sink, frame, row);
    prosa_text_out_string(&sink, "}");
    return prosa_text_out_end(&sink);
}

size_t prosa_json_string(struct prosa_bytes text, char *out, size_t cap)
{
    struct prosa_text_out sink;
    prosa_text_out_init(&sink, out, cap);
    put_string(&sink, text);
    return prosa_text_out_end(&sink);
}
