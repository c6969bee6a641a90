// SPDX-License-Identifier: MIT
package prosa;

import static prosa.Fault.need;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Frames and fields of PROSA/1: the tables of the registry, and the codec made of them (chapter 3). Nothing here knows
 * of sockets or keys. Chapters of the text stand in brackets, requirements by their ids.
 */
final class Wire {
    static final int VERSION = 1, HEADER = 8, HANDSHAKE_CAP = 1024;
    static final int AUTHOR_SIG = 0x4000, SERVER_ZONE_LAST = 0x7fff, SERVER_SIG = 0x4006, HANDSHAKE_SIG = 0xfffe;

    /** least and most: of an integer its value, of anything else the number of its octets. */
    record Field(int tag, String name, String kind, long least, long most) {}

    /** What CHALLENGE announces. */
    record Limit(String name, long normal, long least, long most) {}

    /** One row of the table of frames. */
    record Layout(int type, String name, String sender, List<String> required, Map<Integer, Field> fields) {}

    // Fields: tag, name, kind, and a range where there is one [3.5].
    private static final String FIELDS = """
        0002 versions versions 1 8  | 0004 nonce nonce          | 0006 client_key key   | 0008 features u32
        000a target target 3 261    | 000c version u8 1         | 000e server_key key   | 0010 session u64
        0012 time u64               | 0040 nick nick 1 32       | 0041 display utf8 1 64 | 0042 room room 1 33
        0044 room_id hash           | 0046 epoch epoch          | 0050 send_window u32 1 | 0052 recv_window u32 2
        0054 after_seq u64          | 0056 granted_window u32 1 | 0058 last_counter u64 | 005a limit_counter u64
        005c acked_counter u64      | 005e acked_seq u64        | 0060 head_seq u64     | 0062 oldest_seq u64 1
        0064 start_seq u64 1        | 0066 seen_seq u64         | 0068 limit_seq u64    | 0070 event u8
        0072 member_key key         | 0074 at_seq u64           | 0076 count u32        | 0080 author_key key
        0082 counter u64 1          | 0084 sent_at u64          | 0086 text utf8 1 4096 | 0087 reply_to hash
        0090 seq u64                | 0092 chain hash           | 00a0 opaque opaque 0 16 | 00b0 code u16 1
        00b2 reason utf8 1 255      | 00b3 after_ms u32         | 00b5 ref_type u8      | 00b7 clause clause 4 16
        4000 author_sig sig         | 4002 room_seq u64 1       | 4004 server_time u64  | 4005 prev_hash hash
        4006 server_sig sig         | fffe handshake_sig sig""";
    // Those that CHALLENGE announces: tag, name, default, least, most [9.1].
    private static final String ANNOUNCED = """
        0020 max_frame 16384 8192 65536     | 0022 max_rooms 8 1 65535   | 0024 max_window 64 1 65535
        0026 token_rate 32 1 1000000        | 0028 token_burst 64 1 1000000 | 002a member_limit 256 0 400
        002c undecided_limit 65536 16384 16777216 | 002e output_limit 262144 65536 67108864
        0030 handshake_ms 5000 50 600000    | 0032 ping_after_ms 15000 50 3600000
        0034 dead_after_ms 45000 100 3600000 | 0036 slow_ms 10000 50 3600000 | 0038 linger_ms 2000 50 600000""";
    // Frames: type, name, who sends it, fields; `?` marks an optional one [3.6].
    private static final String FRAMES = """
        2  HELLO      client versions nonce client_key features target
        4  CHALLENGE  server versions nonce features version server_key %s handshake_sig
        6  AUTH       client nick display? handshake_sig
        8  WELCOME    server session time
        10 JOIN       client room epoch? send_window recv_window after_seq?
        12 JOINED     server room room_id epoch granted_window last_counter limit_counter head_seq oldest_seq start_seq
        14 LEAVE      client room_id
        17 MEMBER     server nick? room_id event member_key? at_seq count?
        20 PUBLISH    client nick display? room_id author_key counter sent_at text reply_to? author_sig
        22 DELIVER    server nick display? room_id author_key counter sent_at text reply_to? author_sig \
                             room_seq server_time prev_hash?
        24 ACK        both   room_id limit_counter? acked_counter? acked_seq? seen_seq? limit_seq?
        27 CHECKPOINT server time room_id seq chain server_sig
        30 PING       both   opaque
        32 PONG       both   opaque
        34 ERROR      both   room? room_id? counter? code reason after_ms? ref_type? clause?
        36 BYE        both   code reason? after_ms?""";
    // Codes: a line for each class, numbered from 1 [7.2].
    private static final String CLASSES = """
        BAD_FRAME UNSUPPORTED TOO_LARGE BAD_TEXT
        BAD_KEY BAD_SIG NICK_TAKEN DENIED WRONG_AUTHOR PIN_MISMATCH DOWNGRADE FORK
        BAD_STATE FLOW_VIOLATION COUNTER_GAP COUNTER_REUSE WRONG_ROOM ACK_TOO_HIGH SEQ_GAP TIMEOUT
        NO_ROOM TOO_MANY_ROOMS NOT_SUPPORTED
        NO_ANSWER
        NORMAL SHUTDOWN REPLACED SLOW_CONSUMER IDLE KICKED GATEWAY_LOST BUSY INTERNAL""";
    static final Map<String, Integer> SIZES = Map.of(
        "u8", 1, "u16", 2, "u32", 4, "u64", 8, "key", 32, "hash", 32, "nonce", 32, "epoch", 16, "sig", 64);
    private static final Map<String, Pattern> WORDS = Map.of(
        "nick", Pattern.compile("[a-z0-9_-]{1,32}"), "room", Pattern.compile("@?[a-z0-9_-]{1,32}"),
        "clause", Pattern.compile("[A-Z0-9-]{4,16}"),
        "target", Pattern.compile("(?:[a-z0-9._-]+|\\[[0-9a-f:.]+\\]):([1-9][0-9]{0,4})"));

