// SPDX-License-Identifier: MIT
package prosa;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * All that must outlive the server (RES-09), a line each: nicks, rooms, entries. What is written is safe from kill -9,
 * since the kernel has it; against a power cut one would force() it.
 */
final class Journal {
    private final FileChannel file;
    final List<String[]> lines = new ArrayList<>(); // what a former life has left

    Journal(Path path) throws IOException {
        file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        if (file.tryLock() == null) { // RES-14
            Program.end(1, "another server is using " + path + "; give each a PROSA_DATA of its own");
        }
        // Through this channel: to open and close the file once more would give up the lock, as POSIX has it.
        String text = new String(Channels.newInputStream(file).readAllBytes(), StandardCharsets.US_ASCII);
        int whole = text.lastIndexOf('\n') + 1;
        file.truncate(whole).position(whole); // a line that was cut off was never acknowledged
        text.substring(0, whole).lines().forEach(line -> lines.add(line.split(" ")));
    }

    /** A line; octets are written in hexadecimal, and none as "-". */
    void write(Object... words) {
        List<String> texts = new ArrayList<>();
        for (Object word : words) texts.add(word instanceof byte[] octets ? hex(octets) : (String) word);
        ByteBuffer line = ByteBuffer.wrap((String.join(" ", texts) + "\n").getBytes(StandardCharsets.US_ASCII));
        try {
            while (line.hasRemaining()) file.write(line);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String hex(byte[] octets) {
        return octets.length == 0 ? "-" : Crypto.HEX.formatHex(octets);
    }
}
