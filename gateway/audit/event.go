package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is an action to record. It must hold no secret.
type Event struct {
	Time time.Time `json:"time"` // now if zero
	// What is the action: "delete", "refused", "change", "rollback".
	What string `json:"what"`
	// Who is the user, From the address of the request.
	Who  string `json:"who,omitempty"`
	From string `json:"from,omitempty"`
	// Destination, Repository and Object say what it was done to.
	Destination string `json:"destination,omitempty"`
	Repository  string `json:"repository,omitempty"`
	Object      string `json:"object,omitempty"`
	// Request is the ID of the request, as in the gateway's log.
	Request string `json:"request,omitempty"`
	// Result is the HTTP status, or "ok".
	Result string `json:"result,omitempty"`
	// Detail is further information.
	Detail string `json:"detail,omitempty"`
	// Count is how many such events the line stands for, if not one.
	Count int `json:"count,omitempty"`
}

// line is an event as written to the log.
type line struct {
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"`
	Event
}

// Head identifies a line and, by its hash, all lines before it. The zero value is the head
// of an empty log.
type Head struct {
	Seq  uint64
	Hash string // 64 hex digits
}

// genesis is the previous hash of the first line.
var genesis = Head{Hash: strings.Repeat("0", 2*sha256.Size)}

// String formats the head for [ParseHead].
func (h Head) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash }

// ParseHead parses a head, NUMBER:HASH.
func ParseHead(text string) (Head, error) {
	number, hash, ok := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if raw, errHex := hex.DecodeString(hash); !ok || err != nil || errHex != nil || len(raw) != sha256.Size {
		return Head{}, fmt.Errorf("%q is no head: it has the form NUMBER:HASH, with 64 hexadecimal digits", text)
	}
	return Head{seq, strings.ToLower(hash)}, nil
}

// after returns the head after a line, which comes without its line end.
func (h Head) after(content []byte) Head {
	sum := sha256.Sum256(content)
	return Head{h.Seq + 1, hex.EncodeToString(sum[:])}
}

// maxLine bounds a line, so that the last one can be found.
const maxLine = 64 << 10

// maxField bounds fields whose values come from callers.
const maxField = 1024

// encode returns the line after h, without its line end.
func encode(h Head, e Event) ([]byte, error) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	for _, field := range []*string{&e.What, &e.Who, &e.From, &e.Destination, &e.Repository, &e.Object, &e.Request, &e.Result, &e.Detail} {
		if len(*field) > maxField {
			*field = strings.ToValidUTF8((*field)[:maxField], "") + "…"
		}
	}
	return json.Marshal(line{h.Seq + 1, h.Hash, e})
}

// errLine says that a line is not part of the log.
var errLine = errors.New("it is not a line of an audit log")

// decode parses a line.
func decode(content []byte) (line, error) {
	var l line
	if err := json.Unmarshal(content, &l); err != nil || l.Seq == 0 || len(l.Prev) != 2*sha256.Size {
		return l, errLine
	}
	return l, nil
}
