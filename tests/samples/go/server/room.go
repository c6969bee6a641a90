// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"

	"prosa-sample/prosa"
)

const epochSize = 16

// A room is its log: a file with the epoch in front and one DELIVER behind the other. What write(2) has
// taken survives kill -9 (FLOW-09); so a message is committed before anybody sees it (FLOW-26).
type room struct {
	name, path string
	id, epoch  []byte
	entries    []*prosa.Frame      // the entry room_seq stands at room_seq - 1
	places     map[string][]uint64 // of each author's key: the room_seq of its counters, from 1 on
	members    []*member
}

// A member is a client in a room.
type member struct {
	*client
	room           *room
	isIn           bool         // not yet, when it comes from a session that was replaced (MEM-09)
	window, limit  uint64       // granted_window; the highest counter that the client may send
	next, limitSeq uint64       // the room_seq to deliver next; the highest that may be
	unanswered     *prosa.Frame // the question that holds the limit back (FLOW-27)
}

var rooms = map[string]*room{} // by path

// findRoom reads a room from its file, or makes it (MSG-29). An empty @host is not stored (MSG-27).
func findRoom(name string, clientKey []byte) *room {
	path := filepath.Join(data, "room-"+name)
	if name == "@host" {
		path += "-" + hex.EncodeToString(clientKey)
	}
	if rooms[path] != nil {
		return rooms[path]
	}
	r := &room{name: name, path: path, places: map[string][]uint64{}}
	rooms[path] = r
	stored, _ := os.ReadFile(path)
	if len(stored) < epochSize {
		stored = prosa.Random(epochSize) // MSG-24
		if !r.isPrivate() {
			appendFile(path, stored)
		}
	}
	r.epoch = stored[:epochSize]
	r.id = prosa.RoomID(keys.Public, r.epoch, name, clientKey)
	size := epochSize
	damage := prosa.Try(func() {
		for entry := r.add(stored[size:]); entry != nil; entry = r.add(stored[size:]) {
			size += len(entry.Octets)
		}
	})
	if damage != nil {
		prosa.Exit(1, path+" is damaged: "+damage.Reason)
	}
	if size < len(stored) { // half an entry: the server was killed before anybody saw it
		prosa.Check(os.Truncate(path, int64(size)))
	}
	return r
}

func (r *room) isPrivate() bool { return r.name == "@host" }
func (r *room) isCrowded() bool { return uint64(len(r.members)) > limit("member_limit") }
func (r *room) head() uint64    { return uint64(len(r.entries)) }

// add takes the first frame of these octets as the next entry; nil when there is none.
func (r *room) add(octets []byte) *prosa.Frame {
	entry := prosa.Decode(octets, prosa.MaxFrameCeiling, "server", nil)
	if entry != nil {
		author := string(entry.Get("author_key"))
		r.entries = append(r.entries, entry)
		r.places[author] = append(r.places[author], r.head())
	}
	return entry
}

// publish commits a message, and gives it to the members (FLOW-25). The author's octets stay as they
// are (MSG-11); the time does not go back (MSG-13).
func (r *room) publish(authored []byte) {
	now := now()
	if r.head() > 0 && now < r.entries[r.head()-1].Number("server_time") {
		now = r.entries[r.head()-1].Number("server_time")
	}
	fields := prosa.EncodeFields(prosa.Body{"room_seq": r.head() + 1, "server_time": now})
	octets := prosa.EncodeFrame("DELIVER", bytes.Join([][]byte{authored, fields}, nil))
	if r.isPrivate() && r.head() == 0 {
		appendFile(r.path, r.epoch)
	}
	appendFile(r.path, octets)
	r.add(octets)
	for _, m := range r.members {
		m.deliver()
	}
}

// deliver sends what is owed, as far as credit goes (FLOW-18). Behind the answer the limit rises (FLOW-28).
func (m *member) deliver() {
	for m.isIn && m.next <= m.room.head() && m.next <= m.limitSeq {
		entry := m.room.entries[m.next-1]
		m.next++
		m.SendOctets(entry.Octets)
		if m.unanswered != nil && bytes.Equal(entry.Get("reply_to"), m.unanswered.ID()) {
			m.raise()
		}
	}
}

// raise lets the client send a window more than has been accepted.
func (m *member) raise() {
	m.unanswered = nil
	m.limit = uint64(len(m.places())) + m.window
	m.acknowledge()
}
func (m *member) acknowledge() {
	acked, ackedSeq := len(m.places()), uint64(0)
	if acked > 0 {
		ackedSeq = m.places()[acked-1] // FLOW-10
	}
	m.Send("ACK", prosa.Body{"room_id": m.room.id, "limit_counter": m.limit, "acked_counter": uint64(acked), "acked_seq": ackedSeq})
}
func (m *member) places() []uint64 { return m.room.places[string(m.key)] }

// say is a message of the server's own: an answer, or unasked (MSG-20, MSG-21).
func (m *member) say(text string, question *prosa.Frame) {
	body := prosa.Body{"nick": "host", "room_id": m.room.id, "counter": uint64(len(m.room.places[string(keys.Public)]) + 1),
		"sent_at": now(), "text": text}
	if question != nil {
		body["reply_to"] = question.ID()
	}
	m.room.publish(keys.Compose(body))
}

// leave ends a membership, and what was asked in it (FLOW-30).
func (m *member) leave() {
	for _, q := range questionsOf(m) {
		q.settle()
	}
	delete(m.client.members, string(m.room.id))
	r := m.room
	for i, other := range r.members {
		if other == m {
			r.members = append(r.members[:i], r.members[i+1:]...)
			break
		}
	}
	if r.isPrivate() && r.head() == 0 {
		delete(rooms, r.path) // MSG-27
	}
	r.announce(prosa.Left, m)
}

// announce tells the others that somebody came or went (MEM-03), or how many they are now (MEM-05).
func (r *room) announce(event uint64, who *member) {
	for _, m := range r.members {
		switch {
		case m == who || !m.isIn || r.isPrivate(): // MEM-06
		case !r.isCrowded() && event == prosa.Left && uint64(len(r.members)) == limit("member_limit"):
			m.tell(prosa.Resync, nil)
			m.snapshot()
		case !r.isCrowded():
			m.tell(event, who)
		default:
			m.tell(prosa.Count, nil)
		}
	}
}

// snapshot says who is here (MEM-01), or how many.
func (m *member) snapshot() {
	if m.room.isCrowded() {
		m.tell(prosa.Count, nil)
		return
	}
	for _, other := range m.room.members {
		m.tell(prosa.Here, other)
	}
}

func (m *member) tell(event uint64, who *member) {
	body := prosa.Body{"room_id": m.room.id, "event": event, "at_seq": m.room.head()} // MEM-02
	if who != nil {
		body["nick"], body["member_key"] = who.nick, who.key
	}
	if event == prosa.Count {
		body["count"] = uint64(len(m.room.members))
	}
	m.Send("MEMBER", body)
}
