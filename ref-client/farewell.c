/* SPDX-License-Identifier: MIT */
#include "farewell.h"

#include <stdio.h>

static enum exit_code exit_of_code(uint16_t code)
{
    switch (prosa_code_class(code)) {
    case PROSA_CLASS_AUTHENTICATION:
        return EXIT_AUTHENTICATION;
    case PROSA_CLASS_GOING_AWAY:
        return code == PROSA_CODE_NORMAL ? EXIT_GOOD : EXIT_WENT_AWAY;
    default:
        return EXIT_PROTOCOL;
    }
}

/* "NAME: the peer's words, or those of the registry". */
static void explain(const struct prosa_ended *ended, const char *who, char out[static FAREWELL_SIZE])
{
    const char *name = prosa_code_name(ended->code);
    char number[8];
    struct prosa_bytes words = ended->reason;

    if (name == NULL) {
        snprintf(number, sizeof number, "0x%04x", ended->code);
        name = number;
        words = words.size > 0 ? words : prosa_bytes_of_string("a code that this client does not know");
    } else if (words.size == 0) {
        words = prosa_bytes_of_string(prosa_status_text((enum prosa_status)(-(int)ended->code)));
    }
    snprintf(out, FAREWELL_SIZE, "%s: %s: %.*s", who, name, (int)words.size, (const char *)words.at);
}

static void explain_silence(uint32_t silence_ms, char out[static FAREWELL_SIZE])
{
    if (silence_ms % 1000 == 0) {
        snprintf(out, FAREWELL_SIZE, "the server fell silent for %u s", (unsigned)silence_ms / 1000);
    } else {
        snprintf(out, FAREWELL_SIZE, "the server fell silent for %u ms", (unsigned)silence_ms);
    }
}

struct farewell farewell_of(const struct prosa_ended *ended)
{
    struct farewell farewell = {.exit = EXIT_VANISHED, .how = "error"};
    switch (ended->how) {
    case PROSA_ENDING_GOODBYE:
        farewell.exit = exit_of_code(ended->code);
        farewell.how = "goodbye";
        if (ended->from_peer) {
            explain(ended, "the server said goodbye", farewell.reason);
        } else {
            snprintf(farewell.reason, FAREWELL_SIZE, "you said goodbye");
        }
        break;
    case PROSA_ENDING_ERROR:
        farewell.exit = exit_of_code(ended->code);
        explain(ended, ended->from_peer ? "the server ended the session" : "this client ended the session",
                farewell.reason);
        break;
    case PROSA_ENDING_EOF:
        farewell.how = "eof";
        snprintf(farewell.reason, FAREWELL_SIZE,
                 "the server vanished: the connection ended without a goodbye");
        break;
    case PROSA_ENDING_RESET:
        farewell.how = "reset";
        snprintf(farewell.reason, FAREWELL_SIZE,
                 "the server vanished: the connection was reset without a goodbye");
        break;
    case PROSA_ENDING_SILENCE:
        farewell.how = "silence";
        explain_silence(ended->silence_ms, farewell.reason);
        break;
    case PROSA_ENDING_QUIET:
        farewell.exit = EXIT_PROTOCOL;
        snprintf(farewell.reason, FAREWELL_SIZE, "what answers there does not speak PROSA/1");
        break;
    }
    return farewell;
}
