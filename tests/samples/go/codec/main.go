// SPDX-License-Identifier: MIT

// The codec of section 13.5: level L0 without a connection. It reads requests from stdin, one a line,
// and answers each with one JSON object.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"prosa-sample/prosa"
)

// A request is what follows its name. What cannot be read as one stops as `unsupported` (CON-13).
type request struct {
	least, most int // words
	answer      func(words []string) prosa.Body
}

var unsupported = &prosa.Fault{Code: "unsupported"}

func need(good bool) {
	if !good {
		panic(unsupported)
	}
}
func octets(word string) []byte {
	if word == "-" {
		return []byte{}
	}
	decoded, err := hex.DecodeString(word)
	need(err == nil && word != "" && word == strings.ToLower(word))
	return decoded
}
func sized(word string, size int) []byte {
	decoded := octets(word)
	need(len(decoded) == size)
	return decoded
}
func number(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	need(err == nil)
	return n
}
func frame(word string, names ...string) *prosa.Frame {
	f := prosa.Decode(octets(word), prosa.MaxFrameCeiling, "server", nil)
	need(f != nil && f.Type != nil)
	need(strings.Contains(" "+strings.Join(names, " ")+" ", " "+f.Name+" "))
	return f
}
func verdict(good bool) string {
	if good {
		return "valid"
	}
	return "invalid"
}

func decode(words []string) prosa.Body {
	need(words[0] == "client" || words[0] == "server")
	f := prosa.Decode(octets(words[2]), int(number(words[1])), words[0], nil)
	if f == nil {
		return prosa.Body{"verdict": "partial"}
	}
	answer := prosa.Body{"verdict": "ignored", "consumed": len(f.Octets), "frame": f.Projection()}
	if f.Type != nil {
		answer["verdict"], answer["encoded"] = "frame", f.Encoded()
		if f.Name == "DELIVER" {
			answer["displayable"] = f.Displayable
		}
	}
	return answer
}

func handshake(words []string) prosa.Body {
	hello, challenge := frame(words[0], "HELLO"), frame(words[1], "CHALLENGE")
	answer := prosa.Body{"th1": prosa.TH1(hello.Octets, challenge.Octets), "th2": prosa.TH2(hello.Octets, challenge.Octets),
		"server_auth": verdict(prosa.ChallengeIsSigned(hello.Octets, challenge))}
	if len(words) == 3 {
		auth := frame(words[2], "AUTH")
		answer["client_auth"] = verdict(prosa.AuthIsSigned(hello.Get("client_key"), hello.Octets, challenge.Octets, auth))
	}
	return answer
}

var requests = map[string]request{
	"decode":    {3, 3, decode},
	"handshake": {2, 3, handshake},
	"key": {1, 1, func(w []string) prosa.Body {
		return prosa.Body{"verdict": verdict(prosa.KeyIsGood(octets(w[0])))}
	}},
	"verify": {3, 3, func(w []string) prosa.Body {
		return prosa.Body{"verdict": verdict(prosa.Verify(octets(w[0]), octets(w[1]), octets(w[2])))}
	}},
	"sign": {2, 2, func(w []string) prosa.Body {
		keys := prosa.KeysFromSeed(sized(w[0], 32))
		return prosa.Body{"key": keys.Public, "signature": keys.Sign(octets(w[1]))}
	}},
	"message": {1, 1, func(w []string) prosa.Body {
		f := frame(w[0], "PUBLISH", "DELIVER")
		return prosa.Body{"verdict": verdict(f.IsSigned()), "author_zone": f.AuthorZone(), "id": f.ID()}
	}},
	"room-id": {3, 4, func(w []string) prosa.Body {
		need(prosa.IsWord("room", w[2]) && (w[2] == "@host") == (len(w) == 4))
		clientKey := []byte{}
		if len(w) == 4 {
			clientKey = sized(w[3], 32)
		}
		return prosa.Body{"room_id": prosa.RoomID(sized(w[0], 32), sized(w[1], 16), w[2], clientKey)}
	}},
	"chain-start": {1, 1, func(w []string) prosa.Body {
		return prosa.Body{"hash": prosa.ChainStart(sized(w[0], 32))}
	}},
	"chain": {4, 4, func(w []string) prosa.Body {
		return prosa.Body{"hash": prosa.Chain(sized(w[0], 32), number(w[1]), number(w[2]), sized(w[3], 32))}
	}},
	"checkpoint": {2, 2, func(w []string) prosa.Body {
		return prosa.Body{"verdict": verdict(prosa.CheckpointIsSigned(sized(w[0], 32), frame(w[1], "CHECKPOINT")))}
	}},
}

func answer(line string) (answer prosa.Body) {
	words := strings.Split(line, " ")
	fault := prosa.Try(func() {
		asked, known := requests[words[0]]
		need(known && asked.least < len(words) && len(words) <= asked.most+1)
		answer = asked.answer(words[1:])
	})
	switch {
	case fault == unsupported:
		return prosa.Body{"verdict": "unsupported"}
	case fault != nil:
		return prosa.Body{"verdict": "error", "error": fault.Code}
	}
	return answer
}

func main() {
	prosa.Level()
	reader := bufio.NewReader(os.Stdin)
	for {
		line, err := reader.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			fmt.Println(prosa.JSON(answer(line)))
		}
		if err != nil {
			return
		}
	}
}
