// SPDX-License-Identifier: MIT

package prosa

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Tick is how often a program looks at its timers.
const Tick = 20 * time.Millisecond

// The event loop: one event at a time, so that nothing needs a lock. `Do` brings an event from
// elsewhere, and waits until the loop takes it.
var events = make(chan func())

func Do(event func()) { events <- event }
func Run(tick func()) {
	for ticker := time.NewTicker(Tick); ; {
		select {
		case event := <-events:
			event()
		case <-ticker.C:
			tick()
		}
	}
}

// Setting is a variable of the environment (CON-01).
func Setting(name, otherwise string) string {
	if content := os.Getenv("PROSA_" + name); content != "" {
		return content
	}
	return otherwise
}

// Level is the number of the level to behave as; a program that does not have it ends (CON-03).
func Level() int {
	level := strings.Index("L0L1L2L3", Setting("LEVEL", "L3"))
	if level < 0 {
		os.Exit(89)
	}
	return level / 2
}

// Address is PROSA_HOST without the brackets of an IPv6 address, and PROSA_PORT.
func Address() (host, port string) {
	host, port = strings.Trim(Setting("HOST", "127.0.0.1"), "[]"), Setting("PORT", "65432")
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(number, 10) != port {
		Exit(2, "PROSA_PORT is no port: "+port)
	}
	return host, port
}
func IsIPv6(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Is6()
}

// Note is a word for people; Exit says one, and ends.
func Note(format string, values ...any) {
	fmt.Fprintln(os.Stderr, Visible(fmt.Sprintf(format, values...)))
}
func Exit(code int, why string) {
	Note("%s", why)
	os.Exit(code)
}

// Check: what must not fail, and does, is the end.
func Check(err error) {
	if err != nil {
		Exit(1, err.Error())
	}
}

// ReadConsole brings the lines of stdin, and its end, into the event loop. Only a line feed ends a line.
func ReadConsole(typed func(line string), ended func()) {
	for reader := bufio.NewReader(os.Stdin); ; {
		line, err := reader.ReadString('\n')
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line != "" {
			Do(func() { typed(line) })
		}
		if err != nil {
			Do(ended)
			return
		}
	}
}

// IsText: can this line be the text of a message? If not, people are told.
func IsText(line string) bool {
	good := utf8.ValidString(line) && !strings.Contains(line, "\x00") && 1 <= len(line) && len(line) <= 4096
	if !good {
		Note("not sent: a message has 1 to 4096 octets of UTF-8, without U+0000")
	}
	return good
}
