// SPDX-License-Identifier: MIT

package prosa

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	Version, HeaderSize, HandshakeCap, MaxFrameCeiling = 1, 8, 1024, 65536
	authorSigTag, serverZoneLast, handshakeSigTag      = 0x4000, 0x7fff, 0xfffe
)

var sizes = map[string]int{"u8": 1, "u16": 2, "u32": 4, "u64": 8, "key": 32, "hash": 32, "nonce": 32, "epoch": 16, "sig": 64}
var words = map[string]*regexp.Regexp{
	"nick":   regexp.MustCompile(`^[a-z0-9_-]{1,32}$`),
	"room":   regexp.MustCompile(`^@?[a-z0-9_-]{1,32}$`),
	"clause": regexp.MustCompile(`^[A-Z0-9-]{4,16}$`),
	"target": regexp.MustCompile(`^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):([1-9][0-9]{0,4})$`),
}

// IsWord tells whether the text is one of the kind: nick, room, clause or target [3.5].
func IsWord(kind, text string) bool {
	parts := words[kind].FindStringSubmatch(text)
	if parts == nil || kind != "target" {
		return parts != nil
	}
	port, _ := strconv.Atoi(parts[1])
	return len(text) <= 261 && port <= 65535
}

// check judges a value by its row (WIRE-21).
func (f *Field) check(octets []byte) {
	good := func(good bool) { Need(good, "BAD_FRAME", "WIRE-21", "the value of "+f.Name) }
	within := func(n uint64) { good(f.Least <= n && n <= f.Most) }
	if size, fixed := sizes[f.Kind]; fixed {
		good(len(octets) == size)
		if f.Kind[0] == 'u' {
			within(number(octets))
		}
		return
	}
	within(uint64(len(octets)))
	switch f.Kind {
	case "opaque":
	case "versions":
		for i, version := range octets {
			good(version > 0 && (i == 0 || version > octets[i-1]))
		}
	case "utf8":
		Need(utf8.Valid(octets) && bytes.IndexByte(octets, 0) < 0, "BAD_TEXT", "WIRE-21", "the text of "+f.Name)
	default:
		good(IsWord(f.Kind, string(octets)))
	}
}

func number(octets []byte) (n uint64) {
	for _, octet := range octets {
		n = n<<8 | uint64(octet)
	}
	return n
}

// Frame is a frame as it came. Type is nil for one that WIRE-12 ignores.
type Frame struct {
	*Type
	Octets      []byte
	Displayable bool // MSG-14
	values      []value
}
type value struct {
	tag    uint16
	field  *Field // nil when the row does not list the tag
	octets []byte
}

// Get gives the octets of a field, nil when it is absent; Number and Text read them.
func (f *Frame) Get(name string) []byte {
	for _, v := range f.values {
		if v.field != nil && v.field.Name == name {
			return v.octets
		}
	}
	return nil
}

// Value is a field as its kind says: an integer of 64 bits, text, or octets.
func (f *Frame) Value(name string) any {
	switch Fields[name].Kind {
	case "u8", "u16", "u32":
		return int(f.Number(name))
	case "u64":
		return f.Number(name)
	case "utf8", "nick", "room":
		return f.Text(name)
	}
	return f.Get(name)
}
func (f *Frame) Has(name string) bool      { return f.Get(name) != nil }
func (f *Frame) Number(name string) uint64 { return number(f.Get(name)) }
func (f *Frame) Text(name string) string   { return string(f.Get(name)) }
func (f *Frame) Time(name string) time.Duration {
	return time.Duration(f.Number(name)) * time.Millisecond
}

// before gives the fields whose tags are below this one, as they came.
func (f *Frame) before(tag uint16) []byte {
	end := HeaderSize
	for _, v := range f.values {
		if v.tag < tag {
			end += 4 + len(v.octets)
		}
	}
	return f.Octets[HeaderSize:end]
}

