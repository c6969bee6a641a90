// SPDX-License-Identifier: MIT
package prosa;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** What server, client and codec take from their surroundings (chapter 13). */
final class Program {
    static final String LEVEL = setting("PROSA_LEVEL", "L3");
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private static final PrintStream ERR =
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);

    private Program() {}

    static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    static boolean hasLevel(String level) {
        return LEVEL.compareTo(level) >= 0;
    }

    /** CON-03, before anything else. */
    static void checkLevel() {
        if (!LEVEL.matches("L[0-3]")) end(89, "this program has the levels L0 to L3");
    }

    /** A word for people, on stderr. */
    static void note(String text) {
        ERR.println(Json.visible(text));
    }

    /** Ends the program at once; what is to be said to others was said. */
    static void end(int code, String why) {
        if (why != null) note(why);
        Runtime.getRuntime().halt(code);
    }

    static int port() {
        String text = setting("PROSA_PORT", "65432");
        if (!text.matches("[0-9]{1,5}") || Integer.parseInt(text) > 65535) end(2, "PROSA_PORT is no port: " + text);
        return Integer.parseInt(text);
    }

    /** An address without the brackets of IPv6. */
    static String host() {
        return setting("PROSA_HOST", "127.0.0.1").replaceAll("^\\[|\\]$", "");
    }

    /** Why a line cannot be the text of a message, or null. */
    static String lineFault(byte[] line) {
        if (line.length > 4096) return "more than 4096 octets";
        return Wire.textOf(line) == null ? "not UTF-8, or U+0000" : null;
    }

    interface LineTaker {
        void take(byte[] line);
    }

    /** The lines of stdin. Only a line feed ends one; a text may hold any other character (CON-08). */
    static void readLines(LineTaker taker) {
        var line = new java.io.ByteArrayOutputStream();
        try {
            var input = new java.io.BufferedInputStream(System.in);
            for (int octet = input.read(); octet >= 0; octet = input.read()) {
                if (octet != '\n') {
                    line.write(octet);
                    continue;
                }
                taker.take(withoutReturn(line.toByteArray()));
                line.reset();
            }
        } catch (IOException error) {
            note("stdin: " + error.getMessage());
        }
        if (line.size() > 0) taker.take(withoutReturn(line.toByteArray()));
    }

    private static byte[] withoutReturn(byte[] line) {
        boolean ends = line.length > 0 && line[line.length - 1] == '\r';
        return ends ? java.util.Arrays.copyOf(line, line.length - 1) : line;
    }
}
