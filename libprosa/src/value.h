/* SPDX-License-Identifier: MIT */
/*
 * value: what the kinds of the registry allow in a field. Internal to message.
 */
#ifndef PROSA_VALUE_H
#define PROSA_VALUE_H

#include <prosa/status.h>

/* Judges length, range, alphabet and text of one value [WIRE-21]:
 * PROSA_OK, PROSA_ERR_BAD_FRAME or PROSA_ERR_BAD_TEXT. */
PROSA_NODISCARD enum prosa_status prosa_value_check(const struct prosa_field_spec *spec,
                                                    struct prosa_bytes value);

#endif
