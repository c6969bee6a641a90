// SPDX-License-Identifier: MIT
package prosa;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A log and its members, seen by the server. */
final class Room {
    static final String HOST = "@host";

    /** Where a message of an author is: its id, and its place in the room. */
    record Placed(byte[] id, long seq) {}

    record Question(byte[] id, long counter) {}

    record Member(String nick, byte[] key) {}

    /** A room on one connection: how far it was delivered, and how far both sides may go. */
    static final class Seat {
        final ServerSession session;
        final Room room;
        final long window;
        long seen; // the last room_seq delivered
        long limitSeq, limitCounter;
        long raiseAfter; // room_seq of the answer behind which the limit rises (FLOW-28), or 0
        final ArrayDeque<Question> questions = new ArrayDeque<>(); // oldest first
        boolean stale; // missed a MEMBER while it did not read (MEM-04)

        Seat(ServerSession session, Room room, long window) {
            this.session = session;
            this.room = room;
            this.window = window;
        }

        boolean isSync() {
            return room.isHost && window == 1;
        }
    }

    final Server server;
    final String name;
    final byte[] owner, epoch, id;
    final boolean isHost;
    final List<byte[]> entries = new ArrayList<>(); // the fields of each DELIVER: entry n is at n - 1
    final Set<Seat> seats = new LinkedHashSet<>();
    private final Map<String, List<Placed>> placed = new HashMap<>(); // of each author, by counter
    private final Map<String, Member> members = new LinkedHashMap<>(); // also of sessions that were replaced (MEM-09)
    private boolean crowded; // above member_limit
    private long lastTime;

    Room(Server server, String name, byte[] owner, byte[] epoch) {
        this.server = server;
        this.name = name;
        this.owner = owner;
        this.epoch = epoch;
        id = Crypto.roomId(server.keys.key(), epoch, name, owner);
        isHost = name.equals(HOST);
    }

    long head() {
        return entries.size();
    }

    List<Placed> placedBy(byte[] key) {
        return placed.computeIfAbsent(Crypto.HEX.formatHex(key), author -> new ArrayList<>());
    }

    void add(byte[] body) {
        Frame frame = Wire.decode(Wire.encode("DELIVER", body), 65536, "server");
        entries.add(body);
        placedBy(frame.octets("author_key")).add(new Placed(Crypto.messageId(frame), head()));
        lastTime = frame.number("server_time");
    }

    /** The next place for the author's octets and our two fields (MSG-11 to MSG-13). */
    void commit(byte[] authored) {
        lastTime = Math.max(System.currentTimeMillis(), lastTime);
        byte[] ours = new Fields().with("room_seq", head() + 1).with("server_time", lastTime).octets();
        byte[] body = Crypto.concat(authored, ours);
        if (isHost && entries.isEmpty()) introduce(); // MSG-27
        server.journal.write("entry", id, body); // from here on it may be shown (FLOW-26)
        add(body);
    }

    void introduce() {
        server.journal.write("room", name, owner, epoch);
    }

    void show() {
        for (Seat seat : List.copyOf(seats)) seat.session.flush();
    }

    // ---------------------------------------------------------------- members [6.7]
    private boolean isCrowd() {
        return members.size() > server.announced.get("member_limit");
    }

    /** MEM-03, MEM-05: tells all seats of a change, by its name or by the number of members. */
    private void announce(String event, Member member, ServerSession besides) {
        boolean wasCrowded = crowded;
        crowded = isCrowd();
        for (Seat seat : seats) {
            if (seat.session.blocked) seat.stale = true;
            else if (crowded || wasCrowded) snapshot(seat, !crowded);
            else if (seat.session != besides) tell(seat.session, event, member);
        }
    }

    /** MEM-01: all members, or how many they are. */
    void snapshot(Seat seat, boolean resync) {
        seat.stale = false;
        if (resync) seat.session.send("MEMBER", event("resync"));
        if (crowded) seat.session.send("MEMBER", event("count").with("count", members.size()));
        else for (Member member : members.values()) tell(seat.session, "here", member);
    }

    void enter(Seat seat, Member member, boolean inherited) {
        if (inherited) { // MEM-09: to the others nothing has happened
            snapshot(seat, false);
            return;
        }
        members.put(Crypto.HEX.formatHex(member.key), member);
        if (!isCrowd()) snapshot(seat, false);
        announce("joined", member, seat.session);
    }

    void depart(Member member) {
        members.remove(Crypto.HEX.formatHex(member.key));
        announce("left", member, null);
    }

    void tell(ServerSession session, String event, Member member) {
        session.send("MEMBER", event(event).with("nick", member.nick).with("member_key", member.key));
    }

    private Fields event(String event) {
        return new Fields().with("room_id", id).with("event", Wire.EVENTS.indexOf(event)).with("at_seq", head());
    }
}
