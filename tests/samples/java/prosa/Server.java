// SPDX-License-Identifier: MIT
package prosa;

import static prosa.Fault.need;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A PROSA/1 server of level L3 with `resume`: private rooms (@host), answered by the operator who types at the console,
 * and named rooms that are made at their first JOIN.
 */
final class Server {
    private static final int MOST_ROOMS = 10_000; // MSG-29
    private static final Pattern ADDRESSED = Pattern.compile("@([a-z0-9_-]{1,32}) (.*)", Pattern.DOTALL);

    final Loop loop = new Loop();
    final Map<String, Long> announced;
    final Journal journal;
    final Crypto.KeyPair keys;
    final Map<String, String> nicks = new HashMap<>(); // the key of each, in hexadecimal
    final Map<String, Room> rooms = new HashMap<>();
    final Set<ServerSession> links = new HashSet<>(); // every connection
    final Map<String, ServerSession> sessions = new LinkedHashMap<>(); // those that are READY, by key
    final ArrayDeque<Room.Seat> pending = new ArrayDeque<>(); // whose question it is, oldest first
    boolean hasOperator = true;
    private boolean ending;
    private long sessionCount;
    private ServerSocketChannel listener;

    public static void main(String[] words) throws IOException {
        Program.checkLevel();
        int port = Program.port();
        Map<String, Long> announced = readTimers(Program.setting("PROSA_TIMERS", ""));
        new Server(Path.of(Program.setting("PROSA_DATA", ".")), announced).serve(port);
    }

    /** CON-02: what PROSA_TIMERS asks for, and the defaults for the rest. */
    private static Map<String, Long> readTimers(String text) {
        Map<String, Long> values = new HashMap<>();
        for (Wire.Limit limit : Wire.LIMITS) values.put(limit.name(), limit.normal());
        for (String setting : text.isEmpty() ? new String[0] : text.split(",", -1)) {
            Matcher matcher = Pattern.compile("([a-z_]+)=([0-9]{1,18})").matcher(setting);
            boolean good = matcher.matches() && Wire.LIMITS.stream().anyMatch(limit -> limit.name().equals(matcher.group(1))
                && limit.least() <= Long.parseLong(matcher.group(2)) && Long.parseLong(matcher.group(2)) <= limit.most());
            if (!good) Program.end(2, "PROSA_TIMERS: " + setting);
            values.put(matcher.group(1), Long.parseLong(matcher.group(2)));
        }
        return values;
    }

    private Server(Path folder, Map<String, Long> announced) throws IOException {
        this.announced = announced;
        journal = new Journal(folder.resolve("journal"));
        keys = Crypto.KeyPair.load(folder.resolve("server.key"));
        Map<String, Room> byId = new HashMap<>();
        for (String[] line : journal.lines) {
            switch (line[0]) {
                case "nick" -> nicks.put(line[1], line[2]);
                case "room" -> {
                    Room room = addRoom(line[1], Crypto.HEX.parseHex(line[2].replace("-", "")), Crypto.HEX.parseHex(line[3]));
                    byId.put(Crypto.HEX.formatHex(room.id), room);
                }
                default -> byId.get(line[1]).add(Crypto.HEX.parseHex(line[2]));
            }
        }
        journal.lines.clear();
    }

