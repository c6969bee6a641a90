// SPDX-License-Identifier: MIT
package prosa;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** What outlives the client: how far its room was seen, and the messages that nobody has acknowledged yet. */
final class Store {
    byte[] epoch;
    long seen;
    final TreeMap<Long, byte[]> kept = new TreeMap<>(); // the fields of a PUBLISH, by counter
    private final Path path;

    Store(Path path) {
        this.path = path;
        for (String[] words : wordsOf(path)) {
            if (words[0].equals("seen")) {
                epoch = Crypto.HEX.parseHex(words[1]);
                seen = Long.parseUnsignedLong(words[2]);
            } else {
                kept.put(Long.parseUnsignedLong(words[1]), Crypto.HEX.parseHex(words[2]));
            }
        }
    }

    void save() {
        List<String> lines = new ArrayList<>();
        lines.add("seen " + Crypto.HEX.formatHex(epoch) + " " + Long.toUnsignedString(seen));
        kept.forEach((counter, body) -> lines.add("kept " + counter + " " + Crypto.HEX.formatHex(body)));
        write(path, lines);
    }

    /** The words of each line of a file; none when there is no file. */
    static List<String[]> wordsOf(Path path) {
        try {
            return Files.exists(path) ? Files.readAllLines(path).stream().map(line -> line.split(" ")).toList() : List.of();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The whole file or none of it, whenever the program is killed. */
    static void write(Path path, List<String> lines) {
        Path half = path.resolveSibling(path.getFileName() + ".new");
        try {
            Files.write(half, lines);
            Files.move(half, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
