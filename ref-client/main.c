/* SPDX-License-Identifier: MIT */
/* prosa-client: settings, key, pins, then the conversation. */
#include "chat.h"
#include "datafolder.h"
#include "files.h"
#include "keyfile.h"
#include "pins.h"
#include "settings.h"
#include "signals.h"
#include "ui.h"

#include <limits.h>
#include <stdio.h>

struct files {
    char key[PATH_MAX];
    char pins[PATH_MAX];
};

static bool name_files(const struct settings *settings, struct files *files, char *why, size_t why_size)
{
    char folder[PATH_MAX - 16];
    if (!datafolder_open(settings->data, folder, sizeof folder, why, why_size)) {
        return false;
    }
    snprintf(files->key, sizeof files->key, "%s/client.key", folder);
    snprintf(files->pins, sizeof files->pins, "%s/pins", folder);
    return true;
}

/* What cannot be mended here: the words and the last event. */
static enum chat_exit refuse(struct ui *ui, const char *why)
{
    const struct report closed = {
        .kind = REPORT_CLOSED, .exit = CHAT_SETTINGS, .reason = prosa_bytes_of_string(why)};
    ui_say(ui, REPORT_ALARM, "%s", why);
    ui_report(ui, &closed);
    return CHAT_SETTINGS;
}

static enum chat_exit run(const struct settings *settings, struct ui *ui)
{
    struct files files;
    struct prosa_keypair keypair;
    uint8_t pinned_key[PROSA_KEY_SIZE];
    bool is_made = false;
    bool is_pinned = false;
    char why[2 * PATH_MAX];

    if (prosa_sign_init() != PROSA_OK) {
        return refuse(ui, prosa_status_text(PROSA_ERR_CRYPTO));
    }
    if (!name_files(settings, &files, why, sizeof why) ||
        !pins_find(files.pins, settings->target, &is_pinned, pinned_key, why, sizeof why) ||
        !keyfile_open(files.key, &keypair, &is_made, why, sizeof why)) {
        return refuse(ui, why);
    }
    if (is_made) {
        char fingerprint[FINGERPRINT_TEXT_SIZE];
        fingerprint_format(keypair.key, fingerprint);
        ui_say(ui, REPORT_NOTE, "made your key %s, in %s", fingerprint, files.key);
    }
    const enum chat_exit exit = chat_run(settings, &keypair, is_pinned ? pinned_key : NULL, files.pins, ui);
    prosa_keypair_wipe(&keypair);
    return exit;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct ui ui;
    char why[1024];

    if (!streams_hold()) {
        return CHAT_SETTINGS;
    }
    switch (settings_read(&settings, argc, argv, why, sizeof why)) {
    case SETTINGS_GOOD:
        break;
    case SETTINGS_HELP:
        settings_help();
        return CHAT_GOOD;
    case SETTINGS_BAD:
        fprintf(stderr, "prosa-client: %s; --help tells more\n", why);
        return CHAT_SETTINGS;
    case SETTINGS_NO_LEVEL:
        fprintf(stderr, "prosa-client: %s\n", why);
        return CHAT_NO_LEVEL;
    }
    signals_init();
    ui_init(&ui, settings.is_json);
    const enum chat_exit exit = run(&settings, &ui);
    ui_fini(&ui);
    return (int)exit;
}
