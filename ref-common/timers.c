/* SPDX-License-Identifier: MIT */
#include "timers.h"

#include "options.h"

#include <stdio.h>

/* Longest setting: a name and ten digits. */
#define SETTING_SIZE 64

struct setting {
    const char *name;
    size_t offset;
    uint32_t min, max;
};

#define SETTING(kind, name, NAME)                                                                            \
    {                                                                                                        \
#name, offsetof(struct prosa_limits, name), PROSA_##kind##_##NAME##_MIN, PROSA_##kind##_##NAME##_MAX \
    }

static const struct setting settings[] = {
    SETTING(LIMIT, max_frame, MAX_FRAME),
    SETTING(LIMIT, max_rooms, MAX_ROOMS),
    SETTING(LIMIT, max_window, MAX_WINDOW),
    SETTING(LIMIT, token_rate, TOKEN_RATE),
    SETTING(LIMIT, token_burst, TOKEN_BURST),
    SETTING(LIMIT, member_limit, MEMBER_LIMIT),
    SETTING(LIMIT, undecided_limit, UNDECIDED_LIMIT),
    SETTING(LIMIT, output_limit, OUTPUT_LIMIT),
    SETTING(TIMER, handshake_ms, HANDSHAKE_MS),
    SETTING(TIMER, ping_after_ms, PING_AFTER_MS),
    SETTING(TIMER, dead_after_ms, DEAD_AFTER_MS),
    SETTING(TIMER, slow_ms, SLOW_MS),
    SETTING(TIMER, linger_ms, LINGER_MS),
};

#define SETTING_COUNT (sizeof settings / sizeof settings[0])

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

/* `text` is one "name=number", which is taken apart; *seen has a bit for each setting. */
static bool set_one(char *text, struct prosa_limits *limits, uint32_t *seen, char *why, size_t why_size)
{
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        snprintf(why, why_size, "timers: \"%s\" is not name=number", text);
        return false;
    }
    *equals = '\0';
    const struct setting *setting = find(text);
    if (setting == NULL) {
        snprintf(why, why_size, "timers: there is no timer or limit \"%s\"", text);
        return false;
    }
    const uint32_t bit = UINT32_C(1) << (setting - settings);
    if ((*seen & bit) != 0) {
        snprintf(why, why_size, "timers: %s is set twice", setting->name);
        return false;
    }
    uint64_t number;
    if (!number_parse(equals + 1, setting->min, setting->max, &number)) {
        snprintf(why, why_size, "timers: %s is a number from %u to %u, not \"%s\"", setting->name,
                 setting->min, setting->max, equals + 1);
        return false;
    }
    *seen |= bit;
    *(uint32_t *)(void *)((char *)limits + setting->offset) = (uint32_t)number;
    return true;
}

bool timers_parse(const char *text, struct prosa_limits *limits, char *why, size_t why_size)
{
    uint32_t seen = 0;
    for (;;) {
        char one[SETTING_SIZE];
        const size_t size = strcspn(text, ",");
        if (size >= sizeof one) {
            snprintf(why, why_size, "timers: \"%.*s...\" is not name=number", SETTING_SIZE, text);
            return false;
        }
        memcpy(one, text, size);
        one[size] = '\0';
        if (!set_one(one, limits, &seen, why, why_size)) {
            return false;
        }
        if (text[size] == '\0') {
            return true;
        }
        text += size + 1;
    }
}
