// SPDX-License-Identifier: MIT
package prosa;

import static prosa.Fault.need;

import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One end of a connection, the same for server and client. It reads frames and gives each to {@link #take}; it keeps
 * the connection alive, and closes it in order.
 */
abstract class Link {
    static final int LIVENESS = 1, RESUME = 2; // bits of `features` [8.2]
    static final int FEATURES = Program.hasLevel("L2") ? LIVENESS | RESUME : 0; // offered from L2 on

    final Loop loop;
    Map<String, Long> limits = new HashMap<>();
    String due; // the frame that has to come before READY, then null
    int cap = Wire.HANDSHAKE_CAP; // WIRE-07; max_frame from READY on (WIRE-08)
    long features; // the active ones (AUTH-11)
    boolean closing; // our BYE or fatal ERROR is sent, or all is over
    boolean deaf; // what still comes is discarded (ERR-06)
    boolean blocked; // the peer does not take what we send: nothing more is read from it
    long started = Loop.now(), heard = started;
    long progress = started; // when an octet went out last, or nothing was owed (FLOW-39)

    private final String peer;
    private final SocketChannel channel;
    private final SelectionKey key;
    private final ByteBuffer buffer = ByteBuffer.allocate(65536);
    private final ArrayDeque<ByteBuffer> output = new ArrayDeque<>();
    private int pendingOctets;
    private byte[] input = new byte[0];
    private boolean begun, pinged, closesWhenSent;
    private long lingerUntil = Long.MAX_VALUE;

    Link(Loop loop, SocketChannel channel, String peer, String due) throws IOException {
        this.loop = loop;
        this.channel = channel;
        this.peer = peer;
        this.due = due;
        for (Wire.Limit limit : Wire.LIMITS) limits.put(limit.name(), limit.normal());
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        key = channel.register(loop.selector, SelectionKey.OP_READ, (Runnable) this::serve);
        loop.after(0, this::tick);
    }

    abstract void take(Frame frame);

    /** A fatal fault of the peer's, before its ERROR is followed by the end. */
    abstract void failed(Fault fault);

    /** The peer's side has ended: "eof" or "reset". */
    abstract void ended(String how);

    abstract void gone();

    /** Sends what may be sent now that something has changed. */
    abstract void flush();

    abstract void tooLate();

    abstract void silent();

    // ---------------------------------------------------------------- reading
    private void serve() {
        try {
            if (key.isWritable()) writeOut();
            if (key.isValid() && key.isReadable()) read();
        } catch (IOException error) {
            ended("reset");
            close();
        }
    }

    private void read() throws IOException {
        int count = channel.read(buffer.clear());
        if (count < 0) {
            ended("eof");
            finish(true);
            return;
        }
        heard = Loop.now(); // LIVE-06
        pinged = false;
        byte[] octets = new byte[count];
        buffer.flip().get(octets);
        input = deaf ? new byte[0] : Crypto.concat(input, octets);
        process();
    }

    private void process() {
        ByteBuffer rest = ByteBuffer.wrap(input);
        while (!deaf && !blocked) {
            Frame frame = null;
            try {
                frame = Wire.decode(rest, cap, peer, this::admit);
                if (frame == null) break;
                begun = true;
                rest.position(rest.position() + frame.octets.length);
                if (frame.name != null && wants(frame.name)) handle(frame); // WIRE-12: others are ignored
            } catch (Fault fault) {
                refuse(fault, frame, rest);
            } catch (RuntimeException error) {
                error.printStackTrace();
                refuse(new Fault("INTERNAL", null), frame, rest);
            }
        }
        input = new byte[deaf ? 0 : rest.remaining()];
        if (!deaf) rest.get(input);
        flush();
    }

    /** Is this the time, and the direction, for a frame of this type? */
    private void admit(int type, Wire.Layout layout) {
        boolean expected = layout != null && List.of(String.valueOf(due), "ERROR", "BYE").contains(layout.name());
        need(due == null || expected, "BAD_STATE", "WIRE-13");
        need(layout == null || List.of(peer, "both").contains(layout.sender()), "BAD_STATE", "WIRE-15");
        need(due != null || layout == null || type > Wire.TYPE.get("WELCOME"), "BAD_STATE", "AUTH-01");
    }

    /** END-04: after its own BYE a client reads on, while a server waits for the end alone. */
    private boolean wants(String name) {
        return !closing || peer.equals("server") || name.equals("ERROR") || name.equals("BYE");
    }

    private void handle(Frame frame) {
        switch (frame.name) {
            case "PING" -> {
                flush();
                send("PONG", new Fields().with("opaque", frame.octets("opaque"))); // LIVE-01, behind all that is visible
            }
            case "PONG" -> {} // LIVE-09: it was heard, that is all
            default -> take(frame);
        }
    }

    /** Names the culprit (ERR-07); no word about octets of another protocol, or a malformed ERROR or BYE. */
    private void refuse(Fault fault, Frame frame, ByteBuffer rest) {
        if ("WIRE-02".equals(fault.clause) && !begun) { // WIRE-03
            failed(fault);
            deaf = closing = true;
            close();
            return;
        }
        Fields about = new Fields();
        Integer type = frame != null ? (Integer) frame.type : rest.remaining() > 3 ? rest.get(rest.position() + 3) & 0xff : null;
        if (frame != null) for (String name : List.of("room", "room_id", "counter")) about.with(name, frame.fields.get(name));
        fault.about = about.with("ref_type", type).withAll(fault.about);
        boolean inHeader = frame == null && List.of("WIRE-02", "WIRE-04", "WIRE-06").contains(String.valueOf(fault.clause));
        boolean silent = type != null && (type.equals(Wire.TYPE.get("ERROR")) || type.equals(Wire.TYPE.get("BYE")));
        fail(fault, silent && !inHeader); // ERR-10
    }

    // ---------------------------------------------------------------- writing
    void send(String name, Fields fields) {
        write(Wire.encode(name, fields));
    }

    void write(byte[] octets) {
        if (closing || !channel.isOpen()) return;
        output.add(ByteBuffer.wrap(octets));
        pendingOctets += octets.length;
        try {
            if (output.size() == 1) writeOut();
        } catch (IOException error) { // the next turn finds it when it reads
            output.clear();
            pendingOctets = 0;
        }
        if (pendingOctets > limits.get("output_limit")) blocked = true;
        setInterest();
    }

    boolean hasPendingOutput() {
        return pendingOctets > 0;
    }

    private void writeOut() throws IOException {
        for (ByteBuffer next = output.peek(); next != null; next = output.peek()) {
            int count = channel.write(next);
            pendingOctets -= count;
            if (count > 0) progress = Loop.now();
            if (next.hasRemaining()) break;
            output.remove();
        }
        if (output.isEmpty() && closesWhenSent) close();
        else if (output.isEmpty() && closing && lingerUntil < Long.MAX_VALUE) channel.shutdownOutput();
        setInterest();
        if (blocked && output.isEmpty()) {
            blocked = false;
            heard = Loop.now(); // LIVE-05: time in which we did not read does not count
            setInterest();
            process();
        }
    }

    private void setInterest() {
        boolean reads = !blocked || closing;
        if (key.isValid()) key.interestOps((reads ? SelectionKey.OP_READ : 0) | (output.isEmpty() ? 0 : SelectionKey.OP_WRITE));
    }

    // ---------------------------------------------------------------- the clock
    /** Often enough for the shortest timer. */
    private void tick() {
        if (!channel.isOpen()) return;
        look();
        long shortest = limits.entrySet().stream().filter(limit -> limit.getKey().endsWith("_ms"))
            .mapToLong(Map.Entry::getValue).min().orElseThrow();
        loop.after(Math.max(1, shortest / 8), this::tick);
    }

    void look() {
        long now = Loop.now(), silence = blocked ? 0 : now - heard;
        boolean lives = (features & LIVENESS) != 0;
        if (closing) {
            if (now >= lingerUntil) reset();
        } else if (due != null) {
            if (now - started >= limits.get("handshake_ms")) tooLate();
        } else if (lives && silence >= limits.get("dead_after_ms")) {
            silent(); // LIVE-05
        } else if (lives && silence >= limits.get("ping_after_ms") && !pinged) {
            pinged = true;
            send("PING", new Fields().with("opaque", new byte[0])); // LIVE-04
        }
    }

    // ---------------------------------------------------------------- closing
    /** ERR-01, ERR-06: one ERROR in the place of the BYE, then deaf until the end. */
    void fail(Fault fault, boolean silently) {
        Fields error = new Fields().with("code", fault.code).with("reason", fault.getMessage()).with("clause", fault.clause);
        if (!silently) send("ERROR", error.withAll(fault.about));
        if (!Fault.isFatal(fault.code)) return;
        if (!closing) failed(fault);
        deaf = true;
        finish(false);
    }

    void bye(String code, String reason) {
        send("BYE", new Fields().with("code", Wire.CODE.get(code)).with("reason", reason));
        finish(false);
    }

    /** END-01: shut the sending side down, and read on until the peer has done so, or for linger_ms. */
    void finish(boolean atOnce) {
        closing = true;
        if (atOnce || lingerUntil < Long.MAX_VALUE) closesWhenSent = true;
        else lingerUntil = Loop.now() + limits.get("linger_ms");
        try {
            if (channel.isOpen()) writeOut();
        } catch (IOException error) {
            close();
        }
    }

    void reset() {
        try {
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        } catch (IOException error) { // then it is closed without
        }
        close();
    }

    void close() {
        if (!channel.isOpen()) return;
        closing = deaf = true;
        try {
            channel.close();
        } catch (IOException error) { // it is gone, that is what was wanted
        }
        ended("eof");
        gone();
    }
}
