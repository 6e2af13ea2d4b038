package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Verified is the result of a verification.
type Verified struct {
	// First is the number of the first line that still exists, Last the head.
	First uint64
	Last  Head
	// Part is true if the last line is incomplete: a writer is active, or was killed.
	Part bool
}

// ErrBroken says that a log was modified or truncated.
var ErrBroken = errors.New("the audit log was changed")

// Verify reads a log, including its full files, and proves that no line between the first
// and the last was changed, removed or inserted. With heads archived elsewhere, it also
// proves that nothing up to them was replaced, and that the end was not cut off. Otherwise
// the error wraps [ErrBroken].
func Verify(path string, heads ...Head) (Verified, error) {
	files, err := full(path)
	if err != nil {
		return Verified{}, err
	}
	v := verifier{wanted: heads}
	for _, name := range append(files, path) {
		err := v.file(name)
		if errors.Is(err, fs.ErrNotExist) && name == path && len(files) > 0 {
			continue // a new file is about to be created
		}
		if err != nil {
			return v.found, err
		}
	}
	return v.found, v.settle()
}

// verifier is a verification in progress.
type verifier struct {
	wanted []Head
	found  Verified
}

func (v *verifier) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, maxLine)
	for n := 1; ; n++ {
		content, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(content) > 0 {
				v.found.Part = true
			}
			return nil
		}
		if err != nil {
			return err
		}
		if v.found.Part {
			return fmt.Errorf("%w: line %d of %s follows one that is not finished", ErrBroken, n, name)
		}
		if err := v.line(bytes.TrimSuffix(content, []byte{'\n'})); err != nil {
			return fmt.Errorf("%w: line %d of %s: %w", ErrBroken, n, name, err)
		}
	}
}

// line checks a line against the previous one and the heads.
func (v *verifier) line(content []byte) error {
	read, err := decode(content)
	if err != nil {
		return err
	}
	last := v.found.Last
	switch {
	case v.found.First == 0:
		v.found.First = read.Seq
		last = Head{Seq: read.Seq - 1, Hash: read.Prev}
		if read.Seq == 1 && read.Prev != genesis.Hash {
			return errors.New("the first line follows another one")
		}
	case read.Seq != last.Seq+1:
		return fmt.Errorf("number %d follows number %d", read.Seq, last.Seq)
	case read.Prev != last.Hash:
		return fmt.Errorf("number %d does not fit the line before it, which was changed", read.Seq)
	}
	v.found.Last = last.after(content)
	for _, head := range v.wanted {
		if head.Seq == read.Seq && head.Hash != v.found.Last.Hash {
			return fmt.Errorf("number %d is not what it was when the head was taken: it, or one before it, was changed", read.Seq)
		}
	}
	return nil
}

// settle judges the heads that matched no line.
func (v *verifier) settle() error {
	for _, head := range v.wanted {
		switch {
		case head.Seq > v.found.Last.Seq:
			return fmt.Errorf("%w: it ends with number %d, and had number %d: its end was cut off", ErrBroken, v.found.Last.Seq, head.Seq)
		case head.Seq > 0 && head.Seq+1 < v.found.First:
			return fmt.Errorf("the head of number %d proves nothing any more: the oldest line that is kept is number %d", head.Seq, v.found.First)
		}
	}
	return nil
}

// Events calls fn for the events of a log, including its full files, oldest first, whose
// lines contain a text. It skips malformed lines, which Verify reports.
func (l *Log) Events(text string, fn func(Event) error) error {
	if l == nil {
		return nil
	}
	files, err := full(l.path)
	if err != nil {
		return err
	}
	for _, name := range append(files, l.path) {
		if err := events(name, []byte(text), fn); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func events(name string, text []byte, fn func(Event) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, maxLine)
	for {
		content, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // an incomplete line does not count yet
		}
		if err != nil {
			return err
		}
		if !bytes.Contains(content, text) {
			continue
		}
		read, err := decode(content)
		if err != nil {
			continue
		}
		if err := fn(read.Event); err != nil {
			return err
		}
	}
}
