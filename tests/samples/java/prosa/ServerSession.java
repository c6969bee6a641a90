// SPDX-License-Identifier: MIT
package prosa;

import static prosa.Fault.need;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A client's connection, seen by the server; a session in the words of the text from WELCOME on. */
final class ServerSession extends Link {
    final Map<String, Room.Seat> seats = new LinkedHashMap<>(); // by room_id, in hexadecimal
    String nick;
    private final Server server;
    private Set<Room> inherited = new LinkedHashSet<>(); // of a session that this one replaced, not joined yet (MEM-09)
    private byte[] key, hello, challenge;

    ServerSession(Server server, SocketChannel channel) throws IOException {
        super(server.loop, channel, "client", "HELLO");
        this.server = server;
        limits = server.announced;
        server.links.add(this);
    }

    private String name() {
        return nick == null ? "a stranger" : nick + "#" + Crypto.suffix(key);
    }

    private Room.Member asMember() {
        return new Room.Member(nick, key);
    }

    @Override
    void take(Frame frame) {
        switch (frame.name) {
            case "HELLO" -> hello(frame);
            case "AUTH" -> auth(frame);
            case "JOIN" -> join(frame);
            case "LEAVE" -> leaveRoom(frame);
            case "PUBLISH" -> publish(frame);
            case "ACK" -> ack(frame);
            case "ERROR" -> error(frame);
            case "BYE" -> goodbye(frame);
            default -> throw new IllegalStateException(frame.name);
        }
    }

    // ---------------------------------------------------------------- the handshake [4]
    private void hello(Frame frame) {
        key = frame.octets("client_key");
        boolean isKnownVersion = frame.octets("versions")[0] == Wire.VERSION; // they ascend from 1
        need(isKnownVersion, "UNSUPPORTED", "AUTH-05");
        need(Crypto.keyIsGood(key) && !Arrays.equals(key, server.keys.key()), "BAD_KEY", "AUTH-06");
        features = frame.number("features") & FEATURES; // AUTH-11
        Fields fields = new Fields().with("versions", new byte[] {Wire.VERSION}).with("nonce", Crypto.random(32))
            .with("features", FEATURES).with("version", Wire.VERSION).with("server_key", server.keys.key())
            .with("handshake_sig", new byte[64]);
        limits.forEach(fields::with);
        challenge = Wire.encode("CHALLENGE", fields);
        hello = frame.octets;
        byte[] signature = server.keys.sign(Crypto.label("server-auth"), Crypto.th1(hello, challenge)); // AUTH-12
        System.arraycopy(signature, 0, challenge, challenge.length - 64, 64);
        due = "AUTH";
        write(challenge);
    }

    private void auth(Frame frame) { // AUTH-17: the signature first, the nick afterwards
        String wanted = frame.text("nick"), id = Crypto.HEX.formatHex(key), owner = server.nicks.get(wanted);
        need(Crypto.authIsSigned(key, hello, challenge, frame), "BAD_SIG", "AUTH-16");
        need(!wanted.equals("host"), "NICK_TAKEN", "ID-09");
        need(owner == null || owner.equals(id), "NICK_TAKEN", "ID-07");
        need(owner != null || !server.nicks.containsValue(id), "DENIED", "ID-08");
        if (owner == null) server.journal.write("nick", wanted, id); // ID-06, ID-11
        server.nicks.put(wanted, id);
        ServerSession older = server.sessions.get(id);
        if (older != null) { // END-14
            inherited = older.namedRooms();
            older.inherited = new LinkedHashSet<>();
            older.leave("is replaced", true);
            older.bye("REPLACED", "a newer session of this key took over");
        }
        nick = wanted;
        due = null;
        cap = limits.get("max_frame").intValue();
        heard = progress = Loop.now();
        server.sessions.put(id, this);
        send("WELCOME", new Fields().with("session", server.nextSession()).with("time", System.currentTimeMillis()));
        Program.note(name() + " is here");
    }

    // ---------------------------------------------------------------- rooms [6.1, 6.7, 6.8]
    private Set<Room> namedRooms() {
        Set<Room> rooms = new LinkedHashSet<>(inherited);
        for (Room.Seat seat : seats.values()) if (!seat.room.isHost) rooms.add(seat.room);
        return rooms;
    }

