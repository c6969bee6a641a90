// SPDX-License-Identifier: MIT
package prosa;

import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Text for people and for programs: the JSON projection [3.7], and what must not be printed (MSG-19). */
final class Json {
    private static final Pattern UNPRINTABLE = Pattern.compile(
        "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff]");

    private Json() {}

    /** Text for people, with a visible stand-in for each character that must not be printed. */
    static String visible(Object text) {
        return UNPRINTABLE.matcher(String.valueOf(text)).replaceAll(m -> "<u%04x>".formatted((int) m.group().charAt(0)));
    }

    /** Members of an object in their order: name, value, name, value; null stands for none. */
    static Map<String, Object> object(Object... members) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < members.length; i += 2) {
            if (members[i + 1] != null) object.put((String) members[i], members[i + 1]);
        }
        return object;
    }

    /** One line; octets are written in hexadecimal. */
    static String line(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream().map(member -> line(member.getKey()) + ":" + line(member.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof byte[] octets) return line(HexFormat.of().formatHex(octets));
        if (value instanceof int[] numbers) {
            return java.util.Arrays.toString(numbers);
        }
        if (!(value instanceof String text)) return String.valueOf(value);
        String escaped = text.replace("\\", "\\\\").replace("\"", "\\\"");
        return '"' + UNPRINTABLE.matcher(escaped).replaceAll(m -> "\\\\u%04x".formatted((int) m.group().charAt(0))) + '"';
    }

    /** The value of a field as JSON has it: a u64 as digits, a code or event by its name. */
    static Object plain(String name, Object value) {
        Wire.Field field = Wire.FIELD.get(name);
        if (field == null || value == null) return value;
        if (field.kind().equals("u64")) return Long.toUnsignedString((long) value);
        if (field.kind().equals("versions")) {
            byte[] octets = (byte[]) value;
            return java.util.stream.IntStream.range(0, octets.length).map(i -> octets[i] & 0xff).toArray();
        }
        return name.equals("code") ? Wire.codeName((long) value) : name.equals("event") ? Wire.eventName((long) value) : value;
    }

    /** The picture of a frame (WIRE-34). */
    static Map<String, Object> project(Frame frame) {
        int length = frame.octets.length - Wire.HEADER;
        Map<String, Object> picture = new LinkedHashMap<>();
        picture.put("frame", frame.name);
        picture.putAll(object("type", frame.type, "version", Wire.VERSION, "length", length));
        if (frame.name == null) return picture;
        Map<String, Object> fields = new LinkedHashMap<>();
        frame.fields.forEach((name, value) -> fields.put(name, plain(name, value)));
        picture.put("fields", fields);
        return picture;
    }
}
