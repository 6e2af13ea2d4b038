// Package httprange parses the Range header of a request (RFC 9110, section 14).
package httprange

import (
	"fmt"
	"math"
	"net/http"
	"strings"
)

// Range is the requested part of an object. The zero value is the whole object.
type Range struct {
	Kind Kind
	// Off and N are the first byte and the number of bytes of a [FromStart] range; a
	// negative N means to the end. For a [Suffix], N is the number of bytes at the end, and
	// Off is unused.
	Off, N int64
}

// Kind is the form of a range.
type Kind uint8

// The forms of a range.
const (
	Whole Kind = iota
	FromStart
	Suffix
)

// Parse parses the Range header.
//
// It ignores units other than bytes, as the RFC demands. A malformed range and several
// ranges are errors. The RFC allows to ignore them or to answer 416, but restic could use
// neither the whole object nor a multipart response, so a plain refusal is better. Numbers
// beyond an int64 count as very large ones.
func Parse(h http.Header) (Range, error) {
	lines := h["Range"]
	if len(lines) == 0 {
		return Range{}, nil
	}
	unit, spec, ok := strings.Cut(lines[0], "=")
	if ok && !strings.EqualFold(unit, "bytes") {
		return Range{}, nil
	}
	first, last, dash := strings.Cut(strings.Trim(spec, " \t"), "-")
	if !ok || !dash || len(lines) > 1 {
		return Range{}, bad(lines[0])
	}
	if first == "" {
		n, ok := parseDigits(last)
		if !ok {
			return Range{}, bad(lines[0])
		}
		return Range{Kind: Suffix, N: n}, nil
	}
	from, ok := parseDigits(first)
	if !ok {
		return Range{}, bad(lines[0])
	}
	if last == "" {
		return Range{Kind: FromStart, Off: from, N: -1}, nil
	}
	to, ok := parseDigits(last)
	switch {
	case !ok || to < from:
		return Range{}, bad(lines[0])
	case to == math.MaxInt64:
		return Range{Kind: FromStart, Off: from, N: -1}, nil
	default:
		return Range{Kind: FromStart, Off: from, N: to - from + 1}, nil
	}
}

// In returns which bytes of an object of that size are wanted, and whether there are any.
// Of an empty object the whole is wanted, except by a suffix of zero bytes.
func (r Range) In(size int64) (off, n int64, ok bool) {
	switch {
	case r.Kind == Whole:
		return 0, size, true
	case r.Kind == Suffix:
		n = min(r.N, size)
		return size - n, n, r.N > 0
	case r.Off > size || r.Off == size && size > 0:
		return 0, 0, false
	case r.N < 0 || r.N > size-r.Off:
		return r.Off, size - r.Off, true
	}
	return r.Off, r.N, true
}

// Content returns the value of Content-Range for n bytes from off of an object.
func Content(off, n, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, size)
}

func bad(header string) error {
	return fmt.Errorf("malformed or more than one range, %.64q", header)
}

// parseDigits reads a decimal number without sign, capped at the largest int64.
func parseDigits(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		d := int64(s[i]) - '0'
		if d < 0 || d > 9 {
			return 0, false
		}
		if n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
			continue
		}
		n = 10*n + d
	}
	return n, true
}
