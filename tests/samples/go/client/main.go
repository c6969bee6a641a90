// SPDX-License-Identifier: MIT

// A PROSA/1 client of level L3 with resume: a line of stdin is a message. Events go to stdout as JSON,
// one object a line (13.4); words for people go to stderr. All that happens runs in one event loop.
package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"prosa-sample/prosa"
)

var (
	level      = prosa.Level()
	host, port = prosa.Address()
	target     = targetOf(host) + ":" + port
	data       = prosa.Setting("DATA", ".")
	nick       = prosa.Setting("NICK", "guest")
	roomName   = prosa.Setting("ROOM", "@host")
	keys       prosa.Keys
	features   uint64

	now        *session // the connection; nil while there is none
	lines      []string // typed, not sent
	inputEnded bool
	resumes    bool          // the last session had resume, so that another may follow (RES-13)
	wait       time.Duration // left until the next attempt; 0 when none is due
	attempts   int           // since a session reached JOINED
)

// An ending is how a session ended, and what follows: another attempt, or the exit code [13.4].
type ending struct {
	how, code, reason string
	exit              int
	again             bool
	after             time.Duration
}

func emit(event string, members prosa.Body) {
	members["event"] = event
	fmt.Println(prosa.JSON(members))
}

// targetOf writes what the person typed in the form of the wire (ID-03).
func targetOf(typed string) string {
	if prosa.IsIPv6(typed) {
		return "[" + strings.ToLower(typed) + "]"
	}
	return strings.ToLower(strings.TrimSuffix(typed, "."))
}

// The pins: a line each, a target and a key (ID-02, ID-04).
func pinned() string {
	text, _ := os.ReadFile(filepath.Join(data, "pins"))
	for _, line := range strings.Split(string(text), "\n") {
		if name, key, _ := strings.Cut(line, " "); name == target {
			return key
		}
	}
	return ""
}
func pin(key []byte) {
	file, err := os.OpenFile(filepath.Join(data, "pins"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	prosa.Check(err)
	_, err = fmt.Fprintf(file, "%s %s\n", target, hex.EncodeToString(key))
	prosa.Check(err)
	prosa.Check(file.Close())
	prosa.Note("first contact with %s; the fingerprint of its key is %s", target, prosa.Fingerprint(key))
}

// connect looks the name up and tries its addresses, each time anew (RES-12).
func connect() {
	socket, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 10*time.Second)
	prosa.Do(func() {
		var unresolved *net.DNSError
		switch {
		case errors.As(err, &unresolved):
			ended(&ending{how: "unresolved", reason: err.Error(), exit: 3, again: resumes})
		case err != nil:
			ended(&ending{how: "refused", reason: err.Error(), exit: 3, again: resumes})
		default:
			now = begin(socket)
		}
	})
}

// ended: there is no connection. Either another one follows, after a while (RES-11), or this is the end.
func ended(e *ending) {
	now = nil
	prosa.Note("%s", e.reason)
	emit("disconnected", prosa.Body{"how": e.how, "again": e.again})
	if !e.again {
		closed(e)
	}
	longest := 500 * time.Millisecond << attempts
	if attempts++; longest >= 30*time.Second {
		longest, attempts = 30*time.Second, attempts-1
	}
	wait = time.Duration(rand.Int63n(int64(longest)))
	if wait < e.after {
		wait = e.after
	}
	wait += prosa.Tick // the first one may come at once
}
func closed(e *ending) {
	if len(lines) > 0 {
		prosa.Note("%d lines were not sent", len(lines))
	}
	event := prosa.Body{"exit": e.exit, "code": nil, "reason": e.reason}
	if e.code != "" {
		event["code"] = e.code
	}
	emit("closed", event)
	os.Exit(e.exit)
}

// leave says goodbye, if there is anybody to hear it (END-07).
func leave() {
	e := &ending{how: "goodbye", reason: "the conversation is over"}
	if now == nil {
		closed(e)
	}
	now.leave(e)
}

func typed(line string) {
	switch {
	case line == "exit":
		leave()
	case prosa.IsText(line):
		lines = append(lines, line)
		goOn()
	}
}

// goOn sends what can be sent; when stdin has ended and nothing is pending any more it leaves (END-13).
func goOn() {
	if now != nil {
		now.publish()
	}
	isPending := len(lines)+len(outbox) > 0 || now != nil && !now.isAnswered()
	if inputEnded && !isPending {
		leave()
	}
}

func main() {
	for kind, word := range map[string]string{"target": target, "nick": nick, "room": roomName} {
		if !prosa.IsWord(kind, word) {
			prosa.Exit(2, "this is no "+kind+": "+word)
		}
	}
	if level >= 2 { // [8.2]
		features = prosa.Liveness | prosa.Resume
	}
	rand.Seed(time.Now().UnixNano())
	keys = prosa.LoadKeys(filepath.Join(data, "client.key"))
	load()
	go connect()
	go prosa.ReadConsole(typed, func() { inputEnded = true; goOn() })
	prosa.Run(func() {
		if now != nil {
			now.tick()
		} else if wait > 0 {
			if wait -= prosa.Tick; wait <= 0 {
				go connect()
			}
		}
	})
}