    static final Map<String, Field> FIELD = new HashMap<>();
    static final List<Limit> LIMITS = new ArrayList<>();
    private static final Map<Integer, Layout> LAYOUT = new HashMap<>();
    static final Map<String, Integer> TYPE = new HashMap<>(), CODE = new HashMap<>();
    private static final Map<Long, String> CODE_NAMES = new HashMap<>();
    static final List<String> EVENTS = List.of("", "here", "joined", "left", "resync", "count");

    static {
        for (String[] row : rows(FIELDS)) {
            long least = row.length > 3 ? Long.parseLong(row[3]) : 0, most = row.length > 4 ? Long.parseLong(row[4]) : -1;
            addField(new Field(Integer.parseInt(row[0], 16), row[1], row[2], least, most));
        }
        for (String[] row : rows(ANNOUNCED)) {
            Limit limit = new Limit(row[1], Long.parseLong(row[2]), Long.parseLong(row[3]), Long.parseLong(row[4]));
            LIMITS.add(limit);
            addField(new Field(Integer.parseInt(row[0], 16), row[1], "u32", limit.least, limit.most));
        }
        String announced = LIMITS.stream().map(Limit::name).collect(Collectors.joining(" "));
        for (String[] row : rows(FRAMES.formatted(announced))) {
            List<String> names = List.of(row).subList(3, row.length);
            Map<Integer, Field> fields = new LinkedHashMap<>();
            for (String name : names) {
                Field field = FIELD.get(name.replace("?", ""));
                fields.put(field.tag, field);
            }
            List<String> required = names.stream().filter(name -> !name.endsWith("?")).toList();
            int type = Integer.parseInt(row[0]);
            LAYOUT.put(type, new Layout(type, row[1], row[2], required, fields));
            TYPE.put(row[1], type);
        }
        int code = 0;
        for (String[] names : rows(CLASSES)) {
            code = (code | 0xff) + 1; // the first of the next class is one above this
            for (int place = 0; place < names.length; place++) {
                CODE.put(names[place], code + place + 1);
                CODE_NAMES.put((long) code + place + 1, names[place]);
            }
        }
    }

    private Wire() {}

