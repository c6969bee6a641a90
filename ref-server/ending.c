/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include "log.h"

static const char *how_in_words(const struct prosa_ended *ended)
{
    switch (ended->how) {
    case PROSA_ENDING_GOODBYE:
        return ended->from_peer ? "said goodbye" : "was told goodbye";
    case PROSA_ENDING_ERROR:
        if (prosa_code_class(ended->code) == PROSA_CLASS_GOING_AWAY && !ended->from_peer) {
            return "could not be served";
        }
        return ended->from_peer ? "reported an error" : "broke the protocol";
    case PROSA_ENDING_EOF:
        return "vanished without a goodbye";
    case PROSA_ENDING_RESET:
        return "vanished, the connection was reset";
    case PROSA_ENDING_SILENCE:
        return "fell silent";
    case PROSA_ENDING_QUIET:
        break;
    }
    return "spoke no PROSA";
}

static void count_refusal(struct hub *hub, const struct prosa_ended *ended)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT && !ended->from_peer; i++) {
        hub->stats.refused[i] += prosa_registry_codes[i].code == ended->code ? 1 : 0;
    }
}

void ending_tell(struct hub *hub, const struct conn *conn, const struct prosa_ended *ended)
{
    char reason[LOG_VALUE_SIZE];
    const char *name = prosa_code_name(ended->code);
    const char *code = name != NULL ? name : "-";
    const char *how = how_in_words(ended);
    count_refusal(hub, ended);
    if (!log_shows(LOG_LEVEL_INFO)) {
        return;
    }
    const struct conn_words words = conn_describe(conn);
    log_value(ended->reason, reason);
    if (conn->number == 0) {
        /* Who says hello and goodbye, such as prosa-probe, comes every few seconds for as long as we live. */
        const bool is_polite = ended->how == PROSA_ENDING_GOODBYE && ended->from_peer;
        log_flood(is_polite ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "stranger-gone",
                  "address=%s how=\"%s\" code=%s(0x%04x) reason=%s", words.address, how, code, ended->code,
                  reason);
        return;
    }
    const bool is_ours = ended->code == PROSA_CODE_INTERNAL && !ended->from_peer;
    log_event(is_ours ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "client-gone",
              "session=%llu nick=%s key=%s address=%s how=\"%s\" code=%s(0x%04x) reason=%s",
              (unsigned long long)conn->number, words.nick, words.key_suffix, words.address, how, code,
              ended->code, reason);
}
