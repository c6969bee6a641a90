// SPDX-License-Identifier: MIT

// Package prosa is what the server, the client and the codec have in common: numbers and names,
// frames, keys and hashes, and one end of a connection. Chapters of the text stand in brackets,
// requirements by their ids.
package prosa

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Tag, name, kind, least and most: values of integers, octets of the rest [3.5]. The numbers that
// CHALLENGE announces have their default behind [9.1].
const fieldTable = `
	0002 versions versions 1 8   | 0004 nonce nonce          | 0006 client_key key      | 0008 features u32
	000a target target 3 261     | 000c version u8 1         | 000e server_key key      | 0010 session u64
	0012 time u64                | 0040 nick nick 1 32       | 0041 display utf8 1 64   | 0042 room room 1 33
	0044 room_id hash            | 0046 epoch epoch          | 0050 send_window u32 1   | 0052 recv_window u32 2
	0054 after_seq u64           | 0056 granted_window u32 1 | 0058 last_counter u64    | 005a limit_counter u64
	005c acked_counter u64       | 005e acked_seq u64        | 0060 head_seq u64        | 0062 oldest_seq u64 1
	0064 start_seq u64 1         | 0066 seen_seq u64         | 0068 limit_seq u64       | 0070 event u8
	0072 member_key key          | 0074 at_seq u64           | 0076 count u32           | 0080 author_key key
	0082 counter u64 1           | 0084 sent_at u64          | 0086 text utf8 1 4096    | 0087 reply_to hash
	0090 seq u64                 | 0092 chain hash           | 00a0 opaque opaque 0 16  | 00b0 code u16 1
	00b2 reason utf8 1 255       | 00b3 after_ms u32         | 00b5 ref_type u8         | 00b7 clause clause 4 16
	4000 author_sig sig          | 4002 room_seq u64 1       | 4004 server_time u64     | 4005 prev_hash hash
	4006 server_sig sig          | fffe handshake_sig sig
	0020 max_frame u32 8192 65536 16384                      | 0022 max_rooms u32 1 65535 8
	0024 max_window u32 1 65535 64                           | 0026 token_rate u32 1 1000000 32
	0028 token_burst u32 1 1000000 64                        | 002a member_limit u32 0 400 256
	002c undecided_limit u32 16384 16777216 65536            | 002e output_limit u32 65536 67108864 262144
	0030 handshake_ms u32 50 600000 5000                     | 0032 ping_after_ms u32 50 3600000 15000
	0034 dead_after_ms u32 100 3600000 45000                 | 0036 slow_ms u32 50 3600000 10000
	0038 linger_ms u32 50 600000 2000`

// Type, name, who sends it, fields; "?" marks the optional ones [3.6].
const frameTable = `
	2 HELLO client versions nonce client_key features target
	4 CHALLENGE server versions nonce features version server_key max_frame max_rooms max_window token_rate token_burst member_limit undecided_limit output_limit handshake_ms ping_after_ms dead_after_ms slow_ms linger_ms handshake_sig
	6 AUTH client nick display? handshake_sig
	8 WELCOME server session time
	10 JOIN client room epoch? send_window recv_window after_seq?
	12 JOINED server room room_id epoch granted_window last_counter limit_counter head_seq oldest_seq start_seq
	14 LEAVE client room_id
	17 MEMBER server nick? room_id event member_key? at_seq count?
	20 PUBLISH client nick display? room_id author_key counter sent_at text reply_to? author_sig
	22 DELIVER server nick display? room_id author_key counter sent_at text reply_to? author_sig room_seq server_time prev_hash?
	24 ACK both room_id limit_counter? acked_counter? acked_seq? seen_seq? limit_seq?
	27 CHECKPOINT server time room_id seq chain server_sig
	30 PING both opaque
	32 PONG both opaque
	34 ERROR both room? room_id? counter? code reason after_ms? ref_type? clause?
	36 BYE both code reason? after_ms?`

