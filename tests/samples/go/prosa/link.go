// SPDX-License-Identifier: MIT

package prosa

import (
	"io"
	"net"
	"time"
)

// Owner is what server and client add to a Link.
type Owner interface {
	Take(f *Frame)       // a frame has come; what is wrong with it stops at a Fault
	Failed(fault *Fault) // the peer broke the rules, and has the ERROR
	Ended(how string)    // "eof", "reset", "silence", or "late": not READY at its deadline
	Gone()               // the socket is closed
}

// Link is one end of a connection: it reads frames, sends frames, and closes in order. All of it runs
// in the event loop; only `read` and the writing of a batch wait for the socket elsewhere.
type Link struct {
	Due           string        // the frame that has to come next, before READY
	Deadline      time.Duration // left until READY
	Linger        time.Duration // left from the end of our sending to the close (END-01)
	Ping, Dead    time.Duration // liveness: silence until a PING, and until the end; 0 for never
	Stuck         time.Duration // since something has gone out (FLOW-39)
	Closing, Deaf bool          // BYE or fatal ERROR is sent; what still comes is discarded (ERR-06)

	owner          Owner
	socket         *net.TCPConn
	peer           string // who sends what is read here: "client" or "server"
	maxLength      int
	input, output  []byte
	silence        time.Duration
	begun, pinged  bool // a frame has come; this silence had its PING
	writing        bool
	isOver, isGone bool // the peer sends no more; the socket is closed
}

// Attach begins to read from a socket.
func Attach(socket net.Conn, owner Owner, peer, due string, deadline, linger time.Duration) *Link {
	l := &Link{owner: owner, socket: socket.(*net.TCPConn), peer: peer, maxLength: HandshakeCap,
		Due: due, Deadline: deadline, Linger: linger}
	go l.read()
	return l
}
func (l *Link) read() {
	for {
		buffer := make([]byte, 16384)
		size, err := l.socket.Read(buffer)
		Do(func() { l.received(buffer[:size], err) })
		if err != nil {
			return
		}
	}
}

// Ready raises the cap (WIRE-08), and begins to listen for silence if liveness is active.
func (l *Link) Ready(challenge *Frame, features uint64) {
	l.Due, l.maxLength = "", int(challenge.Number("max_frame"))
	if features&Liveness != 0 {
		l.Ping, l.Dead = challenge.Time("ping_after_ms"), challenge.Time("dead_after_ms")
	}
}

func (l *Link) received(octets []byte, err error) {
	l.silence, l.pinged = 0, false // LIVE-06
	if !l.Deaf {
		l.input = append(l.input, octets...)
	}
	for !l.Deaf && l.takeOne() {
	}
	if err == nil || l.isGone {
		return
	}
	l.isOver = true
	if err == io.EOF {
		l.owner.Ended("eof")
	} else {
		l.owner.Ended("reset")
	}
	l.Finish()
}

// takeOne takes the first frame of the input, if it is whole.
func (l *Link) takeOne() bool {
	var f *Frame
	fault := Try(func() {
		if f = Decode(l.input, l.maxLength, l.peer, l.admit); f != nil {
			l.begun, l.input = true, l.input[len(f.Octets):]
			l.take(f)
		}
	})
	if fault != nil {
		l.refuse(fault, f)
	}
	return f != nil
}

// admit: is this the time, and the direction, for a frame of this type?
func (l *Link) admit(t *Type) {
	expected := t != nil && (t.Name == l.Due || t.Name == "ERROR" || t.Name == "BYE")
	Need(l.Due == "" || expected, "BAD_STATE", "WIRE-13", "not the frame that is due")
	Need(t == nil || t.From == l.peer || t.From == "both", "BAD_STATE", "WIRE-15", "a frame for the other direction")
	Need(t == nil || l.Due != "" || t.Number > Types["WELCOME"].Number, "BAD_STATE", "AUTH-01", "the handshake is over")
}

func (l *Link) take(f *Frame) {
	switch {
	case f.Type == nil || f.Name == "PONG": // WIRE-12, LIVE-09
	case f.Name == "PING": // LIVE-01
		l.Send("PONG", Body{"opaque": f.Get("opaque")})
	case f.Name == "BYE":
		l.owner.Take(f)
		l.Deaf = true
		if l.Due == "" { // END-02, END-06
			l.Bye("NORMAL", "goodbye")
		}
		l.Finish()
	case f.Name == "ERROR":
		l.owner.Take(f)
		if IsFatal(f.Number("code")) || l.Due != "" { // ERR-03, ERR-04
			l.Deaf = true
			l.Finish()
		}
	default:
		l.owner.Take(f)
	}
}

