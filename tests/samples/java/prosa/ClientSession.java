// SPDX-License-Identifier: MIT
package prosa;

import static prosa.Fault.need;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** A connection to the server, seen by the client, with its one room. */
final class ClientSession extends Link {
    private static final long SEND_WINDOW = Program.hasLevel("L2") ? 16 : 1, RECV_WINDOW = 64;
    private static final List<String> GREASE = List.of("0x0a0b", "0x1a1b", "0x2a2b", "0x3a3b"); // of the author zone

    private final Client client;
    private Store store;
    private Outcome outcome;
    private byte[] hello, serverKey;
    private boolean asked; // JOIN said where to go on
    private boolean refused; // JOIN had an ERROR for an answer
    private byte[] roomId; // from JOINED on
    private long window, sent, acked, limit, told, limitSeq;
    private final Map<String, Long> counters = new HashMap<>(); // of each author, the last one seen (MSG-28)

    ClientSession(Client client, SocketChannel channel) throws IOException {
        super(client.loop, channel, "server", "CHALLENGE");
        this.client = client;
    }

    private static Fields grease() { // WIRE-27
        return new Fields().with(GREASE.get(ThreadLocalRandom.current().nextInt(4)), "grease".getBytes());
    }

    @Override
    void take(Frame frame) {
        switch (frame.name) {
            case "CHALLENGE" -> challenge(frame);
            case "WELCOME" -> welcome();
            case "JOINED" -> joined(frame);
            case "ACK" -> ack(frame);
            case "DELIVER" -> deliver(frame);
            case "MEMBER" -> member(frame);
            case "CHECKPOINT" -> {} // for clients with audit
            case "ERROR" -> error(frame);
            case "BYE" -> byeOf(frame);
            default -> throw new IllegalStateException(frame.name);
        }
    }

    // ---------------------------------------------------------------- the handshake [4]
    void hail() { // AUTH-01
        hello = Wire.encode("HELLO", grease().with("versions", new byte[] {Wire.VERSION}).with("nonce", Crypto.random(32))
            .with("client_key", client.keys.key()).with("features", FEATURES).with("target", client.target));
        write(hello);
    }

    private void challenge(Frame frame) { // AUTH-13: key, pin, signature, version, in this order
        byte[] key = frame.octets("server_key"), pinned = client.pinnedKey();
        need(Crypto.keyIsGood(key) && !Arrays.equals(key, client.keys.key()), "BAD_KEY", "AUTH-13");
        if (pinned != null && !Arrays.equals(key, pinned)) {
            throw new Fault("PIN_MISMATCH", "ID-05", "not the pinned key: " + Crypto.fingerprint(key)
                + " instead of " + Crypto.fingerprint(pinned));
        }
        need(Crypto.challengeIsSigned(hello, frame), "BAD_SIG", "AUTH-13");
        boolean isHighest = frame.number("version") == Wire.VERSION && frame.octets("versions")[0] == Wire.VERSION;
        need(isHighest, "DOWNGRADE", "AUTH-13");
        if (pinned == null) client.pin(key);
        serverKey = key;
        features = frame.number("features") & FEATURES;
        limits.replaceAll((name, normal) -> frame.number(name));
        started = Loop.now();
        due = "WELCOME";
        client.openStore(key);
        store = client.store;
        Fields fields = new Fields().with("nick", client.nick);
        byte[] signature = client.keys.sign(Crypto.label("client-auth"), Crypto.th2(hello, frame.octets), fields.octets());
        send("AUTH", fields.with("handshake_sig", signature)); // AUTH-15
    }

    private void welcome() {
        due = null;
        cap = limits.get("max_frame").intValue();
        client.resumes = (features & RESUME) != 0;
        asked = client.resumes && store.epoch != null;
        Fields join = new Fields().with("room", client.room).with("send_window", SEND_WINDOW).with("recv_window", RECV_WINDOW);
        send("JOIN", asked ? join.with("epoch", store.epoch).with("after_seq", store.seen) : join); // RES-04
    }

