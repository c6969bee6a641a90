/* SPDX-License-Identifier: MIT */
#include <prosa/status.h>

static const struct prosa_code_spec *find_code(uint16_t code)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++)
        if (prosa_registry_codes[i].code == code)
            return &prosa_registry_codes[i];
    return NULL;
}

/* The code that the number of a status stands for, 0 for those that are never sent. */
static uint16_t sent_code(enum prosa_status status)
{
    return status < -0xFF ? (uint16_t)-status : 0;
}

uint16_t prosa_status_code(enum prosa_status status)
{
    if (status >= 0)
        return 0;
    return sent_code(status) != 0 ? sent_code(status) : PROSA_CODE_INTERNAL;
}

const char *prosa_status_name(enum prosa_status status)
{
    switch (status) {
    case PROSA_OK:
        return "OK";
    case PROSA_PARTIAL:
        return "PARTIAL";
    case PROSA_IGNORED:
        return "IGNORED";
    case PROSA_END:
        return "END";
    case PROSA_ERR_NO_SPACE:
        return "NO_SPACE";
    case PROSA_ERR_CRYPTO:
        return "CRYPTO";
    case PROSA_ERR_CALL:
        return "CALL";
    default:
        break;
    }
    const char *name = prosa_code_name(sent_code(status));
    return name != NULL ? name : "UNKNOWN";
}

const char *prosa_status_text(enum prosa_status status)
{
    switch (status) {
    case PROSA_OK:
        return "good";
    case PROSA_PARTIAL:
        return "more octets are needed";
    case PROSA_IGNORED:
        return "whole, and nothing to be done about it";
    case PROSA_END:
        return "there is no more";
    case PROSA_ERR_NO_SPACE:
        return "the buffer is too small";
    case PROSA_ERR_CRYPTO:
        return "the cryptographic library is unfit: it accepts what PROSA/1 refuses, or the reverse";
    case PROSA_ERR_CALL:
        return "the caller broke the contract of the function";
    default:
        break;
    }
    const struct prosa_code_spec *row = find_code(sent_code(status));
    return row != NULL ? row->text : "not a status of this library";
}

const char *prosa_code_name(uint16_t code)
{
    const struct prosa_code_spec *row = find_code(code);
    return row != NULL ? row->name : NULL;
}

bool prosa_code_closes(uint16_t code)
{
    for (size_t i = 0; i < PROSA_CLASSES_COUNT; i++)
        if (prosa_registry_classes[i].value == prosa_code_class(code))
            return prosa_registry_classes[i].closes;
    return true;
}
