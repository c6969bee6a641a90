/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include "keyfile.h"

static struct prosa_bytes name_of(const struct prosa_client_room *room)
{
    return prosa_bytes(room->name, room->name_size);
}

void tell_event(struct ui *ui, enum report_kind kind, const struct prosa_client_event *event,
                const uint8_t *server_key)
{
    const struct report report = {
        .kind = kind, .event = event, .server_key = server_key, .room = name_of(event->room)};
    ui_report(ui, &report);
}

void tell_acked(struct ui *ui, struct prosa_bytes room, uint64_t reported, uint64_t acked, uint64_t acked_seq)
{
    while (reported < acked) {
        reported++;
        const struct report report = {
            .kind = REPORT_ACKED,
            .room = room,
            .counter = reported,
            /* Only of the last one the ACK says its place in the room. */
            .room_seq = reported == acked ? acked_seq : 0,
        };
        ui_report(ui, &report);
    }
}

void tell_unshown(struct ui *ui, const struct prosa_client_event *unshown)
{
    const char *reason = unshown->status == PROSA_ERR_UNSUPPORTED
                             ? "a message has a part that this client cannot display"
                             : "a message does not verify, and is not shown";
    const struct report report = {
        .kind = REPORT_ERROR,
        .room = name_of(unshown->room),
        .counter = unshown->deliver.counter,
        .code = prosa_status_code(unshown->status),
        .reason = prosa_bytes_of_string(reason),
    };
    ui_report(ui, &report);
}

void tell_received(struct ui *ui, const struct prosa_error *error, struct prosa_bytes room)
{
    const struct report report = {
        .kind = REPORT_ERROR,
        .from_server = true,
        .room = room,
        .counter = error->has_counter ? error->counter : 0,
        .code = error->code,
        .reason = error->reason,
    };
    ui_report(ui, &report);
}

void tell_fatal(struct ui *ui, const struct prosa_ended *ended)
{
    const char *meaning = prosa_status_text((enum prosa_status)(-(int)ended->code));
    const struct report report = {
        .kind = REPORT_ERROR,
        .from_server = ended->from_peer,
        .code = ended->code,
        .reason = ended->reason.size > 0 ? ended->reason : prosa_bytes_of_string(meaning),
    };
    ui_report(ui, &report);
}

void tell_own_error(struct ui *ui, uint16_t code, const char *reason)
{
    const struct report report = {
        .kind = REPORT_ERROR, .code = code, .reason = prosa_bytes_of_string(reason)};
    ui_report(ui, &report);
}

void tell_about(struct ui *ui, uint16_t code, struct prosa_bytes room, uint64_t counter, const char *reason)
{
    const struct report report = {.kind = REPORT_ERROR,
                                  .room = room,
                                  .counter = counter,
                                  .code = code,
                                  .reason = prosa_bytes_of_string(reason)};
    ui_report(ui, &report);
}

void tell_unsent(struct ui *ui, struct prosa_bytes room, uint64_t counter, struct prosa_bytes text,
                 const char *reason)
{
    const struct report report = {.kind = REPORT_ERROR,
                                  .room = room,
                                  .counter = counter,
                                  .code = PROSA_CODE_WRONG_ROOM,
                                  .text = text,
                                  .reason = prosa_bytes_of_string(reason)};
    const struct report words = {.kind = REPORT_ALARM, .reason = text};
    ui_report(ui, &report);
    ui_report(ui, &words);
}

void tell_mismatch(struct ui *ui, const char *target, const char *pins,
                   const uint8_t pinned_key[static PROSA_KEY_SIZE],
                   const uint8_t shown_key[static PROSA_KEY_SIZE])
{
    char pinned[FINGERPRINT_TEXT_SIZE];
    char shown[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(pinned_key, pinned);
    fingerprint_format(shown_key, shown);
    ui_say(ui, REPORT_ALARM,
           "THE KEY OF %s HAS CHANGED. Somebody may be between you and the server.\n"
           "pinned: %s\n"
           "shown:  %s\n"
           "If its operator confirms the new key, remove the line of %s from %s.",
           target, pinned, shown, target, pins);
}