    // ---------------------------------------------------------------- the room [6.1, 6.8]
    private void joined(Frame frame) {
        need(roomId == null && !refused && frame.text("room").equals(client.room), "BAD_STATE", "FLOW-01");
        byte[] epoch = frame.octets("epoch"), id = Crypto.roomId(serverKey, epoch, client.room, client.keys.key());
        need(Arrays.equals(id, frame.octets("room_id")), "WRONG_ROOM", "MSG-23");
        roomId = id;
        client.attempts = 0;
        window = frame.number("granted_window");
        sent = acked = frame.number("last_counter");
        limit = frame.number("limit_counter");
        boolean goesOn = Arrays.equals(epoch, store.epoch);
        boolean lost = asked && (!goesOn || Wire.above(store.seen, frame.number("head_seq"))
            || Wire.above(frame.number("oldest_seq"), store.seen + 1)); // RES-03
        client.emit("joined", "room", client.room, "room_id", id, "epoch", epoch, "server_key", serverKey,
            "last_counter", acked, "start_seq", frame.number("start_seq"), "lost_history", lost);
        for (long counter : List.copyOf(store.kept.keySet())) {
            if (goesOn && Wire.above(counter, acked)) continue;
            store.kept.remove(counter);
            if (goesOn) client.emit("acked", "room", client.room, "counter", counter);
            else complain("WRONG_ROOM", "not sent: its room is gone", counter); // RES-08
        }
        store.epoch = epoch;
        store.seen = told = frame.number("start_seq") - 1;
        store.save();
        limitSeq = told + RECV_WINDOW;
        pump();
    }

    /** Sends what is kept, then lines in their order, as far as the limit goes (RES-08, CON-08, FLOW-20). */
    void pump() {
        while (!closing) {
            boolean maySend = roomId != null && Wire.above(limit, sent);
            byte[] kept = maySend ? store.kept.get(sent + 1) : null;
            String line = maySend && kept == null ? client.nextLine() : null;
            if (kept != null) publish(kept);
            else if (line != null) publish(compose(line));
            else if (client.wantsToLeave(roomId != null)) goodbye(Outcome.GOODBYE); // END-07
            else break;
        }
        boolean isAnswered = roomId != null && (!client.room.equals(Room.HOST) || window > 1 || Wire.above(limit, sent));
        boolean isDone = client.inputEnded && client.lines.isEmpty() && isAnswered && store.kept.isEmpty();
        if (isDone && !closing) goodbye(Outcome.GOODBYE); // END-13
    }

    private void publish(byte[] body) {
        sent++;
        write(Wire.encode("PUBLISH", body));
    }

    /** A message, signed and stored before it is sent the first time (MSG-01, RES-07). */
    private byte[] compose(String text) {
        byte[] body = Crypto.compose(client.keys, grease().with("nick", client.nick).with("room_id", roomId)
            .with("counter", sent + 1).with("sent_at", System.currentTimeMillis()).with("text", text));
        store.kept.put(sent + 1, body);
        store.save();
        return body;
    }

    private void ack(Frame frame) {
        checkRoom(frame, "FLOW-15");
        long covered = frame.number("acked_counter");
        need(!Wire.above(covered, sent), "ACK_TOO_HIGH", "FLOW-14");
        while (Wire.above(covered, acked)) { // FLOW-12
            store.kept.remove(++acked);
            Object seq = acked == covered ? frame.number("acked_seq") : null;
            client.emit("acked", "room", client.room, "counter", acked, "room_seq", seq);
        }
        store.save();
        if (Wire.above(frame.number("limit_counter"), limit)) limit = frame.number("limit_counter");
        pump();
    }

    private void deliver(Frame frame) {
        checkRoom(frame, "MSG-18");
        long seq = frame.number("room_seq"), counter = frame.number("counter");
        need(seq == store.seen + 1, "SEQ_GAP", "MSG-17");
        need(!Wire.above(seq, limitSeq), "FLOW_VIOLATION", "FLOW-19");
        String name = "message " + Long.toUnsignedString(seq);
        if (!Crypto.messageIsSigned(frame)) complain("BAD_SIG", name + " is not signed by its author", counter); // MSG-16
        else if (!frame.displayable) complain("UNSUPPORTED", name + " cannot be displayed", counter); // MSG-14
        else show(frame, counter);
        store.seen = seq; // RES-15: after it was shown
        store.save();
        if (store.seen - told >= RECV_WINDOW / 2) tellSeen(); // FLOW-17
    }

