// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"time"

	"prosa-sample/prosa"
)

const recvWindow = 64

// What outlives a connection, and the program: where this person is in the room, and the messages that
// have no ACK (RES-07, RES-15).
var (
	epoch  []byte // of the room; nil before the first JOINED
	seen   uint64 // the last room_seq that was shown
	outbox []*prosa.Frame
)

// The file has the octets that a next session would send: JOIN and PUBLISHes.
func statePath() string { return filepath.Join(data, target+" "+roomName) }
func load() {
	stored, _ := os.ReadFile(statePath())
	for len(stored) > 0 {
		f := prosa.Decode(stored, prosa.MaxFrameCeiling, "client", nil)
		if f.Name == "JOIN" {
			epoch, seen = f.Get("epoch"), f.Number("after_seq")
		} else {
			outbox = append(outbox, f)
		}
		stored = stored[len(f.Octets):]
	}
}
func save() {
	octets := prosa.Encode("JOIN", joinBody())
	for _, f := range outbox {
		octets = append(octets, f.Octets...)
	}
	prosa.Check(os.WriteFile(statePath()+".new", octets, 0o600))
	prosa.Check(os.Rename(statePath()+".new", statePath()))
}
func joinBody() prosa.Body {
	window := uint64(16)
	if level < 2 {
		window = 1
	}
	body := prosa.Body{"room": roomName, "send_window": window, "recv_window": uint64(recvWindow)}
	if epoch != nil {
		body["epoch"], body["after_seq"] = epoch, seen
	}
	return body
}

// A session is one connection, from HELLO to its end.
type session struct {
	*prosa.Link
	hello       []byte
	challenge   *prosa.Frame
	room        *prosa.Frame      // JOINED; nil before
	sent, acked uint64            // counters
	limit       uint64            // the highest counter that may be sent
	told        uint64            // the last seen_seq that the server has
	limitSeq    uint64            // the highest room_seq that may come
	counters    map[string]uint64 // the last one of each author (MSG-28)
	isRefused   bool              // the JOIN had an ERROR for an answer
	end         *ending
}

func begin(socket net.Conn) *session {
	s := &session{counters: map[string]uint64{}}
	s.Link = prosa.Attach(socket, s, "server", "CHALLENGE", 5*time.Second, 2*time.Second) // AUTH-23
	body := prosa.Body{"versions": []byte{prosa.Version}, "nonce": prosa.Random(32), "client_key": keys.Public,
		"features": features, "target": target, "0x1a1b": []byte("grease")} // WIRE-27
	s.hello = prosa.Encode("HELLO", body)
	s.SendOctets(s.hello)
	return s
}

func (s *session) Take(f *prosa.Frame) {
	switch f.Name {
	case "CHALLENGE":
		s.takeChallenge(f)
	case "WELCOME":
		s.takeWelcome()
	case "JOINED":
		s.takeJoined(f)
	case "DELIVER":
		s.takeDeliver(f)
	case "ACK":
		s.takeAck(f)
	case "MEMBER":
		s.needRoom(f, "MSG-18")
		if event := f.Number("event"); prosa.Here <= event && event <= prosa.Count {
			s.emit("member", f, prosa.Body{"change": prosa.EventNames[event]}, "nick", "member_key", "count")
		}
	case "ERROR":
		s.takeError(f)
	case "BYE":
		s.over(endingOf("goodbye", f))
		prosa.Note("the server says goodbye: %s %s", s.end.code, s.end.reason)
	}
}

// emit makes an event from fields of a frame, those that are there, and other members.
func (s *session) emit(event string, f *prosa.Frame, others prosa.Body, names ...string) {
	others["room"] = roomName
	for _, name := range names {
		if f.Has(name) {
			others[name] = f.Value(name)
		}
	}
	emit(event, others)
}

// takeChallenge makes the checks of AUTH-13: key, pin, signature, version.
func (s *session) takeChallenge(f *prosa.Frame) {
	key, known := f.Get("server_key"), pinned()
	prosa.Need(prosa.KeyIsGood(key) && !bytes.Equal(key, keys.Public), "BAD_KEY", "AUTH-13", "this key is not accepted")
	if known != "" && known != hex.EncodeToString(key) {
		expected, _ := hex.DecodeString(known)
		prosa.Need(false, "PIN_MISMATCH", "ID-05", "the server's key is "+prosa.Fingerprint(key)+
			", and the pinned one "+prosa.Fingerprint(expected))
	}
	prosa.Need(prosa.ChallengeIsSigned(s.hello, f), "BAD_SIG", "AUTH-13", "the signature does not verify")
	isHighest := f.Number("version") == prosa.Version && bytes.IndexByte(f.Get("versions"), prosa.Version) >= 0
	prosa.Need(isHighest, "DOWNGRADE", "AUTH-13", "not the highest version in common")
	if known == "" {
		pin(key)
	}
	s.challenge, s.Due, s.Deadline, s.Linger = f, "WELCOME", f.Time("handshake_ms"), f.Time("linger_ms")
	body := prosa.Body{"nick": nick}
	signature := keys.Sign(prosa.Label("client-auth"), prosa.TH2(s.hello, f.Octets), prosa.EncodeFields(body)) // AUTH-15
	s.Send("AUTH", prosa.Body{"nick": nick, "handshake_sig": signature})
}

