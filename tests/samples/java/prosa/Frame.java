// SPDX-License-Identifier: MIT
package prosa;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** A decoded frame: its octets as they came, and the values of its fields by name. */
final class Frame {
    final String name; // null: of an unknown odd type, to be ignored (WIRE-12)
    final int type;
    final byte[] octets;
    final Map<String, Object> fields = new LinkedHashMap<>(); // Long, String or byte[]
    final TreeMap<Integer, Integer> starts = new TreeMap<>(); // where the field of a tag begins
    boolean displayable = true; // MSG-14

    Frame(String name, int type, byte[] octets) {
        this.name = name;
        this.type = type;
        this.octets = octets;
    }

    boolean has(String field) {
        return fields.containsKey(field);
    }

    /** An integer; one of 64 bits is unsigned. */
    long number(String field) {
        return (long) fields.get(field);
    }

    String text(String field) {
        return (String) fields.get(field);
    }

    byte[] octets(String field) {
        return (byte[]) fields.get(field);
    }

    /** The octets of the fields with tags below this one. */
    byte[] before(int tag) {
        Map.Entry<Integer, Integer> next = starts.ceilingEntry(tag);
        return Arrays.copyOfRange(octets, Wire.HEADER, next == null ? octets.length : next.getValue());
    }

    byte[] body() {
        return Arrays.copyOfRange(octets, Wire.HEADER, octets.length);
    }
}