    private static List<String[]> rows(String table) {
        return Arrays.stream(table.split("[\n|]")).map(row -> row.trim().split("\\s+")).toList();
    }

    private static void addField(Field field) {
        FIELD.put(field.name, field);
    }

    /** The name of a code, or its number when it has none. */
    static Object codeName(long code) {
        return CODE_NAMES.containsKey(code) ? CODE_NAMES.get(code) : (Object) code;
    }

    static Object eventName(long event) {
        return event > 0 && event < EVENTS.size() ? EVENTS.get((int) event) : (Object) event;
    }

    // ---------------------------------------------------------------- values [3.5]
    static boolean isWord(String kind, String text) {
        Matcher matcher = WORDS.get(kind).matcher(text);
        if (!matcher.matches()) return false;
        return !kind.equals("target") || (text.length() <= 261 && Integer.parseInt(matcher.group(1)) <= 65535);
    }

    /** The text of well-formed UTF-8 without U+0000, or null (kind `utf8`). */
    static String textOf(byte[] octets) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(octets)).toString();
            return text.indexOf('\0') < 0 ? text : null;
        } catch (CharacterCodingException error) {
            return null;
        }
    }

    private static Object decodeValue(Field field, byte[] octets) {
        String fault = "field " + field.name;
        Integer size = SIZES.get(field.kind);
        if (size != null) {
            need(octets.length == size, "BAD_FRAME", "WIRE-21", fault);
            if (!field.kind.startsWith("u")) return octets;
            long value = 0;
            for (byte octet : octets) value = value << 8 | octet & 0xff;
            boolean inRange = !above(field.least, value) && !above(value, field.most);
            need(inRange, "BAD_FRAME", "WIRE-21", fault);
            return value;
        }
        need(octets.length >= field.least && octets.length <= field.most, "BAD_FRAME", "WIRE-21", fault);
        switch (field.kind) {
            case "opaque":
                return octets;
            case "versions":
                for (int i = 0; i < octets.length; i++) {
                    int last = i > 0 ? octets[i - 1] & 0xff : 0;
                    need((octets[i] & 0xff) > last, "BAD_FRAME", "WIRE-21", fault);
                }
                return octets;
            case "utf8":
                String text = textOf(octets);
                need(text != null, "BAD_TEXT", "WIRE-21", fault);
                return text;
            default:
                String word = new String(octets, StandardCharsets.ISO_8859_1);
                need(isWord(field.kind, word), "BAD_FRAME", "WIRE-21", fault);
                return word;
        }
    }

    /** Whether one number of 64 bits is above another; they have no sign. */
    static boolean above(long one, long other) {
        return Long.compareUnsigned(one, other) > 0;
    }

    // ---------------------------------------------------------------- frames [3.1 to 3.6]
    static byte[] encode(String name, byte[] body) {
        return ByteBuffer.allocate(HEADER + body.length).put(new byte[] {'P', 'R', VERSION, TYPE.get(name).byteValue()})
            .putInt(body.length).put(body).array();
    }

    static byte[] encode(String name, Fields fields) {
        return encode(name, fields.octets());
    }

    /** May refuse a type as soon as its header is there; `layout` is null for an unknown type. */
    interface Admission {
        void judge(int type, Layout layout);
    }

    static Frame decode(byte[] octets, int cap, String sender) {
        return decode(ByteBuffer.wrap(octets), cap, sender, (type, layout) -> {});
    }

    /** The first frame of what remains in `input`, or null while it is not whole (WIRE-11); takes nothing out of it. */
    static Frame decode(ByteBuffer input, int cap, String sender, Admission admission) {
        int at = input.position(), there = input.remaining();
        boolean isMagic = (there < 1 || input.get(at) == 'P') && (there < 2 || input.get(at + 1) == 'R');
        need(isMagic, "BAD_FRAME", "WIRE-02", "this is no frame");
        if (there < HEADER) return null;
        int version = input.get(at + 2) & 0xff, type = input.get(at + 3) & 0xff;
        long length = Integer.toUnsignedLong(input.getInt(at + 4));
        Layout layout = LAYOUT.get(type);
        need(version == VERSION, "UNSUPPORTED", "WIRE-04", "version " + version);
        need(length <= cap, "TOO_LARGE", "WIRE-06", "length " + length);
        admission.judge(type, layout);
        need(layout != null || type % 2 == 1, "UNSUPPORTED", "WIRE-14", "type " + type);
        need(type != TYPE.get("PUBLISH") || length <= cap - 256, "TOO_LARGE", "MSG-10", "length " + length);
        if (there < HEADER + length) return null;
        byte[] octets = new byte[HEADER + (int) length];
        input.get(at, octets);
        Frame frame = new Frame(layout == null ? null : layout.name, type, octets);
        if (layout != null) {
            decodeFields(frame, layout);
            checkTogether(frame, layout, sender);
        }
        return frame;
    }

    private static void decodeFields(Frame frame, Layout layout) {
        ByteBuffer octets = ByteBuffer.wrap(frame.octets).position(HEADER);
        boolean isPublish = layout.name.equals("PUBLISH"), isDeliver = layout.name.equals("DELIVER");
        int last = 0, count = 0;
        while (octets.hasRemaining()) {
            int start = octets.position();
            need(octets.remaining() >= 4, "BAD_FRAME", "WIRE-19", "octets are left over");
            int tag = octets.getShort() & 0xffff, length = octets.getShort() & 0xffff;
            Field field = layout.fields.get(tag);
            String name = field == null ? "0x%04x".formatted(tag) : field.name;
            need(last != HANDSHAKE_SIG, "BAD_FRAME", "WIRE-25", "a field after handshake_sig");
            need(tag != 0, "BAD_FRAME", "WIRE-17", "tag 0");
            need(tag > last, "BAD_FRAME", "WIRE-16", "tags do not ascend");
            need(++count <= (isPublish ? 24 : 32), "BAD_FRAME", isPublish ? "MSG-09" : "WIRE-18", "too many fields");
            need(!isPublish || tag <= AUTHOR_SIG, "BAD_FRAME", "MSG-09", "a tag above 0x4000");
            boolean isHandshake = layout.fields.containsKey(HANDSHAKE_SIG);
            need(tag <= SERVER_ZONE_LAST || isHandshake, "BAD_FRAME", "WIRE-24", "a tag above 0x7fff");
            if (field == null && tag % 2 == 0) { // only a DELIVER may hold what we do not know (MSG-14)
                need(isDeliver && tag < AUTHOR_SIG, "UNSUPPORTED", isPublish ? "MSG-15" : "WIRE-23", name);
                frame.displayable = false;
            }
            need(length <= octets.remaining(), "BAD_FRAME", "WIRE-19", "a field reaches beyond the end");
            byte[] value = new byte[length];
            octets.get(value);
            frame.fields.put(name, field == null ? value : decodeValue(field, value));
            frame.starts.put(tag, start);
            last = tag;
        }
    }

    /** Fields that stand together or not at all: WIRE-30 to WIRE-33. */
    private static void checkTogether(Frame frame, Layout layout, String sender) {
        for (String name : layout.required) need(frame.has(name), "BAD_FRAME", "WIRE-20", name + " is missing");
        String known = layout.fields.values().stream().map(Field::name).filter(frame::has).collect(Collectors.joining(" "));
        switch (layout.name) {
            case "ACK" -> {
                boolean fromServer = sender.equals("server");
                String due = fromServer ? "room_id limit_counter acked_counter acked_seq" : "room_id seen_seq limit_seq";
                need(known.equals(due), "BAD_FRAME", fromServer ? "WIRE-30" : "WIRE-31");
            }
            case "JOIN" -> need(!frame.has("epoch") || frame.has("after_seq"), "BAD_FRAME", "WIRE-32");
            case "MEMBER" -> {
                String due = switch ((int) frame.number("event")) {
                    case 1, 2, 3 -> "nick room_id event member_key at_seq";
                    case 4 -> "room_id event at_seq";
                    case 5 -> "room_id event at_seq count";
                    default -> known;
                };
                need(known.equals(due), "BAD_FRAME", "WIRE-33");
            }
            default -> {}
        }
    }
}
