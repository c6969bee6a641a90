// SPDX-License-Identifier: MIT
package prosa;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The codec of section 13.5, level L0 without a connection: a request a line, an answer a line. */
final class Codec {
    private static final Map<String, Object> UNSUPPORTED = Json.object("verdict", "unsupported"); // CON-13

    public static void main(String[] words) {
        Program.checkLevel();
        Program.readLines(line -> Program.OUT.println(Json.line(answer(new String(line, StandardCharsets.UTF_8)))));
    }

    private static Map<String, Object> answer(String line) {
        String[] words = line.split(" ", -1);
        try {
            return answer(words[0], List.of(words).subList(1, words.length));
        } catch (Fault fault) {
            return Json.object("verdict", "error", "error", fault.name);
        } catch (IllegalArgumentException error) { // bad hexadecimal, no number, another frame
            return UNSUPPORTED;
        }
    }

    private static Map<String, Object> answer(String request, List<String> words) {
        return switch (request + " " + words.size()) {
            case "decode 3" -> decode(words.get(0), Integer.parseUnsignedInt(words.get(1)), octets(words.get(2)));
            case "key 1" -> verdict(Crypto.keyIsGood(octets(words.get(0))));
            case "verify 3" -> verdict(Crypto.verify(octets(words.get(0)), octets(words.get(1)), octets(words.get(2))));
            case "sign 2" -> sign(octets(words.get(0)), octets(words.get(1)));
            case "message 1" -> message(parse(words.get(0), "PUBLISH", "DELIVER"));
            case "room-id 3", "room-id 4" -> words.get(2).equals("@host") != (words.size() > 3) ? UNSUPPORTED
                : Json.object("room_id", Crypto.roomId(octets(words.get(0)), octets(words.get(1)),
                words.get(2), octets(words.size() > 3 ? words.get(3) : "-")));
            case "handshake 2", "handshake 3" -> handshake(parse(words.get(0), "HELLO"), parse(words.get(1), "CHALLENGE"),
                words.size() > 2 ? parse(words.get(2), "AUTH") : null);
            case "chain-start 1" -> Json.object("hash", Crypto.chainStart(octets(words.get(0))));
            case "chain 4" -> Json.object("hash", Crypto.chainNext(octets(words.get(0)), Long.parseUnsignedLong(words.get(1)),
                Long.parseUnsignedLong(words.get(2)), octets(words.get(3))));
            case "checkpoint 2" ->
                verdict(Crypto.checkpointIsSigned(octets(words.get(0)), parse(words.get(1), "CHECKPOINT")));
            default -> UNSUPPORTED;
        };
    }

    private static byte[] octets(String word) {
        if (word.isEmpty() || !word.equals(word.toLowerCase())) throw new IllegalArgumentException("not lower-case hex");
        return word.equals("-") ? new byte[0] : Crypto.HEX.parseHex(word);
    }

    private static Frame parse(String word, String... names) {
        Frame frame = Wire.decode(octets(word), 65536, "client");
        if (frame == null || !List.of(names).contains(String.valueOf(frame.name))) {
            throw new IllegalArgumentException("not a frame of this type");
        }
        return frame;
    }

    private static Map<String, Object> verdict(boolean good) {
        return Json.object("verdict", good ? "valid" : "invalid");
    }

    private static Map<String, Object> decode(String sender, int cap, byte[] octets) {
        if (!sender.equals("client") && !sender.equals("server")) return UNSUPPORTED;
        Frame frame = Wire.decode(octets, cap, sender);
        if (frame == null) return Json.object("verdict", "partial");
        int consumed = frame.octets.length;
        if (frame.name == null) return Json.object("verdict", "ignored", "consumed", consumed, "frame", Json.project(frame));
        Fields again = new Fields();
        frame.fields.forEach(again::with);
        return Json.object("verdict", "frame", "consumed", consumed, "frame", Json.project(frame),
            "encoded", Wire.encode(frame.name, again), "displayable", frame.displayable);
    }

    private static Map<String, Object> sign(byte[] seed, byte[] message) {
        if (seed.length != 32) return UNSUPPORTED;
        Crypto.KeyPair keys = Crypto.KeyPair.of(seed);
        return Json.object("key", keys.key(), "signature", keys.sign(message));
    }

    private static Map<String, Object> message(Frame frame) {
        return Json.object("verdict", Crypto.messageIsSigned(frame) ? "valid" : "invalid",
            "author_zone", frame.before(Wire.AUTHOR_SIG), "id", Crypto.messageId(frame));
    }

    private static Map<String, Object> handshake(Frame hello, Frame challenge, Frame auth) {
        boolean server = Crypto.challengeIsSigned(hello.octets, challenge);
        Map<String, Object> answer = Json.object("th1", Crypto.th1(hello.octets, challenge.octets),
            "th2", Crypto.th2(hello.octets, challenge.octets), "server_auth", server ? "valid" : "invalid");
        if (auth != null) {
            byte[] key = hello.octets("client_key");
            boolean client = Crypto.authIsSigned(key, hello.octets, challenge.octets, auth);
            answer.put("client_auth", client ? "valid" : "invalid");
        }
        return answer;
    }
}
