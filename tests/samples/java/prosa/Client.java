// SPDX-License-Identifier: MIT
package prosa;

import java.io.IOException;
import java.net.IDN;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.Security;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A PROSA/1 client of level L3 with `resume`: each line of stdin is a message to its room, sent when the limit allows
 * it. Events go to stdout as JSON, one object a line (13.4); words for people go to stderr. A connection that was lost
 * comes back by itself, and goes on where it was. This class is what goes on from one connection to the next.
 */
final class Client {
    private static final String EXIT = "exit";

    final Loop loop = new Loop();
    final String room = Program.setting("PROSA_ROOM", Room.HOST), nick = Program.setting("PROSA_NICK", "guest");
    final String target;
    final Crypto.KeyPair keys;
    final ArrayDeque<String> lines = new ArrayDeque<>(); // typed, not sent
    boolean inputEnded;
    boolean resumes; // in the last session `resume` was active
    Store store; // of this room on this server, from the first CHALLENGE on
    int attempts;
    private final Path folder = Path.of(Program.setting("PROSA_DATA", "."));
    private final String host = Program.host();
    private final int port = Program.port();
    private ClientSession session;
    private boolean waiting;

    public static void main(String[] words) throws IOException {
        Program.checkLevel();
        for (String cache : List.of("networkaddress.cache.ttl", "networkaddress.cache.negative.ttl")) {
            Security.setProperty(cache, "0"); // RES-12: the name is looked up again on every attempt
        }
        Client client = new Client();
        client.loop.readConsole(client::typed, client::inputEnded);
        client.dial();
        client.loop.run();
    }

    private Client() throws IOException {
        target = nameOf(host) + ":" + port;
        Map.of("target", target, "nick", nick, "room", room).forEach((kind, word) -> {
            if (!Wire.isWord(kind, word)) Program.end(2, "this is no " + kind + ": \"" + word + '"');
        });
        keys = Crypto.KeyPair.load(folder.resolve("client.key"));
    }

    /** ID-03: what the person typed, in the form of the wire. */
    private static String nameOf(String typed) {
        if (typed.contains(":")) return "[" + typed.toLowerCase() + "]";
        try {
            return IDN.toASCII(typed.replaceAll("\\.$", "")).toLowerCase();
        } catch (IllegalArgumentException error) {
            return "";
        }
    }

    // ---------------------------------------------------------------- pins: a line each, a target and a key
    private Map<String, String> pins() {
        Map<String, String> pins = new LinkedHashMap<>();
        for (String[] words : Store.wordsOf(folder.resolve("pins"))) pins.put(words[0], words[1]);
        return pins;
    }

    byte[] pinnedKey() {
        String key = pins().get(target);
        return key == null ? null : Crypto.HEX.parseHex(key);
    }

    void pin(byte[] key) { // ID-02, ID-04
        Map<String, String> pins = pins();
        pins.put(target, Crypto.HEX.formatHex(key));
        List<String> lines = new ArrayList<>();
        pins.forEach((name, pinned) -> lines.add(name + " " + pinned));
        Store.write(folder.resolve("pins"), lines);
        Program.note("first contact with " + target + "; the fingerprint of its key is " + Crypto.fingerprint(key));
    }

    void openStore(byte[] serverKey) {
        if (store == null) store = new Store(folder.resolve(room + "-" + Crypto.HEX.formatHex(serverKey, 0, 8)));
    }

    // ---------------------------------------------------------------- one connection after the other
    /** Looks the name up and tries every address (RES-12), on a thread of its own, since that may take its time. */
    private void dial() {
        waiting = false;
        Thread dialer = new Thread(() -> {
            try {
                SocketChannel channel = connect();
                loop.post(() -> connected(channel));
            } catch (UnknownHostException error) {
                loop.post(() -> lost(Outcome.noConnection("unresolved", error)));
            } catch (IOException error) {
                loop.post(() -> lost(Outcome.noConnection("refused", error)));
            }
        });
        dialer.setDaemon(true);
        dialer.start();
    }

    private SocketChannel connect() throws IOException {
        IOException last = null;
        for (InetAddress address : InetAddress.getAllByName(host)) {
            SocketChannel channel = SocketChannel.open();
            try {
                channel.socket().connect(new InetSocketAddress(address, port), 10_000);
                return channel;
            } catch (IOException error) {
                channel.close();
                last = error;
            }
        }
        throw last;
    }

    private void connected(SocketChannel channel) {
        try {
            session = new ClientSession(this, channel);
            session.hail();
            pump();
        } catch (IOException error) {
            lost(Outcome.noConnection("refused", error));
        }
    }

    /** A connection is over, or was never made: another one, or the end (RES-11, RES-13). */
    void lost(Outcome outcome) {
        session = null;
        boolean mayReturn = resumes && outcome.mayReturn(), again = mayReturn && !isDone();
        Program.note(outcome.reason());
        emit("disconnected", "how", outcome.how(), "again", again);
        if (!mayReturn) close(outcome.exit(), outcome.code(), outcome.reason());
        if (!again) close(0, null, "nothing is left to do"); // END-07, END-13
        waiting = true;
        double most = Math.min(30_000, 500 * Math.pow(2, attempts++));
        loop.after(Math.max((long) (Math.random() * most), outcome.afterMs()), this::dial); // full jitter
    }

    /** Nobody wants anything of a connection any more. */
    private boolean isDone() {
        boolean nothingWaits = lines.isEmpty() && (store == null || store.kept.isEmpty());
        return lines.contains(EXIT) || (inputEnded && nothingWaits);
    }

    private void close(int exit, Object code, String reason) {
        long unsent = lines.stream().filter(line -> !line.equals(EXIT)).count();
        if (unsent > 0) Program.note(unsent + " lines were not sent"); // END-07
        Map<String, Object> closed = Json.object("event", "closed", "exit", exit, "reason", reason);
        closed.put("code", code);
        Program.OUT.println(Json.line(closed));
        Program.end(exit, null);
    }

    /** Members: name, value, name, value; null stands for none. */
    void emit(String event, Object... members) {
        Map<String, Object> printed = Json.object("event", event);
        Json.object(members).forEach((name, value) -> printed.put(name, Json.plain(name, value)));
        Program.OUT.println(Json.line(printed));
    }

    // ---------------------------------------------------------------- the person
    private void typed(byte[] line) {
        String fault = Program.lineFault(line);
        if (fault != null) Program.note("not sent: " + fault);
        else if (line.length > 0) lines.add(new String(line, StandardCharsets.UTF_8));
        pump();
    }

    private void inputEnded() {
        inputEnded = true;
        pump();
    }

    private void pump() {
        if (session != null) session.pump();
        else if (waiting && isDone()) close(0, null, "nothing is left to do");
    }

    /** Whether `exit` is what comes next; before the room is joined only if nothing was typed before it. */
    boolean wantsToLeave(boolean isJoined) {
        return EXIT.equals(lines.peek()) || (isJoined && lines.contains(EXIT));
    }

    /** The next line to be sent, taken from those that wait, or null. */
    String nextLine() {
        return lines.isEmpty() || EXIT.equals(lines.peek()) ? null : lines.poll();
    }
}
