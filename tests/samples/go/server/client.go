// SPDX-License-Identifier: MIT

package main

import (
	"bytes"

	"prosa-sample/prosa"
)

// A client is one connection, from HELLO to its end.
type client struct {
	*prosa.Link
	hello, challenge *prosa.Frame
	key              []byte
	nick             string
	features         uint64
	members          map[string]*member // its rooms, by room_id
}

var (
	clients  = map[*client]bool{}
	sessions = map[string]*client{} // by key
	count    uint64                 // of sessions
)

func (c *client) Take(f *prosa.Frame) {
	switch f.Name {
	case "HELLO":
		c.takeHello(f)
	case "AUTH":
		c.takeAuth(f)
	case "JOIN":
		c.takeJoin(f)
	case "LEAVE":
		c.takeLeave(f)
	case "PUBLISH":
		c.takePublish(f)
	case "ACK":
		c.takeAck(f)
	case "ERROR":
		code := f.Number("code")
		prosa.Note("%s reports %s: %s", c, prosa.CodeName(code), f.Text("reason"))
		if prosa.IsFatal(code) || c.Due != "" {
			c.end("gives up")
		}
	case "BYE":
		c.end("says goodbye: " + prosa.CodeName(f.Number("code")))
	}
}

func (c *client) takeHello(f *prosa.Frame) {
	prosa.Need(bytes.IndexByte(f.Get("versions"), prosa.Version) >= 0, "UNSUPPORTED", "AUTH-05", "no version in common")
	c.key, c.hello = f.Get("client_key"), f
	prosa.Need(prosa.KeyIsGood(c.key) && !bytes.Equal(c.key, keys.Public), "BAD_KEY", "AUTH-06", "this key is not accepted")
	body := prosa.Body{"versions": []byte{prosa.Version}, "version": uint64(prosa.Version), "nonce": prosa.Random(32),
		"features": features, "server_key": keys.Public, "handshake_sig": make([]byte, 64)}
	for name, n := range announced {
		body[name] = n
	}
	challenge := prosa.Encode("CHALLENGE", body)
	signature := keys.Sign(prosa.Label("server-auth"), prosa.TH1(f.Octets, challenge))
	copy(challenge[len(challenge)-len(signature):], signature) // AUTH-12
	c.challenge = prosa.Decode(challenge, prosa.HandshakeCap, "server", nil)
	c.features = f.Number("features") & features // AUTH-11
	c.Due = "AUTH"
	c.SendOctets(challenge)
}

func (c *client) takeAuth(f *prosa.Frame) {
	signed := prosa.AuthIsSigned(c.key, c.hello.Octets, c.challenge.Octets, f)
	prosa.Need(signed, "BAD_SIG", "AUTH-16", "the signature does not verify") // AUTH-17: before the nick
	c.nick = f.Text("nick")
	bindNick(c.nick, c.key)
	if older := sessions[string(c.key)]; older != nil {
		c.replace(older)
	}
	sessions[string(c.key)] = c
	c.Ready(c.challenge, c.features)
	count++
	c.Send("WELCOME", prosa.Body{"session": count, "time": now()})
	prosa.Note("%s is here", c)
}

// replace ends the older session of the same key (END-14). The newer one inherits its named rooms.
func (c *client) replace(older *client) {
	for id, m := range older.members {
		if !m.room.isPrivate() {
			m.client, m.isIn = c, false
			c.members[id] = m
			delete(older.members, id)
		}
	}
	older.end("is replaced by a newer session")
	older.Bye("REPLACED", "a newer session of this key took over")
}

func (c *client) takeJoin(f *prosa.Frame) {
	name, after, epoch := f.Text("room"), f.Number("after_seq"), f.Get("epoch")
	prosa.Need(after == 0 || epoch != nil, "BAD_FRAME", "RES-05", "after_seq without an epoch")
	prosa.Need(name == "@host" || level >= 3, "NOT_SUPPORTED", "FLOW-08", "named rooms are of level L3")
	prosa.Need(name == "@host" || name[0] != '@', "NO_ROOM", "MSG-25", "there is no such room")
	r := findRoom(name, c.key)
	m, joined := c.members[string(r.id)], uint64(0)
	prosa.Need(m == nil || !m.isIn, "BAD_STATE", "FLOW-02", "this room is joined already")
	for _, other := range c.members {
		if other.isIn {
			joined++
		}
	}
	prosa.Need(joined < limit("max_rooms"), "TOO_MANY_ROOMS", "FLOW-03", "no more rooms on this connection")
	isNew := m == nil
	if isNew {
		m = &member{client: c, room: r}
		c.members[string(r.id)] = m
		r.members = append(r.members, m)
	}
	m.isIn, m.next = true, r.head()+1 // FLOW-06, RES-06
	if f.Has("after_seq") && c.features&prosa.Resume != 0 {
		m.next = 1 // RES-02: nothing is ever pruned here
		if bytes.Equal(epoch, r.epoch) && after <= r.head() {
			m.next = after + 1 // RES-01
		}
	}
	m.limitSeq = m.next + f.Number("recv_window") - 1 // FLOW-07
	m.window = f.Number("send_window")
	if m.window > limit("max_window") { // FLOW-04
		m.window = limit("max_window")
	}
	last := uint64(len(m.places()))
	m.limit = last + m.window // FLOW-05
	c.Send("JOINED", prosa.Body{"room": name, "room_id": r.id, "epoch": r.epoch, "granted_window": m.window,
		"last_counter": last, "limit_counter": m.limit, "head_seq": r.head(), "oldest_seq": uint64(1), "start_seq": m.next})
	if !r.isPrivate() {
		m.snapshot()
	}
	if isNew {
		r.announce(prosa.Joined, m)
	}
	m.deliver()
}

