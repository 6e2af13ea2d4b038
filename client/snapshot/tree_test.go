package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// someNodes makes a tree in the order in which restic lists one.
func someNodes(dir string, depth, wide int) []Node {
	var nodes []Node
	for i := range wide {
		n := Node{
			Path: path.Join(dir, fmt.Sprintf("file %d\nof two lines", i)), Type: "file", Size: rand.Uint64N(1 << 40), Mode: 0o640 | fs.ModeSetuid,
			UID: 1<<32 - 1, GID: 7, MTime: time.Unix(-5, 999_999_999),
		}
		nodes = append(nodes, n)
		if depth > 0 {
			sub := path.Join(dir, fmt.Sprintf("dir%d", i))
			nodes = append(nodes, Node{Path: sub, Type: "dir", Mode: fs.ModeDir | 0o700, MTime: time.Unix(1, 0)})
			nodes = append(nodes, someNodes(sub, depth-1, wide)...)
		}
	}
	return nodes
}

// written writes a tree into a file.
func written(t *testing.T, nodes []Node) string {
	t.Helper()
	var out bytes.Buffer
	w := &treeWriter{out: &out}
	for _, n := range nodes {
		if err := w.add(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "tree")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t *testing.T, name string) *Tree {
	t.Helper()
	tree, err := openTree(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.file.Close() })
	return tree
}

func TestTreeIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := someNodes("/", 3, 9)
	tree := open(t, written(t, want))
	if int(tree.Nodes) != len(want) {
		t.Errorf("%d nodes, want %d", tree.Nodes, len(want))
	}
	byPath := func(a, b Node) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(want, byPath)
	var got []Node
	if err := tree.Walk("/", func(n Node) error { got = append(got, n); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, byPath)
	same := func(a, b Node) bool {
		at, bt := a.MTime, b.MTime
		a.MTime, b.MTime = time.Time{}, time.Time{}
		return a == b && at.Equal(bt)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("%d nodes differ from %d that were written", len(got), len(want))
	}
	for _, n := range want[:200] {
		if found, err := tree.Stat(n.Path); err != nil || !same(found, n) {
			t.Errorf("%q: %v, %v", n.Path, found, err)
		}
	}
	nodes, err := tree.ReadDir("/dir3/dir0/")
	if err != nil || len(nodes) != 18 || nodes[0].Path != "/dir3/dir0/dir0" {
		t.Errorf("%d nodes, %v", len(nodes), err)
	}
	if _, err := tree.Stat("/dir3/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestDirectoriesOfOneName are what two names that are not UTF-8 become.
func TestDirectoriesOfOneName(t *testing.T) {
	t.Parallel()
	tree := open(t, written(t, []Node{
		{Path: "/\ufffd", Type: "dir"},
		{Path: "/\ufffd/a", Type: "file"},
		{Path: "/\ufffd", Type: "dir"},
		{Path: "/\ufffd/b", Type: "file"},
		{Path: "/z", Type: "file"},
	}))
	nodes, err := tree.ReadDir("/\ufffd")
	if err != nil || len(nodes) != 2 || nodes[1].Path != "/\ufffd/b" {
		t.Errorf("%v, %v", nodes, err)
	}
	if top, err := tree.ReadDir("/"); err != nil || len(top) != 3 {
		t.Errorf("%v, %v", top, err)
	}
}

// TestTreeThatIsDamaged wants an error of that kind, or what was written, and no crash.
func TestTreeThatIsDamaged(t *testing.T) {
	t.Parallel()
	want := someNodes("/", 2, 9)
	name := written(t, want)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		broken := slices.Clone(whole)
		if rand.IntN(2) == 0 {
			broken = broken[:rand.IntN(len(broken))]
		} else {
			broken[rand.IntN(len(broken))] ^= byte(1 + rand.IntN(255))
		}
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		tree, err := openTree(name)
		if err != nil {
			continue
		}
		n := 0
		err = tree.Walk("/", func(Node) error { n++; return nil })
		_ = tree.file.Close()
		if err == nil && n != len(want) {
			t.Fatalf("%d nodes of %d, and no error", n, len(want))
		}
		if err != nil && !errors.Is(err, errBroken) {
			t.Fatalf("another error: %v", err)
		}
	}
}

// lister puts a restic on PATH that lists a tree of some files, and counts how often.
func lister(t *testing.T) (Source, func() int) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	script := `#!/bin/sh
echo x >> ` + dir + `/calls
for i in 1 2 3; do echo '{"struct_type":"node","type":"file","path":"/file'$i'","size":7,"mtime":"2026-01-02T03:04:05+01:00"}'; done
`
	if err := os.WriteFile(filepath.Join(dir, "restic"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	from := Source{Command: func(context.Context) (restic.Invocation, error) {
		return restic.Invocation{Runtime: restic.Native}, nil
	}}
	return from, func() int {
		calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return bytes.Count(calls, []byte("x"))
	}
}

func TestCacheIsBounded(t *testing.T) {
	from, calls := lister(t)
	dir := t.TempDir()
	cache := NewCache(dir, 1000)
	for i := range 20 {
		if err := cache.WithTree(t.Context(), from, fmt.Sprintf("%064d", i), func(tree *Tree) error {
			if tree.Nodes != 3 || tree.Bytes != 21 {
				t.Errorf("%d nodes, %d bytes", tree.Nodes, tree.Bytes)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	var total int64
	entries, err := os.ReadDir(filepath.Join(dir, treesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if len(entries) == 0 || total > 1000 {
		t.Errorf("%d files of %d bytes are kept", len(entries), total)
	}
	before := calls()
	last := fmt.Sprintf("%064d", 19)
	nothing := func(*Tree) error { return nil }
	if err := cache.WithTree(t.Context(), from, last, nothing); err != nil || calls() != before {
		t.Errorf("a tree in the cache was listed again: %v", err)
	}
	// A damaged one is.
	name := filepath.Join(dir, treesDir, last)
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	content[12] ^= 0xff
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(tree *Tree) error {
		nodes, err := tree.ReadDir("/")
		if err == nil && len(nodes) != 3 {
			t.Errorf("%d nodes", len(nodes))
		}
		return err
	}
	if err := cache.WithTree(t.Context(), from, last, read); err != nil || calls() != before+1 {
		t.Errorf("after damage: %v, %d calls", err, calls()-before)
	}
}

func BenchmarkTreeReadDir(b *testing.B) {
	var out bytes.Buffer
	w := &treeWriter{out: &out}
	for _, n := range someNodes("/", 4, 10) { // 110,000 files
		if err := w.add(n); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		b.Fatal(err)
	}
	name := filepath.Join(b.TempDir(), "tree")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(out.Len()), "bytes")
	for b.Loop() {
		tree, err := openTree(name)
		if err != nil {
			b.Fatal(err)
		}
		if nodes, err := tree.ReadDir("/dir5/dir5/dir5"); err != nil || len(nodes) != 20 {
			b.Fatal(len(nodes), err)
		}
		_ = tree.file.Close()
	}
}
