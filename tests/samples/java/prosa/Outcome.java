// SPDX-License-Identifier: MIT
package prosa;

import java.util.List;

/** How a connection of the client's ended: what `disconnected` and `closed` say, and whether one may come back. */
record Outcome(String how, Object code, String reason, int exit, boolean mayReturn, long afterMs) {
    private static final List<String> STAYS_AWAY = List.of("NORMAL", "REPLACED", "KICKED"); // RES-13
    static final Outcome GOODBYE = byCode("goodbye", Wire.CODE.get("NORMAL"), "the conversation is over", 0);

    /** The end that the code of a BYE or ERROR stands for [13.4]. */
    static Outcome byCode(String how, long code, String reason, long afterMs) {
        Object name = Wire.codeName(code);
        int exit = switch ((int) code >> 8) {
            case 2 -> 4;
            case 6 -> name.equals("NORMAL") ? 0 : 6;
            default -> 1;
        };
        boolean mayReturn = code >> 8 != 1 && code >> 8 != 2 && !STAYS_AWAY.contains(name);
        return new Outcome(how, name, reason, exit, mayReturn, afterMs);
    }

    static Outcome vanished(String how, String reason) {
        return new Outcome(how, null, reason, 5, true, 0);
    }

    static Outcome noConnection(String how, Object why) {
        return new Outcome(how, null, "cannot connect: " + why, 3, true, 0);
    }
}
