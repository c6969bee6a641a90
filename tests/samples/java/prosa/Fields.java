// SPDX-License-Identifier: MIT
package prosa;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** The fields of a frame to be sent: a dictionary, and the one sequence of octets that it has (WIRE-16). */
final class Fields {
    private final TreeMap<Integer, byte[]> values = new TreeMap<>();

    /** A field by its name, or as "0x1a1b" with octets; null stands for none. */
    Fields with(String name, Object value) {
        Wire.Field field = Wire.FIELD.get(name);
        if (value != null) values.put(field == null ? Integer.decode(name) : field.tag(), encoded(field, value));
        return this;
    }

    Fields withAll(Fields others) {
        values.putAll(others.values);
        return this;
    }

    private static byte[] encoded(Wire.Field field, Object value) {
        if (value instanceof byte[] octets) return octets;
        if (value instanceof String text) return text.getBytes(StandardCharsets.UTF_8);
        byte[] octets = ByteBuffer.allocate(8).putLong(((Number) value).longValue()).array();
        return Arrays.copyOfRange(octets, 8 - Wire.SIZES.get(field.kind()), 8);
    }

    byte[] octets() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (Map.Entry<Integer, byte[]> field : values.entrySet()) {
            int tag = field.getKey(), length = field.getValue().length;
            out.writeBytes(new byte[] {(byte) (tag >> 8), (byte) tag, (byte) (length >> 8), (byte) length});
            out.writeBytes(field.getValue());
        }
        return out.toByteArray();
    }
}
