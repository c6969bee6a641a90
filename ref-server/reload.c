/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include "log.h"

#define WHY_SIZE 1024

void reload_init(struct reload *reload, int argc, char *const *argv, const struct settings *started)
{
    *reload = (struct reload){.argc = argc, .argv = argv, .started = started};
}

void reload_fini(struct reload *reload)
{
    settings_fini(&reload->latest);
}

bool reload_is_possible(const struct reload *reload)
{
    return reload->started->file.text != NULL;
}

static const char *value_text(const char *value, char out[static LOG_VALUE_SIZE])
{
    return value != NULL ? log_value(prosa_bytes_of_string(value), out) : "-";
}

static void tell(const struct settings_change *change)
{
    char before[LOG_VALUE_SIZE];
    char after[LOG_VALUE_SIZE];
    if (change->live) {
        log_event(LOG_LEVEL_INFO, "setting-changed", "name=%s was=%s is=%s", change->name,
                  value_text(change->before, before), value_text(change->after, after));
    } else {
        log_event(LOG_LEVEL_WARN, "setting-kept", "name=%s is=%s asked=%s why=\"it takes a new start\"",
                  change->name, value_text(change->before, before), value_text(change->after, after));
    }
}

/* Tells what is not as before, of those that are `live` or of the others. */
static void tell_changes(const struct settings *before, const struct settings *after, bool live)
{
    struct settings_change change;
    size_t place = 0;
    while (settings_next_change(before, after, &place, &change)) {
        if (change.live == live) {
            tell(&change);
        }
    }
}

const struct settings *reload_read(struct reload *reload)
{
    struct settings fresh;
    char why[WHY_SIZE];
    char value[LOG_VALUE_SIZE];
    const struct settings *before = reload->again ? &reload->latest : reload->started;

    if (settings_read(&fresh, reload->argc, reload->argv, why, sizeof why) != SETTINGS_GOOD) {
        log_event(LOG_LEVEL_ERROR, "reload-failed", "why=%s", log_value(prosa_bytes_of_string(why), value));
        return NULL;
    }
    tell_changes(before, &fresh, true);
    tell_changes(reload->started, &fresh, false);
    log_event(LOG_LEVEL_INFO, "reloaded", "file=%s",
              log_value(prosa_bytes_of_string(fresh.file.path), value));
    settings_fini(&reload->latest);
    reload->latest = fresh;
    reload->again = true;
    return &reload->latest;
}