    private void join(Frame frame) {
        String wanted = frame.text("room");
        boolean isHost = wanted.equals(Room.HOST), isReserved = wanted.startsWith("@");
        boolean asks = frame.has("after_seq");
        long after = asks ? frame.number("after_seq") : 0;
        need(after == 0 || frame.has("epoch"), "BAD_FRAME", "RES-05");
        need(seats.values().stream().noneMatch(seat -> seat.room.name.equals(wanted)), "BAD_STATE", "FLOW-02");
        need(isReserved || Program.hasLevel("L3"), "NOT_SUPPORTED", "FLOW-08");
        need(isHost || !isReserved, "NO_ROOM", "MSG-25");
        need(seats.size() < limits.get("max_rooms"), "TOO_MANY_ROOMS", "FLOW-03");
        Room room = server.room(wanted, isHost ? key : new byte[0]);
        long window = Program.hasLevel("L2") ? Math.min(frame.number("send_window"), limits.get("max_window")) : 1;
        long last = room.placedBy(key).size(), start = room.head() + 1; // FLOW-06, RES-06
        if ((features & RESUME) != 0 && asks) { // RES-01, RES-02; nothing is ever pruned
            boolean goesOn = Arrays.equals(frame.octets("epoch"), room.epoch) && !Wire.above(after, room.head());
            start = goesOn ? after + 1 : 1;
        }
        Room.Seat seat = new Room.Seat(this, room, window);
        seat.seen = start - 1;
        seat.limitSeq = start + frame.number("recv_window") - 1; // FLOW-07
        seat.limitCounter = last + window; // FLOW-05
        seats.put(Crypto.HEX.formatHex(room.id), seat);
        send("JOINED", new Fields().with("room", wanted).with("room_id", room.id).with("epoch", room.epoch)
            .with("granted_window", window).with("last_counter", last).with("limit_counter", seat.limitCounter)
            .with("head_seq", room.head()).with("oldest_seq", 1).with("start_seq", start));
        room.seats.add(seat);
        if (!isHost) room.enter(seat, asMember(), inherited.remove(room));
    }

    private void leaveRoom(Frame frame) {
        Room room = seat(frame, "BAD_STATE", "MEM-08").room;
        giveUp(room);
        if (room.isHost) return;
        room.tell(this, "left", asMember()); // MEM-07
        room.depart(asMember());
    }

    private void giveUp(Room room) {
        Room.Seat seat = seats.remove(Crypto.HEX.formatHex(room.id));
        room.seats.remove(seat);
        while (server.takeQuestion(seat) != null) continue; // FLOW-30
    }

    private Room.Seat seat(Frame frame, String code, String clause) {
        Room.Seat seat = seats.get(Crypto.HEX.formatHex(frame.octets("room_id")));
        need(seat != null, code, clause);
        return seat;
    }

    // ---------------------------------------------------------------- messages [5.1, 6.3]
    private void publish(Frame frame) {
        Room.Seat seat = seat(frame, "WRONG_ROOM", "MSG-05");
        Room room = seat.room;
        long counter = frame.number("counter");
        boolean isOwn = Arrays.equals(frame.octets("author_key"), key) && frame.text("nick").equals(nick);
        need(isOwn, "WRONG_AUTHOR", "MSG-04");
        need(!Wire.above(counter, seat.limitCounter), "FLOW_VIOLATION", "FLOW-21");
        List<Room.Placed> placed = room.placedBy(key);
        byte[] id = Crypto.messageId(frame);
        if (counter <= placed.size()) {
            need(Arrays.equals(placed.get((int) counter - 1).id(), id), "COUNTER_REUSE", "FLOW-23");
            acknowledge(seat); // FLOW-22
            return;
        }
        need(counter == placed.size() + 1, "COUNTER_GAP", "FLOW-24");
        need(Crypto.messageIsSigned(frame), "BAD_SIG", "MSG-03");
        room.commit(frame.body()); // FLOW-25
        if (!seat.isSync()) seat.limitCounter = counter + seat.window; // FLOW-32; in sync the answer raises it (FLOW-27)
        acknowledge(seat);
        room.show();
        if (room.isHost) ask(seat, new Room.Question(id, counter), frame.text("text"));
    }

