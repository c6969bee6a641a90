// SPDX-License-Identifier: MIT
package prosa;

/** Something wrong: the code for the ERROR, the clause, and the fields that name the culprit. */
@SuppressWarnings("serial") // nobody stores one
final class Fault extends RuntimeException {
    final String name;
    final int code;
    final String clause;
    Fields about = new Fields();

    Fault(String name, String clause, String reason) {
        super(reason, null, false, false);
        this.name = name;
        this.code = Wire.CODE.get(name);
        this.clause = clause;
    }

    Fault(String name, String clause) {
        this(name, clause, name.toLowerCase().replace('_', ' '));
    }

    static void need(boolean good, String name, String clause) {
        if (!good) throw new Fault(name, clause);
    }

    static void need(boolean good, String name, String clause, String reason) {
        if (!good) throw new Fault(name, clause, reason);
    }

    /** ERR-04, ERR-05: classes 04 and 05 leave the connection as it is, all others end it. */
    static boolean isFatal(long code) {
        return code >> 8 != 4 && code >> 8 != 5;
    }
}