// The codes of one class stand in a line, numbered from 1 [7.2].
const codeTable = `
	BAD_FRAME UNSUPPORTED TOO_LARGE BAD_TEXT
	BAD_KEY BAD_SIG NICK_TAKEN DENIED WRONG_AUTHOR PIN_MISMATCH DOWNGRADE FORK
	BAD_STATE FLOW_VIOLATION COUNTER_GAP COUNTER_REUSE WRONG_ROOM ACK_TOO_HIGH SEQ_GAP TIMEOUT
	NO_ROOM TOO_MANY_ROOMS NOT_SUPPORTED
	NO_ANSWER
	NORMAL SHUTDOWN REPLACED SLOW_CONSUMER IDLE KICKED GATEWAY_LOST BUSY INTERNAL`

// Features [8.2].
const (
	Liveness = 1 << iota
	Resume
)

// Events of MEMBER [14.4], and the optional fields that stand in one of each event (WIRE-33).
const (
	Here = 1 + iota
	Joined
	Left
	Resync
	Count
)

var EventNames = []string{"", "here", "joined", "left", "resync", "count"}
var eventFields = []string{"", "nick member_key", "nick member_key", "nick member_key", "", "count"}

// Field is a row of the table of fields, Type one of the table of frames.
type Field struct {
	Tag                  uint16
	Name, Kind           string
	Least, Most, Default uint64
}
type Type struct {
	Number     byte
	Name, From string
	fields     map[uint16]*Field
	required   []string
}

var (
	Fields      = map[string]*Field{}
	Types       = map[string]*Type{}
	types       = map[byte]*Type{}
	Codes       = map[string]uint64{}
	namesOfCode = map[uint64]string{}
)

func init() {
	for _, row := range strings.FieldsFunc(fieldTable, func(r rune) bool { return r == '|' || r == '\n' }) {
		field := &Field{Most: math.MaxUint64}
		fmt.Sscanf(row, "%x", &field.Tag)
		fmt.Sscan(row, new(string), &field.Name, &field.Kind, &field.Least, &field.Most, &field.Default)
		Fields[field.Name] = field
	}
	for _, row := range lines(frameTable) {
		words := strings.Fields(row)
		number, _ := strconv.Atoi(words[0])
		t := &Type{Number: byte(number), Name: words[1], From: words[2], fields: map[uint16]*Field{}}
		for _, word := range words[3:] {
			name := strings.TrimSuffix(word, "?")
			t.fields[Fields[name].Tag] = Fields[name]
			if name == word {
				t.required = append(t.required, name)
			}
		}
		Types[t.Name], types[t.Number] = t, t
	}
	for class, row := range lines(codeTable) {
		for i, name := range strings.Fields(row) {
			code := uint64((class+1)<<8 + i + 1)
			Codes[name], namesOfCode[code] = code, name
		}
	}
}

func lines(table string) []string { return strings.Split(strings.TrimSpace(table), "\n") }

// CodeName is the name of a code, or its number.
func CodeName(code uint64) string {
	if name, known := namesOfCode[code]; known {
		return name
	}
	return strconv.FormatUint(code, 10)
}

// IsFatal: classes 04 and 05 leave the connection as it is, all others end it (ERR-04, ERR-05).
func IsFatal(code uint64) bool { return code>>8 != 4 && code>>8 != 5 }

// Fault is something wrong: the code for the ERROR, the requirement, words for people, and fields
// that name the culprit.
type Fault struct {
	Code, Clause, Reason string
	About                Body
}

// Need stops at a Fault when the condition does not hold. Try runs what may stop so.
func Need(good bool, code, clause, reason string) {
	if !good {
		panic(&Fault{code, clause, reason, nil})
	}
}
func Try(action func()) (fault *Fault) {
	defer func() {
		if stopped := recover(); stopped != nil {
			known, ok := stopped.(*Fault)
			if !ok {
				panic(stopped)
			}
			fault = known
		}
	}()
	action()
	return nil
}
