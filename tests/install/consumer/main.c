/* SPDX-License-Identifier: MIT */
/* A stranger's program, with nothing but the installed library. */
#include <prosa/prosa.h>
#include <stdio.h>

int main(void)
{
    static const uint8_t octets[] = {0x50, 0x52, 1, PROSA_FRAME_PING, 0, 0, 0, 4, 0, 0xA0, 0, 0};
    struct prosa_frame frame;
    struct prosa_message message;
    if (prosa_sign_init() != PROSA_OK ||
        prosa_frame_parse(prosa_bytes(octets, sizeof octets), PROSA_MAX_FRAME_HANDSHAKE, &frame) !=
            PROSA_OK ||
        prosa_message_decode(&frame, PROSA_FROM_CLIENT, &message) != PROSA_OK)
        return 1;
    return puts(prosa_frame_spec_find(message.type)->name) < 0;
}