// refuse names the frame in the ERROR (ERR-07). A malformed ERROR or BYE gets none (ERR-10), nor does
// whoever speaks another protocol (WIRE-03).
func (l *Link) refuse(fault *Fault, f *Frame) {
	var kind byte // 0 while it cannot be told
	fault.About = Body{}
	if f != nil {
		kind = f.Type.Number
		fault.About = Body{"room": f.Get("room"), "room_id": f.Get("room_id"), "counter": f.Get("counter"), "ref_type": []byte{kind}}
	} else if len(l.input) >= HeaderSize && fault.Clause != "WIRE-02" && fault.Clause != "WIRE-04" {
		kind = l.input[3]
		fault.About["ref_type"] = l.input[3:4]
	}
	isGoodbye := kind == Types["ERROR"].Number || kind == Types["BYE"].Number
	isStranger := fault.Clause == "WIRE-02" && !l.begun
	l.fail(fault, isStranger || isGoodbye && fault.Clause != "WIRE-06")
	if isStranger {
		l.Close()
	}
}

// Fail sends an ERROR. A fatal one stands in the place of the BYE (ERR-01).
func (l *Link) Fail(fault *Fault) { l.fail(fault, false) }
func (l *Link) fail(fault *Fault, silently bool) {
	code := Codes[fault.Code]
	if !silently {
		body := Body{"code": code, "reason": fault.Reason, "clause": fault.Clause}
		for name, content := range fault.About {
			body[name] = content
		}
		l.Send("ERROR", body)
	}
	if IsFatal(code) {
		if !l.Closing {
			l.owner.Failed(fault)
		}
		l.Deaf = true
		l.Finish()
	}
}

// Send sends a frame, unless BYE or a fatal ERROR was the last one (END-04).
func (l *Link) Send(name string, body Body) { l.SendOctets(Encode(name, body)) }
func (l *Link) SendOctets(octets []byte) {
	if !l.Closing {
		l.output = append(l.output, octets...)
		l.write()
	}
}
func (l *Link) Bye(code, reason string) {
	l.Send("BYE", Body{"code": Codes[code], "reason": reason})
	l.Finish()
}

// Finish ends our sending. What the peer still sends is read until it ends, or the linger is over: a
// close with unread octets would be a reset (END-01).
func (l *Link) Finish() {
	l.Closing = true
	l.write()
}

// IsBusy: is there output that the socket has not taken?
func (l *Link) IsBusy() bool { return l.writing || len(l.output) > 0 }

// write gives the socket a batch, and comes back when it is taken; at the end it shuts the sending side.
func (l *Link) write() {
	const most = 16384 // octets: a slow peer shall show that it takes something
	switch {
	case l.writing || l.isGone:
	case len(l.output) > 0:
		batch := l.output
		if len(batch) > most {
			batch = batch[:most]
		}
		l.output, l.writing = l.output[len(batch):], true
		go func() {
			_, err := l.socket.Write(batch)
			Do(func() {
				l.writing, l.Stuck = false, 0
				if err != nil {
					l.output = nil // the reader will tell why
				}
				l.write()
			})
		}()
	case l.Closing:
		l.socket.CloseWrite()
		if l.isOver {
			l.Close()
		}
	}
}

// Close ends the connection at once: with a reset when the peer does not take what is left (FLOW-39).
func (l *Link) Close() {
	if !l.isGone {
		l.isGone, l.Closing, l.Deaf = true, true, true
		if l.IsBusy() {
			l.socket.SetLinger(0)
		}
		l.socket.Close()
		l.owner.Gone()
	}
}

// Tick counts time in ticks of a running program: one that was stopped reads before it judges (LIVE-06).
func (l *Link) Tick() {
	l.silence += Tick
	l.Stuck += Tick
	switch {
	case l.Closing:
		if l.Linger -= Tick; l.Linger <= 0 {
			l.Close()
		}
	case l.Due != "":
		if l.Deadline -= Tick; l.Deadline <= 0 {
			l.owner.Ended("late")
		}
	case l.Dead > 0 && l.silence >= l.Dead: // LIVE-05
		l.owner.Ended("silence")
	case l.Dead > 0 && l.silence >= l.Ping && !l.pinged: // LIVE-04
		l.pinged = true
		l.Send("PING", Body{"opaque": []byte("alive?")})
	}
}
