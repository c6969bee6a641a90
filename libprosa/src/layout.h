/* SPDX-License-Identifier: MIT */
/*
 * layout: where the fields of the registry live in struct prosa_message. Only data, generated into
 * layout.c, so that one loop decodes and one encodes every frame. Internal to message.
 */
#ifndef PROSA_LAYOUT_H
#define PROSA_LAYOUT_H

#include <prosa/message.h>

struct prosa_layout {
    size_t value; /* offset of the member; its C type follows from the field's kind */
    size_t has;   /* offset of its has_ flag; PROSA_LAYOUT_REQUIRED: there is none */
};

#define PROSA_LAYOUT_REQUIRED SIZE_MAX

/* In the order of prosa_registry_frames; each list in the order of that row's fields. */
extern const struct prosa_layout *const prosa_layouts[PROSA_FRAMES_COUNT];

#endif
