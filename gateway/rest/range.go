package rest

import (
	"fmt"
	"math"
	"net/http"
	"strings"
)

// byteRange is the part of an object that a request asks for. The zero value is
// the whole object.
type byteRange struct {
	kind rangeKind
	// off and n are as in [Store.Open] for a fromStart range. For a suffix n is
	// how many of the last bytes are wanted and off is unused.
	off, n int64
}

type rangeKind uint8

const (
	whole rangeKind = iota
	fromStart
	suffix
)

// parseRange reads the Range header, by RFC 9110, section 14.
//
// A unit other than bytes is ignored, as the RFC demands. A malformed range and
// more than one range are [ErrRange]: the RFC lets a server ignore them or answer
// 416, and restic could use neither the whole object nor a multipart answer, so
// the plain refusal is the kinder one. Numbers beyond an int64 count as very
// large ones.
func parseRange(h http.Header) (byteRange, error) {
	lines := h["Range"]
	if len(lines) == 0 {
		return byteRange{}, nil
	}
	unit, spec, ok := strings.Cut(lines[0], "=")
	if ok && !strings.EqualFold(unit, "bytes") {
		return byteRange{}, nil
	}
	first, last, dash := strings.Cut(strings.Trim(spec, " \t"), "-")
	if !ok || !dash || len(lines) > 1 {
		return byteRange{}, badRange(lines[0])
	}
	if first == "" {
		n, ok := parseDigits(last)
		if !ok {
			return byteRange{}, badRange(lines[0])
		}
		return byteRange{kind: suffix, n: n}, nil
	}
	from, ok := parseDigits(first)
	if !ok {
		return byteRange{}, badRange(lines[0])
	}
	if last == "" {
		return byteRange{kind: fromStart, off: from, n: -1}, nil
	}
	to, ok := parseDigits(last)
	switch {
	case !ok || to < from:
		return byteRange{}, badRange(lines[0])
	case to == math.MaxInt64:
		return byteRange{kind: fromStart, off: from, n: -1}, nil
	default:
		return byteRange{kind: fromStart, off: from, n: to - from + 1}, nil
	}
}

func badRange(header string) error {
	return fmt.Errorf("malformed or more than one range, %.64q: %w", header, ErrRange)
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
