// SPDX-License-Identifier: MIT

package prosa

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"os"
	"strings"
)

// ---- the acceptance rule [4.5]

func octets(digits string) []byte {
	decoded, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return decoded
}
func bigEndian(octets []byte) *big.Int {
	reversed := make([]byte, len(octets))
	for i, octet := range octets {
		reversed[len(octets)-1-i] = octet
	}
	return new(big.Int).SetBytes(reversed)
}

var (
	fieldPrime = bigEndian(octets("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))
	groupOrder = bigEndian(octets("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
)

// The y of the low-order points. With either sign bit they are ten of the 14 encodings; the other
// four are p and p + 1, which KEY-03 refuses.
var lowOrder = [][]byte{
	octets("0100000000000000000000000000000000000000000000000000000000000000"),
	octets("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	octets("0000000000000000000000000000000000000000000000000000000000000000"),
	octets("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	octets("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}

// KeyIsGood judges a key A, or the R of a signature, by KEY-01 to KEY-03.
func KeyIsGood(point []byte) bool {
	if len(point) != ed25519.PublicKeySize {
		return false
	}
	y := append([]byte{}, point...)
	y[31] &= 0x7f
	for _, low := range lowOrder {
		if bytes.Equal(y, low) {
			return false
		}
	}
	return bigEndian(y).Cmp(fieldPrime) < 0
}

// Verify adds KEY-04; the library computes the cofactorless equation (KEY-05).
func Verify(key, signature []byte, parts ...[]byte) bool {
	return len(signature) == ed25519.SignatureSize && KeyIsGood(key) && KeyIsGood(signature[:32]) &&
		bigEndian(signature[32:]).Cmp(groupOrder) < 0 && ed25519.Verify(key, bytes.Join(parts, nil), signature)
}

// The vector key-mixed-order: no program starts on a library that accepts it (KEY-07).
func init() {
	if Verify(octets("1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da"),
		octets("077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"+
			"8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407"),
		[]byte("cofactored or cofactorless?")) {
		Exit(1, "this Ed25519 library is unsuitable: it computes the cofactored equation")
	}
}

// ---- keys

// Keys is a pair of keys.
type Keys struct {
	Public  []byte
	private ed25519.PrivateKey
}

func KeysFromSeed(seed []byte) Keys {
	private := ed25519.NewKeyFromSeed(seed)
	return Keys{private.Public().(ed25519.PublicKey), private}
}
func (k Keys) Sign(parts ...[]byte) []byte { return ed25519.Sign(k.private, bytes.Join(parts, nil)) }

// LoadKeys reads the file of the private key, or makes it at the first start (ID-01).
func LoadKeys(path string) Keys {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		Check(os.WriteFile(path, []byte(hex.EncodeToString(Random(ed25519.SeedSize))+"\n"), 0o600))
	}
	text, err := os.ReadFile(path)
	Check(err)
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		Exit(2, path+" does not hold a private key of 64 hexadecimal digits")
	}
	return KeysFromSeed(seed)
}

// Random octets come from the operating system (SEC-01).
func Random(size int) []byte {
	random := make([]byte, size)
	_, err := rand.Read(random)
	Check(err)
	return random
}

// Fingerprint is a key for people [4.4]; Suffix stands beside a nick (ID-10).
func Fingerprint(key []byte) string {
	digits := hex.EncodeToString(Hash(key)[:16])
	var groups []string
	for ; digits != ""; digits = digits[4:] {
		groups = append(groups, digits[:4])
	}
	return strings.Join(groups, " ")
}
func Suffix(key []byte) string { return hex.EncodeToString(Hash(key)[14:16]) }

// ---- what is hashed and signed [14.2]

func Label(text string) []byte { return []byte("PROSA/1 " + text + "\x00") }
func Hash(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

// TH1 and TH2 cover the handshake (AUTH-12, AUTH-15). The signature of a CHALLENGE is its last field,
// of 68 octets; the header says the final length before it is signed.
func TH1(hello, challenge []byte) []byte { return Hash(hello, challenge[:len(challenge)-68]) }
func TH2(hello, challenge []byte) []byte { return Hash(hello, challenge) }
func ChallengeIsSigned(hello []byte, challenge *Frame) bool {
	th1 := TH1(hello, challenge.Octets)
	return Verify(challenge.Get("server_key"), challenge.Get("handshake_sig"), Label("server-auth"), th1)
}
func AuthIsSigned(key, hello, challenge []byte, auth *Frame) bool {
	return Verify(key, auth.Get("handshake_sig"), Label("client-auth"), TH2(hello, challenge), auth.before(handshakeSigTag))
}

// AuthorZone is what an author signs (MSG-01), and what makes the id of a message (MSG-02).
func (f *Frame) AuthorZone() []byte { return f.before(authorSigTag) }
func (f *Frame) ID() []byte         { return Hash(Label("message-id"), f.AuthorZone()) }
func (f *Frame) IsSigned() bool {
	return Verify(f.Get("author_key"), f.Get("author_sig"), Label("message"), f.AuthorZone())
}

// Compose makes the fields of a signed message.
func (k Keys) Compose(body Body) []byte {
	body["author_key"] = k.Public
	body["author_sig"] = k.Sign(Label("message"), EncodeFields(body))
	return EncodeFields(body)
}

// RoomID: the client's key belongs to the private room (MSG-22).
func RoomID(serverKey, epoch []byte, name string, clientKey []byte) []byte {
	if name != "@host" {
		clientKey = nil
	}
	return Hash(Label("room"), serverKey, epoch, []byte{byte(len(name))}, []byte(name), clientKey)
}

// The chain of a room and its checkpoints (AUD-01, AUD-03).
func ChainStart(roomID []byte) []byte { return Hash(Label("chain-start"), roomID) }
func Chain(previous []byte, seq, time uint64, id []byte) []byte {
	return Hash(Label("chain"), previous, U64(seq), U64(time), id)
}
func CheckpointIsSigned(key []byte, f *Frame) bool {
	return Verify(key, f.Get("server_sig"), Label("checkpoint"), f.before(Fields["server_sig"].Tag))
}