    private void ask(Room.Seat seat, Room.Question question, String text) {
        seat.questions.add(question);
        server.pending.add(seat);
        Program.OUT.println(Json.visible(name() + ": " + text));
        if (!server.hasOperator || seat.questions.size() > seat.window) server.noAnswer(seat);
    }

    private void acknowledge(Room.Seat seat) {
        List<Room.Placed> placed = seat.room.placedBy(key);
        long last = placed.isEmpty() ? 0 : placed.get(placed.size() - 1).seq();
        send("ACK", new Fields().with("room_id", seat.room.id).with("limit_counter", seat.limitCounter)
            .with("acked_counter", placed.size()).with("acked_seq", last));
    }

    void raiseLimit(Room.Seat seat) {
        seat.limitCounter = seat.room.placedBy(key).size() + 1;
        acknowledge(seat);
    }

    private void ack(Frame frame) {
        Room.Seat seat = seat(frame, "WRONG_ROOM", "FLOW-15");
        need(!Wire.above(frame.number("seen_seq"), seat.seen), "ACK_TOO_HIGH", "FLOW-13");
        if (Wire.above(frame.number("limit_seq"), seat.limitSeq)) seat.limitSeq = frame.number("limit_seq"); // FLOW-12
        progress = Loop.now();
        flush();
    }

    /** Delivers what credit and the connection permit (FLOW-18); behind an answer the limit rises (FLOW-28). */
    @Override
    void flush() {
        for (Room.Seat seat : List.copyOf(seats.values())) {
            if (seat.stale && !blocked) seat.room.snapshot(seat, true);
            while (seat.seen < seat.room.head() && Wire.above(seat.limitSeq, seat.seen) && !blocked && !closing) {
                write(Wire.encode("DELIVER", seat.room.entries.get((int) seat.seen++)));
                if (seat.seen == seat.raiseAfter) raiseLimit(seat);
            }
        }
    }

    // ---------------------------------------------------------------- the end [7.1]
    private void error(Frame frame) {
        long code = frame.number("code");
        Program.note(name() + " reports " + Wire.codeName(code) + ": " + frame.text("reason"));
        if (due == null && !Fault.isFatal(code)) return; // ERR-04
        leave("gives up", false); // ERR-03
        finish(false);
    }

    private void goodbye(Frame frame) {
        leave("says goodbye (" + Wire.codeName(frame.number("code")) + ")", false);
        if (due != null || closing) finish(false); // END-05, END-06
        else bye("NORMAL", null); // END-02
    }

    /** The session is over; the members of its rooms hear of it, unless it was replaced. */
    void leave(String how, boolean quietly) {
        if (nick == null || !server.sessions.remove(Crypto.HEX.formatHex(key), this)) return;
        Program.note(name() + " " + how);
        Set<Room> rooms = namedRooms();
        for (Room.Seat seat : List.copyOf(seats.values())) {
            giveUp(seat.room);
            boolean isForgotten = seat.room.isHost && seat.room.entries.isEmpty();
            if (isForgotten) server.rooms.values().remove(seat.room); // MSG-27
        }
        if (!quietly) for (Room room : rooms) room.depart(asMember()); // MEM-03, MEM-09
    }

    @Override
    void failed(Fault fault) {
        leave("is sent away: " + fault.name + ", " + fault.getMessage(), false);
    }

    @Override
    void ended(String how) {
        leave("vanished without a goodbye", false); // END-15
    }

    @Override
    void gone() {
        server.links.remove(this);
        server.endIfAlone();
    }

    // ---------------------------------------------------------------- the clock
    @Override
    void look() {
        super.look();
        boolean owes = hasPendingOutput() || seats.values().stream().anyMatch(seat -> seat.seen < seat.room.head());
        if (!owes) {
            progress = Loop.now();
        } else if (!closing && due == null && Loop.now() - progress >= limits.get("slow_ms")) {
            leave("takes nothing", false);
            bye("SLOW_CONSUMER", "nothing was taken for too long"); // FLOW-39
        }
    }

    @Override
    void tooLate() { // AUTH-20: who has said nothing good is told nothing
        if (due.equals("HELLO")) close();
        else fail(new Fault("TIMEOUT", "AUTH-20"), false);
    }

    @Override
    void silent() {
        leave("fell silent", false);
        bye("IDLE", "silent for too long");
    }
}
