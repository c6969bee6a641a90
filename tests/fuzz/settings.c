/* SPDX-License-Identifier: MIT */
/* The server's settings: a line of words, as flags, then what stands in the file that --config names. */
#include "settings.h"

#include "file.h"

enum { WORDS = 16, LINE = 1024 };

static void check_good(struct settings *settings)
{
    const struct prosa_limits *limits = &settings->limits;
    PROMISE(settings->level >= 1 && settings->level <= 4);
    PROMISE(settings->host != NULL && settings->log_level <= LOG_LEVEL_ERROR);
    PROMISE(limits->max_frame >= PROSA_LIMIT_MAX_FRAME_MIN && limits->max_frame <= PROSA_LIMIT_MAX_FRAME_MAX);
    PROMISE(limits->max_rooms >= PROSA_LIMIT_MAX_ROOMS_MIN && limits->max_rooms <= PROSA_LIMIT_MAX_ROOMS_MAX);
    PROMISE(limits->max_window >= PROSA_LIMIT_MAX_WINDOW_MIN &&
            limits->max_window <= PROSA_LIMIT_MAX_WINDOW_MAX);
    PROMISE(limits->token_rate >= PROSA_LIMIT_TOKEN_RATE_MIN &&
            limits->token_rate <= PROSA_LIMIT_TOKEN_RATE_MAX);
    PROMISE(limits->token_burst >= PROSA_LIMIT_TOKEN_BURST_MIN &&
            limits->token_burst <= PROSA_LIMIT_TOKEN_BURST_MAX);
    PROMISE(limits->member_limit <= PROSA_LIMIT_MEMBER_LIMIT_MAX);
    PROMISE(limits->undecided_limit >= PROSA_LIMIT_UNDECIDED_LIMIT_MIN &&
            limits->undecided_limit <= PROSA_LIMIT_UNDECIDED_LIMIT_MAX);
    PROMISE(limits->output_limit >= PROSA_LIMIT_OUTPUT_LIMIT_MIN &&
            limits->output_limit <= PROSA_LIMIT_OUTPUT_LIMIT_MAX);
    PROMISE(limits->handshake_ms >= PROSA_TIMER_HANDSHAKE_MS_MIN &&
            limits->handshake_ms <= PROSA_TIMER_HANDSHAKE_MS_MAX);
    PROMISE(limits->ping_after_ms >= PROSA_TIMER_PING_AFTER_MS_MIN &&
            limits->ping_after_ms <= PROSA_TIMER_PING_AFTER_MS_MAX);
    PROMISE(limits->dead_after_ms >= PROSA_TIMER_DEAD_AFTER_MS_MIN &&
            limits->dead_after_ms <= PROSA_TIMER_DEAD_AFTER_MS_MAX);
    PROMISE(limits->slow_ms >= PROSA_TIMER_SLOW_MS_MIN && limits->slow_ms <= PROSA_TIMER_SLOW_MS_MAX);
    PROMISE(limits->linger_ms >= PROSA_TIMER_LINGER_MS_MIN && limits->linger_ms <= PROSA_TIMER_LINGER_MS_MAX);
    settings_fini(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char config[] = "--config";
    char line[LINE];
    char path[64];
    char *words[WORDS + 4] = {"prosa-server"};
    int count = 1;
    char why[512] = "";
    struct settings settings;
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    const size_t first = end == NULL ? size : (size_t)(end - data);
    snprintf(line, sizeof line, "%.*s", first < LINE ? (int)first : LINE - 1,
             first == 0 ? "" : (const char *)data);
    for (char *word = strtok(line, " "); word != NULL && count < WORDS; word = strtok(NULL, " ")) {
        if (strncmp(word, "--config", strlen("--config")) != 0) { /* other files are none of our business */
            words[count++] = word;
        }
    }
    const size_t used = end == NULL ? size : first + 1;
    snprintf(path, sizeof path, "%s", file_hold(prosa_bytes(data + used, size - used), 0600));
    if (end != NULL) {
        memmove(words + 3, words + 1, (size_t)(count - 1) * sizeof words[0]);
        words[1] = config;
        words[2] = path;
        count += 2;
    }
    words[count] = NULL;
    switch (settings_read(&settings, count, words, why, sizeof why)) {
    case SETTINGS_GOOD:
        check_good(&settings);
        break;
    case SETTINGS_HELP:
        break;
    default:
        PROMISE(why[0] != '\0');
        break;
    }
    return 0;
}
