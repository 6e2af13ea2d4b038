package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// tree describes the content of a directory.
type tree struct {
	files int
	bytes int64
}

func (t tree) String() string {
	return fmt.Sprintf("%d files, %.1f MiB", t.files, float64(t.bytes)/(1<<20))
}

// measure counts the regular files below dir.
func measure(dir string) (tree, error) {
	var t tree
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		t.files++
		t.bytes += info.Size()
		return nil
	})
	return t, err
}

// change simulates a day of work on a tree: it edits every hundredth file, removes every
// thousandth, and adds one.
func change(dir string) (edited, removed int, err error) {
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		seen++
		switch {
		case seen%1000 == 500:
			removed++
			return os.Remove(path)
		case seen%100 == 50:
			edited++
			return appendTo(path, "\n// edited\n")
		}
		return nil
	})
	return edited, removed, errors.Join(err, os.WriteFile(filepath.Join(dir, "a new file\n with a line break in its name"), []byte("new\n"), 0o600))
}

func appendTo(path, text string) error {
	if err := os.Chmod(path, 0o644); err != nil { // the Go module cache is read-only
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// compare compares two trees by name and content.
func compare(want, got string) (differences []string, err error) {
	walk := func(from, to string, check func(name string, a, b fs.FileInfo) error) error {
		return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			a, err := d.Info()
			if err != nil {
				return err
			}
			b, err := os.Lstat(filepath.Join(to, name))
			if errors.Is(err, fs.ErrNotExist) {
				differences = append(differences, fmt.Sprintf("%q is only in %s", name, from))
				return nil
			}
			if err != nil {
				return err
			}
			return check(name, a, b)
		})
	}
	err = walk(want, got, func(name string, a, b fs.FileInfo) error {
		same := a.Mode() == b.Mode() && a.ModTime().Equal(b.ModTime())
		if same && a.Mode().IsRegular() {
			var err error
			if same, err = sameContent(filepath.Join(want, name), filepath.Join(got, name)); err != nil {
				return err
			}
		}
		if !same {
			differences = append(differences, fmt.Sprintf("%q differs", name))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = walk(got, want, func(string, fs.FileInfo, fs.FileInfo) error { return nil })
	return differences, err
}

func sameContent(a, b string) (bool, error) {
	x, errX := os.ReadFile(a)
	y, errY := os.ReadFile(b)
	return bytes.Equal(x, y), errors.Join(errX, errY)
}