func (s *session) takeWelcome() {
	active := s.challenge.Number("features") & features // AUTH-11
	resumes = active&prosa.Resume != 0
	s.Ready(s.challenge, active)
	body := joinBody()
	if !resumes {
		delete(body, "epoch")
		delete(body, "after_seq")
	}
	s.Send("JOIN", body)
}

// takeJoined finds out what of the past still holds: RES-03 for what was seen, RES-08 for what was sent.
func (s *session) takeJoined(f *prosa.Frame) {
	prosa.Need(s.room == nil && !s.isRefused && f.Text("room") == roomName, "BAD_STATE", "FLOW-01", "no JOIN asked for this")
	id := prosa.RoomID(s.challenge.Get("server_key"), f.Get("epoch"), roomName, keys.Public)
	prosa.Need(bytes.Equal(id, f.Get("room_id")), "WRONG_ROOM", "MSG-23", "room_id is not that of this epoch")
	last, isSame := f.Number("last_counter"), bytes.Equal(epoch, f.Get("epoch"))
	isLost := resumes && epoch != nil && (!isSame || f.Number("head_seq") < seen || f.Number("oldest_seq") > seen+1)
	s.emit("joined", f, prosa.Body{"server_key": s.challenge.Get("server_key"), "lost_history": isLost},
		"room_id", "epoch", "last_counter", "start_seq")
	s.room, s.sent, s.acked, s.limit = f, last, last, f.Number("limit_counter")
	s.told = f.Number("start_seq") - 1
	s.limitSeq = s.told + recvWindow
	for ; isSame && len(outbox) > 0 && outbox[0].Number("counter") <= last; outbox = outbox[1:] {
		s.emit("acked", outbox[0], prosa.Body{}, "counter")
	}
	if len(outbox) > 0 && (!isSame || outbox[0].Number("counter") != last+1) {
		for _, lost := range outbox {
			s.emit("error", lost, prosa.Body{"from": "client", "code": "WRONG_ROOM", "reason": "not sent: its room is gone"}, "counter")
		}
		outbox = nil
	}
	epoch, seen, attempts = f.Get("epoch"), s.told, 0
	save()
	goOn()
}

func (s *session) needRoom(f *prosa.Frame, clause string) {
	isJoined := s.room != nil && bytes.Equal(f.Get("room_id"), s.room.Get("room_id"))
	prosa.Need(isJoined, "WRONG_ROOM", clause, "this room is not joined")
}

func (s *session) takeDeliver(f *prosa.Frame) {
	s.needRoom(f, "MSG-18")
	prosa.Need(f.Number("room_seq") == seen+1, "SEQ_GAP", "MSG-17", "room_seq is not the next one")
	prosa.Need(f.Number("room_seq") <= s.limitSeq, "FLOW_VIOLATION", "FLOW-19", "room_seq is beyond the limit")
	seen++
	author, counter := string(f.Get("author_key")), f.Number("counter")
	last, isKnown := s.counters[author]
	complain := func(code, reason string) {
		s.emit("error", f, prosa.Body{"from": "client", "code": code, "reason": reason}, "counter")
	}
	switch {
	case !f.IsSigned(): // MSG-16
		complain("BAD_SIG", "a message that its author has not signed")
	case !f.Displayable: // MSG-14
		complain("UNSUPPORTED", "a message that cannot be displayed")
	default:
		if isKnown && counter != last+1 { // MSG-28
			complain("COUNTER_GAP", "a message of this author was left out or repeated")
		}
		s.counters[author] = counter
		s.emit("message", f, prosa.Body{"id": f.ID(), "own": author == string(keys.Public)}, "room_seq", "nick", "author_key",
			"counter", "sent_at", "server_time", "text", "display", "reply_to")
	}
	if seen-s.told >= recvWindow/2 { // FLOW-17
		s.tellSeen()
	}
}

// tellSeen stores where we are, and raises the limit: one ACK for many messages (FLOW-16).
func (s *session) tellSeen() {
	save()
	s.told, s.limitSeq = seen, seen+recvWindow
	s.Send("ACK", prosa.Body{"room_id": s.room.Get("room_id"), "seen_seq": seen, "limit_seq": s.limitSeq})
}

