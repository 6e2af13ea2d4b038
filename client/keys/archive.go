package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// A key archive carries Redis keys with their values and times to live.
// It is a header line, the keys, and a trailer line:
//
//	gateway redis archive 1
//	{"key":"module/mymodule1/mykey","ttl_ms":0,"size":17}
//	<17 bytes, as Redis' DUMP returned them>
//	{"keys":1,"sha256":"…"}
//
// Each line ends with a line feed, and so does each value. A key that is not
// valid UTF-8 is in "key_base64" instead of "key". "ttl_ms" is the time that
// was left when the key was read, in milliseconds; 0 means that it does not
// expire. "sha256" covers every byte before the trailer line.
//
// No raw DUMP value begins like the header: its first byte is a Redis type
// number, far below any letter.
const archiveHeader = "gateway redis archive 1\n"

// errDamagedArchive is wrapped by every error about an archive's content.
var errDamagedArchive = errors.New("the key archive is truncated or damaged")

// savedKey is one Redis key as it was when it was read.
type savedKey struct {
	Name  string
	Value []byte        // as returned by DUMP
	TTL   time.Duration // remaining time to live; 0: it does not expire
}

type archiveEntry struct {
	Key       string `json:"key,omitempty"`
	KeyBase64 []byte `json:"key_base64,omitempty"`
	TTL       int64  `json:"ttl_ms"`
	Size      int    `json:"size"`
}

type archiveTrailer struct {
	Keys   *int   `json:"keys"`
	SHA256 string `json:"sha256"`
}

// isArchive distinguishes a key archive, even a truncated one, from a raw DUMP value.
func isArchive(data []byte) bool {
	n := min(len(data), len(archiveHeader))
	return n > 0 && string(data[:n]) == archiveHeader[:n]
}

// archiveWriter writes a key archive. [parseArchive] refuses the archive until close.
type archiveWriter struct {
	w    io.Writer
	sum  hash.Hash
	keys int
}

func newArchiveWriter(w io.Writer) (*archiveWriter, error) {
	a := &archiveWriter{w: w, sum: sha256.New()}
	if err := a.write([]byte(archiveHeader)); err != nil {
		return nil, err
	}
	return a, nil
}

// add writes one key.
func (a *archiveWriter) add(k savedKey) error {
	e := archiveEntry{Key: k.Name, TTL: k.TTL.Milliseconds(), Size: len(k.Value)}
	if !utf8.ValidString(k.Name) {
		e.Key, e.KeyBase64 = "", []byte(k.Name)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	a.keys++
	return a.write(line, []byte{'\n'}, k.Value, []byte{'\n'})
}

// close writes the trailer. It does not close the underlying writer.
func (a *archiveWriter) close() error {
	trailer, err := json.Marshal(archiveTrailer{Keys: &a.keys, SHA256: hex.EncodeToString(a.sum.Sum(nil))})
	if err != nil {
		return err
	}
	return a.write(trailer, []byte{'\n'})
}

func (a *archiveWriter) write(parts ...[]byte) error {
	for _, part := range parts {
		a.sum.Write(part)
		if _, err := a.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// parseArchive returns the keys of an archive with a correct checksum. Every error wraps
// errDamagedArchive.
func parseArchive(data []byte) ([]savedKey, error) {
	rest, ok := bytes.CutPrefix(data, []byte(archiveHeader))
	if !ok {
		return nil, fmt.Errorf("%w: it ends within its first line", errDamagedArchive)
	}
	var keys []savedKey
	for {
		begin := len(data) - len(rest)
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("%w: it ends after %d keys, without its last line", errDamagedArchive, len(keys))
		}
		var t archiveTrailer
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("%w: the line after %d keys is not readable", errDamagedArchive, len(keys))
		}
		if t.Keys != nil {
			return keys, checkTrailer(t, len(keys), data[:begin], after)
		}
		k, after, err := parseArchiveEntry(line, after)
		if err != nil {
			return nil, err
		}
		keys, rest = append(keys, k), after
	}
}

// parseArchiveEntry parses the line of one key and the value that follows.
func parseArchiveEntry(line, data []byte) (savedKey, []byte, error) {
	var e archiveEntry
	if err := json.Unmarshal(line, &e); err != nil {
		return savedKey{}, nil, fmt.Errorf("%w: a key's line is not readable", errDamagedArchive)
	}
	name := e.Key
	if len(e.KeyBase64) > 0 {
		name = string(e.KeyBase64)
	}
	if e.Size < 0 || e.Size >= len(data) || data[e.Size] != '\n' {
		return savedKey{}, nil, fmt.Errorf("%w: it does not hold the whole value of key %q", errDamagedArchive, name)
	}
	if e.TTL < 0 || e.TTL > math.MaxInt64/int64(time.Millisecond) {
		return savedKey{}, nil, fmt.Errorf("%w: no time to live of key %q can be %d ms", errDamagedArchive, name, e.TTL)
	}
	k := savedKey{Name: name, Value: data[:e.Size], TTL: time.Duration(e.TTL) * time.Millisecond}
	return k, data[e.Size+1:], nil
}

func checkTrailer(t archiveTrailer, keys int, body, after []byte) error {
	sum := sha256.Sum256(body)
	switch {
	case *t.Keys != keys:
		return fmt.Errorf("%w: it holds %d keys and claims %d", errDamagedArchive, keys, *t.Keys)
	case t.SHA256 != hex.EncodeToString(sum[:]):
		return fmt.Errorf("%w: its checksum is wrong", errDamagedArchive)
	case len(after) > 0:
		return fmt.Errorf("%w: there are %d bytes after its end", errDamagedArchive, len(after))
	}
	return nil
}
