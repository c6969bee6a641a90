/* SPDX-License-Identifier: MIT */
#include "evidence.h"

#include "clock.h"
#include "files.h"
#include "hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define NAME_SIZE (PATH_MAX + 96)
#define TEXT_SIZE 2048

/* One file of the evidence; octets that are not there make none. */
static bool write_part(const char *folder, const char *name, struct prosa_bytes octets)
{
    char path[NAME_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return octets.size == 0 || file_write_whole(path, octets, false);
}

static void describe(const struct client *client, const struct room *room,
                     const struct prosa_client_event *conflict, char out[static TEXT_SIZE])
{
    char server[2 * PROSA_KEY_SIZE + 1];
    char room_id[2 * PROSA_HASH_SIZE + 1];
    char epoch[2 * PROSA_EPOCH_SIZE + 1];
    char chain[2 * PROSA_HASH_SIZE + 1] = "none";
    hex_print(prosa_bytes(client->server_key, PROSA_KEY_SIZE), server);
    hex_print(prosa_bytes(room->room_id, PROSA_HASH_SIZE), room_id);
    hex_print(prosa_bytes(conflict->room->epoch, PROSA_EPOCH_SIZE), epoch);
    if (conflict->room->chain_known) {
        hex_print(prosa_bytes(conflict->room->chain, PROSA_HASH_SIZE), chain);
    }
    snprintf(out, TEXT_SIZE,
             "The server told two histories of one room (PROSA/1, AUD-05).\n"
             "server     %s\n"
             "server_key %s\n"
             "room       %s\n"
             "room_id    %s\n"
             "epoch      %s\n"
             "computed from what was delivered: seq %" PRIu64 " chain %s\n"
             "contradicted by: the frame in \"received\", about seq %" PRIu64 "\n"
             "the last CHECKPOINT that agreed: in \"checkpoint\", if there is one\n"
             "Two CHECKPOINTs with one room_id and seq and different chains are a proof for anybody.\n",
             client->settings->target, server, room->name, room_id, epoch, conflict->room->seen_seq, chain,
             conflict->seq);
}

void evidence_keep(struct client *client, const struct room *room, const struct prosa_client_event *conflict)
{
    char folder[PATH_MAX];
    char text[TEXT_SIZE];
    struct prosa_bytes agreed = prosa_bytes(room->checkpoint, room->checkpoint_size);

    describe(client, room, conflict, text);
    const int length =
        snprintf(folder, sizeof folder, "%s/fork-%s-%" PRIu64, client->folder, room->name, clock_unix_ms());
    const bool is_stored = agreed.size > 0 || spool_checkpoint(client->spool, room->place, &agreed);
    if (length > 0 && (size_t)length < sizeof folder && folder_make(folder) && is_stored &&
        write_part(folder, "received", conflict->octets) && write_part(folder, "checkpoint", agreed) &&
        write_part(folder, "README", prosa_bytes_of_string(text))) {
        ui_say(client->ui, REPORT_ALARM,
               "THE SERVER TELLS TWO HISTORIES OF %s. Somebody changed what was said there. The evidence is "
               "in %s; ask its operator, and compare with others: /verify shows what.",
               room->name, folder);
    } else {
        ui_say(client->ui, REPORT_ALARM,
               "THE SERVER TELLS TWO HISTORIES OF %s, and the evidence cannot be kept in %s: %s", room->name,
               folder, is_stored ? strerror(errno) : spool_why(client->spool));
    }
}