// Decode reads the first frame of the input: nil while it is not whole (WIRE-11). It stops at a
// Fault. `admit` may refuse a type before the body is there [3.2].
func Decode(input []byte, maxLength int, from string, admit func(t *Type)) *Frame {
	Need(bytes.HasPrefix([]byte("PR"), input) || bytes.HasPrefix(input, []byte("PR")), "BAD_FRAME", "WIRE-02", "this is no frame")
	if len(input) < HeaderSize {
		return nil
	}
	kind, length := input[3], uint64(binary.BigEndian.Uint32(input[4:]))
	t := types[kind]
	Need(input[2] == Version, "UNSUPPORTED", "WIRE-04", fmt.Sprint("version ", input[2]))
	Need(length <= uint64(maxLength), "TOO_LARGE", "WIRE-06", fmt.Sprint("length ", length))
	if admit != nil {
		admit(t)
	}
	Need(t != nil || kind%2 == 1, "UNSUPPORTED", "WIRE-14", fmt.Sprint("type ", kind))
	Need(t != Types["PUBLISH"] || length+256 <= uint64(maxLength), "TOO_LARGE", "MSG-10", fmt.Sprint("length ", length))
	if uint64(len(input)) < HeaderSize+length {
		return nil
	}
	f := &Frame{Type: t, Octets: append([]byte{}, input[:HeaderSize+length]...), Displayable: true}
	if t != nil {
		f.decodeFields()
		f.checkTogether(from)
	}
	return f
}

func (f *Frame) decodeFields() {
	check := func(good bool, clause, why string) { Need(good, "BAD_FRAME", clause, why) }
	publish, deliver := f.Name == "PUBLISH", f.Name == "DELIVER"
	last, mostFields, fieldsClause := uint16(0), 32, "WIRE-18"
	if publish {
		mostFields, fieldsClause = 24, "MSG-09"
	}
	for rest := f.Octets[HeaderSize:]; len(rest) > 0; {
		check(len(rest) >= 4, "WIRE-19", "octets are left over")
		tag, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		field, name := f.fields[tag], hexTag(tag)
		check(last != handshakeSigTag, "WIRE-25", "a field after handshake_sig")
		check(tag != 0, "WIRE-17", "tag 0")
		check(tag > last, "WIRE-16", "tags do not ascend")
		check(len(f.values) < mostFields, fieldsClause, "too many fields")
		check(!publish || tag <= authorSigTag, "MSG-09", "tag "+name)
		check(tag <= serverZoneLast || f.fields[handshakeSigTag] != nil, "WIRE-24", "tag "+name)
		if field == nil && tag%2 == 0 {
			Need(deliver && tag < authorSigTag, "UNSUPPORTED", "WIRE-23", "tag "+name)
			f.Displayable = false
		}
		check(len(rest) >= 4+size, "WIRE-19", "a field reaches beyond the end")
		if field != nil {
			field.check(rest[4 : 4+size])
		}
		f.values = append(f.values, value{tag, field, rest[4 : 4+size : 4+size]})
		last, rest = tag, rest[4+size:]
	}
}

// checkTogether judges what has to be there (WIRE-20), and what stands together (WIRE-30 to WIRE-33).
func (f *Frame) checkTogether(from string) {
	exactly := func(clause, listed, wanted string) {
		for _, name := range strings.Fields(listed) {
			Need(f.Has(name) == strings.Contains(" "+wanted+" ", " "+name+" "), "BAD_FRAME", clause, "the field "+name)
		}
	}
	for _, name := range f.required {
		Need(f.Has(name), "BAD_FRAME", "WIRE-20", name+" is missing")
	}
	const ofServer, ofClient = "limit_counter acked_counter acked_seq", "seen_seq limit_seq"
	switch event := f.Number("event"); {
	case f.Name == "ACK" && from == "server":
		exactly("WIRE-30", ofServer+" "+ofClient, ofServer)
	case f.Name == "ACK":
		exactly("WIRE-31", ofServer+" "+ofClient, ofClient)
	case f.Name == "JOIN":
		Need(!f.Has("epoch") || f.Has("after_seq"), "BAD_FRAME", "WIRE-32", "an epoch without after_seq")
	case f.Name == "MEMBER" && Here <= event && event <= Count:
		exactly("WIRE-33", "nick member_key count", eventFields[event])
	}
}

func hexTag(tag uint16) string { return fmt.Sprintf("0x%04x", tag) }

// Body is the fields of a frame to be sent: by name, or as "0x1a1b". Values are octets, text or
// integers; nil stands for none.
type Body map[string]any