    private void show(Frame frame, long counter) {
        byte[] author = frame.octets("author_key");
        Long last = counters.put(Crypto.HEX.formatHex(author), counter);
        if (last != null && counter != last + 1) { // MSG-28
            complain("COUNTER_GAP", frame.text("nick") + " left something out, or repeats", counter);
        }
        client.emit("message", "room", client.room, "room_seq", frame.number("room_seq"), "nick", frame.text("nick"),
            "author_key", author, "counter", counter, "sent_at", frame.number("sent_at"),
            "server_time", frame.number("server_time"), "id", Crypto.messageId(frame), "text", frame.text("text"),
            "own", Arrays.equals(author, client.keys.key()), "display", frame.text("display"),
            "reply_to", frame.octets("reply_to"));
    }

    /** All that came is taken: one ACK for many messages (FLOW-16). */
    @Override
    void flush() {
        if (roomId != null && Wire.above(store.seen, told)) tellSeen();
    }

    private void tellSeen() {
        told = store.seen;
        limitSeq = told + RECV_WINDOW;
        send("ACK", new Fields().with("room_id", roomId).with("seen_seq", told).with("limit_seq", limitSeq));
    }

    private void member(Frame frame) {
        checkRoom(frame, "MSG-18");
        if (Wire.eventName(frame.number("event")) instanceof String change) {
            client.emit("member", "room", client.room, "change", change, "nick", frame.text("nick"),
                "member_key", frame.octets("member_key"), "count", frame.fields.get("count"));
        }
    }

    private void checkRoom(Frame frame, String clause) {
        need(Arrays.equals(roomId, frame.octets("room_id")), "WRONG_ROOM", clause);
    }

    private void complain(String code, String reason, Object counter) {
        client.emit("error", "from", "client", "code", (long) Wire.CODE.get(code), "reason", reason, "room", client.room,
            "counter", counter);
    }

    // ---------------------------------------------------------------- the end [7]
    private static long afterMs(Frame frame) {
        return frame.has("after_ms") ? frame.number("after_ms") : 0;
    }

    private void error(Frame frame) {
        long code = frame.number("code");
        String reason = frame.text("reason");
        client.emit("error", "from", "server", "code", code, "reason", reason, "room", frame.text("room"),
            "counter", frame.fields.get("counter"));
        if (Fault.isFatal(code) || due != null) { // ERR-03, ERR-04, ERR-09
            if (outcome == null) outcome = Outcome.byCode("error", code, reason, afterMs(frame));
            deaf = true;
            finish(false);
        } else if (code >> 8 == 4 && client.room.equals(frame.text("room")) && roomId == null) { // CON-12: the only room
            refused = true;
            goodbye(new Outcome("goodbye", Wire.codeName(code), reason, 1, false, 0));
        }
    }

    private void byeOf(Frame frame) {
        long code = frame.number("code");
        String reason = frame.has("reason") ? frame.text("reason") : "";
        Program.note("the server says goodbye: " + Wire.codeName(code) + " " + reason);
        if (outcome == null) outcome = Outcome.byCode("goodbye", code, reason, afterMs(frame)); // END-09, END-11
        if (due != null || closing) finish(false); // END-05, END-06
        else bye("NORMAL", null); // END-02
        deaf = true;
    }

    private void goodbye(Outcome how) {
        outcome = how;
        if (due != null) finish(true); // there is nothing to end in order yet
        else bye("NORMAL", Outcome.GOODBYE.reason());
    }

    @Override
    void failed(Fault fault) { // the server broke the rules
        complain(fault.name, fault.getMessage() + " (" + fault.clause + ")", null);
        outcome = Outcome.byCode("error", fault.code, fault.getMessage(), 0);
    }

    @Override
    void ended(String how) { // END-15, END-16
        if (outcome == null) outcome = Outcome.vanished(how, "the server vanished without a goodbye");
    }

    @Override
    void gone() {
        client.lost(outcome);
    }

    @Override
    void tooLate() { // AUTH-23
        silent();
    }

    @Override
    void silent() {
        outcome = Outcome.vanished("silence", "the server fell silent");
        reset();
    }
}