// member finds the room that a frame names, or there is a Fault.
func (c *client) member(f *prosa.Frame, code, clause string) *member {
	m := c.members[f.Text("room_id")]
	prosa.Need(m != nil && m.isIn, code, clause, "this room is not joined")
	return m
}

func (c *client) takeLeave(f *prosa.Frame) {
	m := c.member(f, "BAD_STATE", "MEM-08")
	if !m.room.isPrivate() {
		m.tell(prosa.Left, m) // MEM-07
	}
	m.leave()
}

// takePublish makes the checks of section 6.3 from the top; before them MSG-05 and MSG-04, behind them MSG-03.
func (c *client) takePublish(f *prosa.Frame) {
	m := c.member(f, "WRONG_ROOM", "MSG-05")
	isOwn := f.Text("nick") == c.nick && bytes.Equal(f.Get("author_key"), c.key)
	prosa.Need(isOwn, "WRONG_AUTHOR", "MSG-04", "the message names another author")
	counter, last := f.Number("counter"), uint64(len(m.places()))
	prosa.Need(counter <= m.limit, "FLOW_VIOLATION", "FLOW-21", "beyond the limit")
	if counter <= last {
		taken := m.room.entries[m.places()[counter-1]-1]
		prosa.Need(bytes.Equal(taken.ID(), f.ID()), "COUNTER_REUSE", "FLOW-23", "another message has this counter")
		m.acknowledge() // FLOW-22
		return
	}
	prosa.Need(counter == last+1, "COUNTER_GAP", "FLOW-24", "a counter was left out")
	prosa.Need(f.IsSigned(), "BAD_SIG", "MSG-03", "the signature does not verify")
	if m.room.isPrivate() && m.window == 1 {
		m.unanswered = f // FLOW-27
	} else {
		m.limit = counter + m.window // FLOW-32
	}
	m.room.publish(f.Octets[prosa.HeaderSize:])
	m.acknowledge()
	if m.room.isPrivate() {
		ask(&question{m, f})
	}
}

func (c *client) takeAck(f *prosa.Frame) {
	m := c.member(f, "WRONG_ROOM", "FLOW-15")
	prosa.Need(f.Number("seen_seq") < m.next, "ACK_TOO_HIGH", "FLOW-13", "an ACK of what was not delivered")
	if f.Number("limit_seq") > m.limitSeq { // FLOW-12
		m.limitSeq = f.Number("limit_seq")
	}
	c.Stuck = 0
	m.deliver()
}

// isOwing: is a DELIVER owed, or output pending?
func (c *client) isOwing() bool {
	for _, m := range c.members {
		if m.isIn && m.next <= m.room.head() {
			return true
		}
	}
	return c.IsBusy()
}

// Tick ends the session of a client that takes nothing (FLOW-39).
func (c *client) Tick() {
	c.Link.Tick()
	switch {
	case !c.isOwing():
		c.Stuck = 0
	case c.Due == "" && !c.Closing && c.Stuck >= timer("slow_ms"):
		c.dismiss("SLOW_CONSUMER", "nothing was taken for slow_ms")
	}
}

// dismiss ends a session with a BYE, or a connection that has none yet without a word (END-06).
func (c *client) dismiss(code, reason string) {
	c.end("is told goodbye: " + code)
	if c.Due == "" {
		c.Bye(code, reason)
	} else {
		c.Close()
	}
}

// end: the session is over. What still comes is discarded.
func (c *client) end(how string) {
	if c.nick != "" && sessions[string(c.key)] == c {
		prosa.Note("%s %s", c, how)
		delete(sessions, string(c.key))
	}
	for _, m := range c.members {
		m.leave()
	}
	c.Deaf = true
}

func (c *client) Failed(fault *prosa.Fault) {
	c.end("is sent away: " + fault.Code + ", " + fault.Reason)
}
func (c *client) Ended(how string) {
	switch {
	case how == "late" && c.Due == "HELLO": // AUTH-20
		c.Close()
	case how == "late":
		c.Fail(&prosa.Fault{Code: "TIMEOUT", Clause: "AUTH-20", Reason: "the handshake took too long"})
	case how == "silence":
		c.dismiss("IDLE", "nothing was heard for dead_after_ms")
	default:
		c.end("vanished without a goodbye (" + how + ")") // END-15
	}
}
func (c *client) Gone() {
	c.end("is gone")
	delete(clients, c)
	exitIfOver()
}

// String is how people see a client (ID-10).
func (c *client) String() string {
	if c.nick == "" {
		return "a stranger"
	}
	return c.nick + "#" + prosa.Suffix(c.key)
}