// EncodeFields puts the fields into their one sequence of octets (WIRE-16).
func EncodeFields(body Body) (octets []byte) {
	var values []value
	for name, content := range body {
		tag, _ := strconv.ParseUint(name, 0, 16)
		field := Fields[name]
		if field != nil {
			tag = uint64(field.Tag)
		}
		v := value{tag: uint16(tag)}
		switch content := content.(type) {
		case []byte:
			v.octets = content
		case string:
			v.octets = []byte(content)
		case uint64:
			v.octets = U64(content)[8-sizes[field.Kind]:]
		}
		if v.octets != nil {
			values = append(values, v)
		}
	}
	sort.Slice(values, func(i, j int) bool { return values[i].tag < values[j].tag })
	return encodeValues(values)
}
func encodeValues(values []value) (octets []byte) {
	for _, v := range values {
		octets = binary.BigEndian.AppendUint16(octets, v.tag)
		octets = binary.BigEndian.AppendUint16(octets, uint16(len(v.octets)))
		octets = append(octets, v.octets...)
	}
	return octets
}

// Encode makes a frame of this name; Encoded makes the same octets anew from what was decoded.
func Encode(name string, body Body) []byte { return EncodeFrame(name, EncodeFields(body)) }
func (f *Frame) Encoded() []byte           { return EncodeFrame(f.Name, encodeValues(f.values)) }
func EncodeFrame(name string, fields []byte) []byte {
	header := []byte{'P', 'R', Version, Types[name].Number}
	return append(binary.BigEndian.AppendUint32(header, uint32(len(fields))), fields...)
}
func U64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// isUnprintable: the characters of MSG-19.
func isUnprintable(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f || r == 0x61c || 0x200b <= r && r <= 0x200f ||
		0x2028 <= r && r <= 0x202e || 0x2060 <= r && r <= 0x2069 || r == 0xfeff
}
func replaceUnprintable(text, format string) string {
	var out strings.Builder
	for _, r := range text {
		if isUnprintable(r) {
			fmt.Fprintf(&out, format, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Visible is text for people, with a stand-in for what must not be printed.
func Visible(text string) string { return replaceUnprintable(text, "<u%04x>") }

// JSON is one line: octets in hexadecimal, u64 as a string of digits, nothing unprintable.
func JSON(object Body) string {
	plain := map[string]any{}
	for name, content := range object {
		switch content := content.(type) {
		case []byte:
			plain[name] = hex.EncodeToString(content)
		case uint64:
			plain[name] = strconv.FormatUint(content, 10)
		default:
			plain[name] = content
		}
	}
	line, _ := json.Marshal(plain)
	return replaceUnprintable(string(line), `\u%04x`)
}

// Projection is the picture of a frame in JSON, its fields in the order of the wire [3.7].
func (f *Frame) Projection() json.RawMessage {
	header := fmt.Sprintf(`"type":%d,"version":%d,"length":%d`, f.Octets[3], f.Octets[2], len(f.Octets)-HeaderSize)
	if f.Type == nil {
		return json.RawMessage(`{"frame":null,` + header + `}`)
	}
	var fields []string
	for _, v := range f.values {
		name, content := hexTag(v.tag), any(hex.EncodeToString(v.octets))
		if v.field != nil {
			name, content = v.field.Name, v.project()
		}
		text, _ := json.Marshal(content)
		fields = append(fields, fmt.Sprintf(`"%s":%s`, name, text))
	}
	return json.RawMessage(fmt.Sprintf(`{"frame":"%s",%s,"fields":{%s}}`, f.Name, header, strings.Join(fields, ",")))
}
func (v value) project() any {
	n := number(v.octets)
	switch kind := v.field.Kind; {
	case v.field.Name == "code" && namesOfCode[n] != "":
		return namesOfCode[n]
	case v.field.Name == "event" && Here <= n && n <= Count:
		return EventNames[n]
	case kind == "u64":
		return strconv.FormatUint(n, 10)
	case kind == "u8" || kind == "u16" || kind == "u32":
		return n
	case kind == "versions":
		return json.RawMessage(strings.ReplaceAll(fmt.Sprint(v.octets), " ", ","))
	case sizes[kind] > 0 || kind == "opaque":
		return hex.EncodeToString(v.octets)
	}
	return string(v.octets)
}
