/* SPDX-License-Identifier: MIT */
/* prosa-client: settings, key, pins, spool, then the journey. */
#include "client.h"
#include "datafolder.h"
#include "files.h"
#include "journey.h"
#include "keyfile.h"
#include "pins.h"
#include "settings.h"
#include "signals.h"

#include <stdio.h>

static bool name_files(struct client *client, char *why, size_t why_size)
{
    if (!datafolder_open(client->settings->data, client->folder, sizeof client->folder, why, why_size)) {
        return false;
    }
    snprintf(client->key, sizeof client->key, "%s/client.key", client->folder);
    snprintf(client->pins, sizeof client->pins, "%s/pins", client->folder);
    snprintf(client->messages, sizeof client->messages, "%s/messages.db", client->folder);
    return true;
}

/* What cannot be mended here: the words and the last event. */
static enum exit_code refuse(struct ui *ui, const char *why)
{
    const struct report closed = {
        .kind = REPORT_CLOSED, .exit = EXIT_SETTINGS, .reason = prosa_bytes_of_string(why)};
    ui_say(ui, REPORT_ALARM, "%s", why);
    ui_report(ui, &closed);
    return EXIT_SETTINGS;
}

/* Key, pin and spool: from the disk, as far as there is something. */
static bool remember(struct client *client, char *why, size_t why_size)
{
    bool is_made = false;
    bool is_pinned = false;
    if (!name_files(client, why, why_size) ||
        !pins_find(client->pins, client->settings->target, &is_pinned, client->server_key, why, why_size) ||
        !keyfile_open(client->key, &client->config.keypair, &is_made, why, why_size)) {
        return false;
    }
    client->config.pinned_key = is_pinned ? client->server_key : NULL;
    if (is_made) {
        char fingerprint[FINGERPRINT_TEXT_SIZE];
        fingerprint_format(client->config.keypair.key, fingerprint);
        ui_say(client->ui, REPORT_NOTE, "made your key %s, in %s", fingerprint, client->key);
    }
    client->spool = spool_open(client->settings->level > 1 ? client->messages : NULL, why, why_size);
    return client->spool != NULL;
}

static enum exit_code run(const struct settings *settings, struct ui *ui)
{
    struct client client = {
        .settings = settings,
        .ui = ui,
        .max_rooms = PROSA_LIMIT_MAX_ROOMS_DEFAULT,
        .config = {.nick = prosa_bytes_of_string(settings->nick),
                   .target = prosa_bytes_of_string(settings->target),
                   .features = PROSA_FEATURE_LIVENESS,
                   .grease = true},
    };
    char why[2 * PATH_MAX];

    if (prosa_sign_init() != PROSA_OK) {
        return refuse(ui, prosa_status_text(PROSA_ERR_CRYPTO));
    }
    if (settings->level > 1) {
        client.config.features |= PROSA_FEATURE_RESUME | PROSA_FEATURE_AUDIT;
    }
    enum exit_code exit = EXIT_SETTINGS;
    if (!remember(&client, why, sizeof why)) {
        exit = refuse(ui, why);
    } else if (rooms_add(&client.rooms, settings->room) == NULL) {
        exit = refuse(ui, "there is no memory for a room");
    } else {
        exit = journey_run(&client);
    }
    rooms_fini(&client.rooms);
    spool_close(client.spool);
    prosa_keypair_wipe(&client.config.keypair);
    return exit;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct ui ui;
    char why[1024];

    if (!streams_hold()) {
        return EXIT_SETTINGS;
    }
    switch (settings_read(&settings, argc, argv, why, sizeof why)) {
    case SETTINGS_GOOD:
        break;
    case SETTINGS_HELP:
        settings_help();
        return EXIT_GOOD;
    case SETTINGS_BAD:
        fprintf(stderr, "prosa-client: %s; --help tells more\n", why);
        return EXIT_SETTINGS;
    case SETTINGS_NO_LEVEL:
        fprintf(stderr, "prosa-client: %s\n", why);
        return EXIT_NO_LEVEL;
    }
    signals_init();
    ui_init(&ui, settings.is_json ? UI_JSON : settings.is_screen ? UI_SCREEN : UI_PROMPT);
    const enum exit_code exit = run(&settings, &ui);
    ui_fini(&ui);
    return (int)exit;
}
