// Package listreply reads long lists from Redis without keeping them.
package listreply

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// ErrNoList says that the reply is not a list of strings. Send the command in the ordinary
// way to get its error.
var ErrNoList = errors.New("the reply is no list of strings")

// Each calls fn for each string of the reply to a command. The string is valid during the
// call. fn may have been called before an error occurs.
func Each(ctx context.Context, rdb redis.UniversalClient, fn func([]byte), command ...any) error {
	s := &sink{fn: fn}
	cmd := redis.NewRawWriteToCmd(ctx, s, command...)
	if err := rdb.Process(ctx, cmd); err != nil {
		return err
	}
	if s.odd || s.heads != 1 || s.announced != s.strings {
		return ErrNoList
	}
	return nil
}

// sink parses a reply in the pieces that the client library passes on: headers by Write;
// the content of strings, with the line end, by ReadFrom.
type sink struct {
	fn                        func([]byte)
	buf                       []byte
	heads, announced, strings int
	odd                       bool
}

// Write takes the header of a list or of a string.
func (s *sink) Write(p []byte) (int, error) {
	switch p[0] {
	case '*', '~':
		n, err := strconv.Atoi(string(p[1:]))
		s.odd = s.odd || err != nil
		s.heads++
		s.announced = n
	case '$', '\r':
	default:
		s.odd = true
	}
	return len(p), nil
}

// ReadFrom takes a string.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok || limited.N < 2 {
		s.odd = true
		return io.Copy(io.Discard, r)
	}
	size := int(limited.N)
	if size > len(s.buf) {
		s.buf = make([]byte, 2*size)
	}
	n, err := io.ReadFull(r, s.buf[:size])
	if err != nil {
		return int64(n), err
	}
	s.strings++
	s.fn(s.buf[:size-len("\r\n")])
	return int64(n), nil
}
