package restic

import "bytes"

// maxLine bounds a line. Restic's longest lines have a few kilobytes.
const maxLine = 1 << 20

// Lines is a writer that calls a function for each line, without the line end. It is not
// safe for concurrent use.
type Lines struct {
	handle  func(line []byte)
	partial []byte
}

// NewLines returns a writer that calls handle for each line; the slice is valid only during
// the call. Flush handles an unterminated last line.
func NewLines(handle func(line []byte)) *Lines { return &Lines{handle: handle} }

// Write never fails.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		l.partial = append(l.partial, line...)
		if !found && len(l.partial) < maxLine {
			return n, nil
		}
		l.Flush()
		if !found {
			return n, nil
		}
		p = rest
	}
}

// Flush handles what has been written since the last line end.
func (l *Lines) Flush() {
	if len(l.partial) > 0 {
		l.handle(bytes.TrimSuffix(l.partial, []byte{'\r'}))
	}
	l.partial = l.partial[:0]
}