    private void serve(int port) throws IOException {
        listener = ServerSocketChannel.open();
        try {
            listener.bind(new InetSocketAddress(Program.host(), port));
        } catch (IOException | RuntimeException error) {
            Program.end(3, "cannot listen: " + error); // CON-07
        }
        listener.configureBlocking(false);
        listener.register(loop.selector, SelectionKey.OP_ACCEPT, (Runnable) this::accept);
        Runtime.getRuntime().addShutdownHook(new Thread(this::terminated));
        InetSocketAddress address = (InetSocketAddress) listener.getLocalAddress();
        String host = address.getAddress().getHostAddress();
        Program.note("the fingerprint of this server's key is " + Crypto.fingerprint(keys.key()));
        Program.OUT.println("READY " + (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort()); // CON-05
        loop.readConsole(this::typed, this::operatorLeft);
        loop.run();
    }

    private void accept() {
        try {
            new ServerSession(this, listener.accept());
        } catch (IOException error) { // it is gone already
            Program.note("a connection was lost: " + error.getMessage());
        }
    }

    long nextSession() {
        return ++sessionCount;
    }

    /** The room of this name, made when there is none (MSG-24, MSG-29). */
    Room room(String name, byte[] owner) {
        Room known = rooms.get(name + Crypto.HEX.formatHex(owner));
        if (known != null) return known;
        need(rooms.size() < MOST_ROOMS, "NO_ROOM", "MSG-29", "there are too many rooms already");
        Room room = addRoom(name, owner, Crypto.random(16));
        if (!room.isHost) room.introduce(); // @host is written with its first entry (MSG-27)
        return room;
    }

    private Room addRoom(String name, byte[] owner, byte[] epoch) {
        Room room = new Room(this, name, owner, epoch);
        rooms.put(name + Crypto.HEX.formatHex(owner), room);
        return room;
    }

    // ---------------------------------------------------------------- the operator [END-19]
    private void typed(byte[] octets) {
        String line = new String(octets, StandardCharsets.UTF_8);
        if (line.isEmpty()) return;
        if (line.equals("exit")) {
            end("NORMAL", "the conversation is over");
            return;
        }
        Matcher addressed = ADDRESSED.matcher(line);
        boolean hasName = addressed.matches();
        Room.Seat seat = hasName ? seatOf(addressed.group(1)) : pending.peek();
        String text = hasName ? addressed.group(2) : line, fault = Program.lineFault(octets);
        if (fault == null && text.isEmpty()) fault = "there is no text";
        if (fault == null && seat == null) fault = hasName ? addressed.group(1) + " is not here" : "no question is pending";
        if (fault != null) Program.note("not sent: " + fault);
        else speak(seat, text);
    }

    /** The place in @host of whoever has this nick, one with a question first. */
    private Room.Seat seatOf(String nick) {
        List<Room.Seat> theirs = sessions.values().stream().filter(session -> session.nick.equals(nick))
            .flatMap(session -> session.seats.values().stream()).filter(seat -> seat.room.isHost).toList();
        Stream<Room.Seat> asking = theirs.stream().filter(seat -> !seat.questions.isEmpty());
        return Stream.concat(asking, theirs.stream()).findFirst().orElse(null);
    }

    /** The server's own message, and the answer to the seat's oldest question if there is one (MSG-20, MSG-21). */
    private void speak(Room.Seat seat, String text) {
        Room room = seat.room;
        Room.Question question = takeQuestion(seat);
        room.commit(Crypto.compose(keys, new Fields().with("nick", "host").with("room_id", room.id)
            .with("counter", room.placedBy(keys.key()).size() + 1).with("sent_at", System.currentTimeMillis())
            .with("text", text).with("reply_to", question == null ? null : question.id())));
        if (question != null && seat.isSync()) seat.raiseAfter = room.head();
        room.show();
    }

    /** FLOW-29: the limit rises all the same. */
    void noAnswer(Room.Seat seat) {
        Fault fault = new Fault("NO_ANSWER", "FLOW-29", "nobody answers here");
        fault.about.with("room_id", seat.room.id).with("counter", takeQuestion(seat).counter());
        seat.session.fail(fault, false);
        if (seat.isSync()) seat.session.raiseLimit(seat);
    }

    Room.Question takeQuestion(Room.Seat seat) {
        if (!seat.questions.isEmpty()) pending.removeFirstOccurrence(seat);
        return seat.questions.poll();
    }

    private void operatorLeft() { // END-12
        hasOperator = false;
        while (!pending.isEmpty()) noAnswer(pending.peek());
    }

    // ---------------------------------------------------------------- the end
    /** END-08, END-10: goodbye to all, then the end. */
    private void end(String code, String reason) {
        ending = true;
        try {
            listener.close();
        } catch (IOException error) { // nobody comes any more, that is what was wanted
        }
        for (ServerSession session : List.copyOf(links)) {
            session.leave("is told goodbye (" + code + ")", false);
            if (session.due != null) session.close();
            else if (!session.closing) session.bye(code, reason);
        }
        endIfAlone();
    }

    void endIfAlone() {
        if (ending && links.isEmpty()) Program.end(0, null);
    }

    /** SIGTERM: the virtual machine waits for this while the loop says goodbye, and the loop ends it (END-10). */
    private void terminated() {
        loop.post(() -> end("SHUTDOWN", "the server ends"));
        try {
            Thread.currentThread().join();
        } catch (InterruptedException error) { // then it ends at once
        }
    }
}
