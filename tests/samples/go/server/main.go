// SPDX-License-Identifier: MIT

// A PROSA/1 server of level L3 with resume: named rooms, and private ones (@host) that are answered by
// the operator who types at the console. All that happens runs in one event loop, without a lock.
package main

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"prosa-sample/prosa"
)

var (
	level     = prosa.Level()
	features  uint64
	data      = prosa.Setting("DATA", ".")
	announced = readTimers()
	keys      prosa.Keys
	nicks     = map[string]string{} // the key of each nick, and the nick of each key (ID-06, ID-08)

	listener  net.Listener
	operator  = true      // somebody may answer
	questions []*question // that wait for the operator, the oldest first
	isEnding  bool
)

type question struct {
	*member
	asked *prosa.Frame
}

func now() uint64                     { return uint64(time.Now().UnixMilli()) }
func limit(name string) uint64        { return announced[name].(uint64) }
func timer(name string) time.Duration { return time.Duration(limit(name)) * time.Millisecond }

// readTimers makes what CHALLENGE announces, from defaults and PROSA_TIMERS (CON-02).
func readTimers() prosa.Body {
	body := prosa.Body{}
	for name, field := range prosa.Fields {
		if field.Default > 0 {
			body[name] = field.Default
		}
	}
	for _, setting := range strings.FieldsFunc(prosa.Setting("TIMERS", ""), func(r rune) bool { return r == ',' }) {
		name, digits, _ := strings.Cut(setting, "=")
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || body[name] == nil || n < prosa.Fields[name].Least || n > prosa.Fields[name].Most {
			prosa.Exit(2, "PROSA_TIMERS: no such name, or out of its range: "+setting)
		}
		body[name] = n
	}
	return body
}

func appendFile(path string, octets []byte) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	prosa.Check(err)
	_, err = file.Write(octets)
	prosa.Check(err)
	prosa.Check(file.Close())
}

// lockData keeps a second server out of the folder (RES-14). The lock ends with the process.
func lockData() {
	file, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	prosa.Check(err)
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		prosa.Exit(1, "another server is running in "+data)
	}
}

// The file of nicks: one line each, a nick and a key (ID-11).
func loadNicks() {
	text, _ := os.ReadFile(filepath.Join(data, "nicks"))
	for _, line := range strings.Fields(string(text)) {
		if nick, key, whole := strings.Cut(line, "="); whole {
			nicks[nick], nicks[key] = key, nick
		}
	}
}

// bindNick gives a nick to the first key that uses it.
func bindNick(nick string, key []byte) {
	digits := hex.EncodeToString(key)
	prosa.Need(nick != "host", "NICK_TAKEN", "ID-09", "this nick is the server's own")
	prosa.Need(nicks[nick] == "" || nicks[nick] == digits, "NICK_TAKEN", "ID-07", "this nick belongs to another key")
	prosa.Need(nicks[digits] == "" || nicks[digits] == nick, "DENIED", "ID-08", "this key has another nick")
	if nicks[nick] == "" {
		appendFile(filepath.Join(data, "nicks"), []byte(nick+"="+digits+"\n"))
		nicks[nick], nicks[digits] = digits, nick
	}
}

// ask shows a question to the operator. A session has as many that wait as its window is wide (FLOW-32).
func ask(q *question) {
	fmt.Println(prosa.Visible(fmt.Sprintf("%s: %s", q.client, q.asked.Text("text"))))
	questions = append(questions, q)
	if waiting := questionsOf(q.member); !operator || uint64(len(waiting)) > q.window {
		waiting[0].noAnswer()
	}
}
func questionsOf(m *member) (waiting []*question) {
	for _, q := range questions {
		if q.member == m {
			waiting = append(waiting, q)
		}
	}
	return waiting
}

// settle: the question waits no longer.
func (q *question) settle() {
	for i, other := range questions {
		if other == q {
			questions = append(questions[:i], questions[i+1:]...)
			return
		}
	}
}
func (q *question) noAnswer() { // FLOW-29
	q.settle()
	about := prosa.Body{"room_id": q.room.id, "counter": q.asked.Number("counter")}
	q.Fail(&prosa.Fault{Code: "NO_ANSWER", Clause: "FLOW-29", Reason: "nobody answers here", About: about})
	if q.unanswered == q.asked {
		q.raise()
	}
}

// typed takes a line of the console: `exit`, an answer to the oldest question, or a message for the
// client that "@nick " names (END-19).
func typed(line string) {
	if line == "exit" { // END-08
		end("NORMAL", "the conversation is over")
		return
	}
	waiting, text := questions, line
	var to *member
	if nick, rest, found := strings.Cut(line, " "); found && nick[0] == '@' && prosa.IsWord("nick", nick[1:]) {
		to, text = hostMember(nick[1:]), rest
		waiting = questionsOf(to)
	}
	var asked *prosa.Frame
	switch {
	case !prosa.IsText(text):
		return
	case len(waiting) > 0:
		to, asked = waiting[0].member, waiting[0].asked
		waiting[0].settle()
	case to == nil:
		prosa.Note("not sent: nobody waits for this line")
		return
	}
	to.say(text, asked)
}
func hostMember(nick string) *member {
	for _, c := range sessions {
		for _, m := range c.members {
			if c.nick == nick && m.room.isPrivate() {
				return m
			}
		}
	}
	return nil
}
func consoleEnded() { // END-12
	operator = false
	for len(questions) > 0 {
		questions[0].noAnswer()
	}
}

// end says goodbye to all (END-08, END-10); the last one to go ends the program.
func end(code, reason string) {
	isEnding = true
	listener.Close()
	for c := range clients {
		if !c.Closing {
			c.dismiss(code, reason)
		}
	}
	exitIfOver()
}
func exitIfOver() {
	if isEnding && len(clients) == 0 {
		os.Exit(0)
	}
}

func accept() {
	for {
		socket, err := listener.Accept()
		if err != nil {
			return
		}
		prosa.Do(func() {
			c := &client{members: map[string]*member{}}
			c.Link = prosa.Attach(socket, c, "client", "HELLO", timer("handshake_ms"), timer("linger_ms"))
			clients[c] = true
		})
	}
}

func main() {
	lockData()
	keys = prosa.LoadKeys(filepath.Join(data, "server.key"))
	loadNicks()
	if level >= 2 { // [8.2]
		features = prosa.Liveness | prosa.Resume
	}
	host, port := prosa.Address()
	var err error
	if listener, err = net.Listen("tcp", net.JoinHostPort(host, port)); err != nil {
		prosa.Exit(3, "cannot listen: "+err.Error()) // CON-07
	}
	prosa.Note("the fingerprint of this server's key is %s", prosa.Fingerprint(keys.Public))
	fmt.Println("READY", listener.Addr()) // CON-05
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		prosa.Do(func() { end("SHUTDOWN", "the server ends") })
	}()
	go accept()
	go prosa.ReadConsole(typed, consoleEnded)
	prosa.Run(func() {
		for c := range clients {
			c.Tick()
		}
	})
}