func (s *session) takeAck(f *prosa.Frame) {
	s.needRoom(f, "FLOW-15")
	acked := f.Number("acked_counter")
	prosa.Need(acked <= s.sent, "ACK_TOO_HIGH", "FLOW-14", "an ACK of what was not sent")
	if f.Number("limit_counter") > s.limit { // FLOW-12
		s.limit = f.Number("limit_counter")
	}
	if acked > s.acked {
		for s.acked++; s.acked < acked; s.acked++ {
			s.emit("acked", nil, prosa.Body{"counter": s.acked})
		}
		s.emit("acked", f, prosa.Body{"counter": acked, "room_seq": f.Number("acked_seq")})
		for len(outbox) > 0 && outbox[0].Number("counter") <= acked {
			outbox = outbox[1:]
		}
		save()
	}
	goOn()
}

// publish sends what the limit allows (FLOW-20): first what was kept, byte-identical, then new lines. A
// message is stored before it is sent.
func (s *session) publish() {
	for s.room != nil && !s.Closing && s.sent < s.limit {
		kept := int(s.sent - s.acked)
		if kept == len(outbox) {
			if len(lines) == 0 {
				return
			}
			body := prosa.Body{"nick": nick, "room_id": s.room.Get("room_id"), "counter": s.sent + 1,
				"sent_at": uint64(time.Now().UnixMilli()), "text": lines[0], "0x1a1b": []byte("grease")}
			octets := prosa.EncodeFrame("PUBLISH", keys.Compose(body))
			outbox = append(outbox, prosa.Decode(octets, prosa.MaxFrameCeiling, "client", nil))
			lines = lines[1:]
			save()
		}
		s.sent++
		s.SendOctets(outbox[kept].Octets)
	}
}

// isAnswered: in @host with a window of one the limit rises behind the answer (FLOW-28).
func (s *session) isAnswered() bool {
	return s.room != nil && (roomName != "@host" || s.room.Number("granted_window") > 1 || s.sent < s.limit)
}

func (s *session) takeError(f *prosa.Frame) {
	e := endingOf("error", f)
	s.emit("error", f, prosa.Body{"from": "server", "code": e.code}, "reason", "room", "counter")
	switch code := f.Number("code"); {
	case prosa.IsFatal(code) || s.Due != "":
		s.over(e)
	case code>>8 == 4 && s.room == nil && f.Text("room") == roomName: // CON-12: the only room is refused
		s.isRefused = true
		s.leave(&ending{how: "goodbye", code: e.code, reason: e.reason, exit: 1})
	}
}

// endingOf reads a BYE or an ERROR: exit code, and whether to come back (RES-13).
func endingOf(how string, f *prosa.Frame) *ending {
	code := f.Number("code")
	return judge(&ending{how: how, reason: f.Text("reason"), after: f.Time("after_ms")}, code)
}
func judge(e *ending, code uint64) *ending {
	e.code = prosa.CodeName(code)
	switch {
	case e.code == "NORMAL":
		e.exit = 0
	case code>>8 == 2:
		e.exit = 4
	case code>>8 == 6:
		e.exit = 6
	default:
		e.exit = 1
	}
	isMeant := e.code == "NORMAL" || e.code == "REPLACED" || e.code == "KICKED" || code>>8 == 1 || code>>8 == 2
	e.again = resumes && !isMeant
	return e
}

// over: the first reason counts (END-11).
func (s *session) over(e *ending) {
	if s.end == nil {
		s.end = e
	}
}
func (s *session) leave(e *ending) {
	if s.Due == "" {
		e.code = "NORMAL"
		s.over(e)
		s.Bye("NORMAL", e.reason)
	} else { // END-06
		s.over(e)
		s.Close()
	}
}

func (s *session) tick() {
	if s.room != nil && seen > s.told {
		s.tellSeen()
	}
	s.Tick()
}
func (s *session) Failed(fault *prosa.Fault) {
	emit("error", prosa.Body{"from": "client", "code": fault.Code, "reason": fault.Reason, "room": roomName})
	s.over(judge(&ending{how: "error", reason: fault.Reason}, prosa.Codes[fault.Code]))
}
func (s *session) Ended(how string) {
	reason := "the server vanished without a goodbye"
	if how == "silence" || how == "late" {
		how, reason = "silence", "the server fell silent"
	}
	s.over(&ending{how: how, reason: reason, exit: 5, again: resumes})
	if how == "silence" {
		s.Close()
	}
}
func (s *session) Gone() { ended(s.end) }
