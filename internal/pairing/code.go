package pairing

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	// alphabet is Crockford's base32, which leaves out characters that are easily confused.
	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	// length is the length of a code without dashes. The last character is a checksum.
	length = 20
	group  = 4
)

// Errors of [Parse]: they do not quote the code.
var (
	errLength    = fmt.Errorf("a pairing code has %d letters and digits", length)
	errCharacter = errors.New("a pairing code has letters but U, and digits")
	errTypo      = errors.New("the pairing code is mistyped")
)

// Code is a pairing code. It is a secret.
type Code struct{ characters string }

// New returns a new code.
func New() Code {
	var random [length - 1]byte
	_, _ = rand.Read(random[:]) // it never fails
	var text strings.Builder
	for _, b := range random {
		text.WriteByte(alphabet[b%byte(len(alphabet))])
	}
	return Code{text.String() + sum(text.String())}
}

// Parse parses a code as people type it: in any case, with dashes and spaces anywhere, with
// O for 0 and I or L for 1.
func Parse(typed string) (Code, error) {
	var text strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch r {
		case '-', ' ', '\t', '\r', '\n':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if !strings.ContainsRune(alphabet, r) {
			return Code{}, errCharacter
		}
		text.WriteRune(r)
	}
	characters := text.String()
	switch {
	case len(characters) != length:
		return Code{}, errLength
	case sum(characters[:length-1]) != characters[length-1:]:
		return Code{}, errTypo
	}
	return Code{characters}, nil
}

// sum computes the last character of a code. The others are weighted by powers of an
// element of the field of 32 elements, so that one wrong character, or two swapped ones,
// are always detected.
func sum(characters string) string {
	const polynomial = 1<<5 | 1<<2 | 1
	s := 1 // so that a code of zeros is invalid
	for i := range len(characters) {
		if s = (s ^ strings.IndexByte(alphabet, characters[i])) << 1; s >= len(alphabet) {
			s ^= polynomial
		}
	}
	return alphabet[s : s+1]
}

// Text formats the code for people.
func (c Code) Text() string {
	var groups []string
	for at := 0; at < len(c.characters); at += group {
		groups = append(groups, c.characters[at:at+group])
	}
	return strings.Join(groups, "-")
}

// String keeps the code out of logs and error texts.
func (Code) String() string { return "***" }

// GoString does the same for %#v.
func (Code) GoString() string { return "***" }

// Ticket returns what is sent to the gateway instead of the code.
func (c Code) Ticket() string { return hex.EncodeToString(c.derive("ticket")) }

// derive returns 32 bytes for a purpose, which reveal neither the code nor those for other
// purposes.
func (c Code) derive(purpose string) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(c.characters), nil, "rclone-gateway pairing 1: "+purpose, sha256.Size)
	if err != nil {
		panic(err) // it fails for lengths beyond 8,160 alone
	}
	return derived
}

// Name returns the name under which Redis stores the sealed settings of a ticket.
func Name(ticket string) string {
	digest := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(digest[:])
}
