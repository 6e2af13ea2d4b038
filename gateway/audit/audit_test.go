package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
)

func open(t *testing.T, path string, opts audit.Options) *audit.Log {
	t.Helper()
	opts.Log = slog.New(slog.DiscardHandler)
	l, err := audit.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// written makes a log of n lines, and returns its head.
func written(t *testing.T, path string, n int, opts audit.Options) audit.Head {
	t.Helper()
	l := open(t, path, opts)
	for i := range n {
		l.Write(audit.Event{What: "delete", Who: "node/1", Object: fmt.Sprint("snapshots/", i), Result: "200"})
	}
	head, err := l.Head()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return head
}

func logPath(t *testing.T) string { return filepath.Join(t.TempDir(), "audit.jsonl") }

func TestLogProvesItself(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	first := written(t, path, 3, audit.Options{})
	head := written(t, path, 4, audit.Options{}) // after a restart
	if head.Seq != 7 {
		t.Errorf("head %v after 7 lines", head)
	}
	found, err := audit.Verify(path, first, head)
	if err != nil || found.First != 1 || found.Last != head || found.Part {
		t.Errorf("found %+v, %v", found, err)
	}
	if parsed, err := audit.ParseHead(head.String()); err != nil || parsed != head {
		t.Errorf("%s is read as %v, %v", head, parsed, err)
	}
}

// TestChangesAreFound changes a log in each way that somebody might.
func TestChangesAreFound(t *testing.T) {
	t.Parallel()
	lines := func(change func([][]byte) [][]byte) func([]byte) []byte {
		return func(content []byte) []byte {
			return bytes.Join(change(bytes.SplitAfter(content, []byte{'\n'})), nil)
		}
	}
	for about, tt := range map[string]struct {
		change func([]byte) []byte
		// without is true where it is found even without a head.
		without bool
	}{
		"a name in the middle":    {func(c []byte) []byte { return bytes.Replace(c, []byte("snapshots/4"), []byte("snapshots/9"), 1) }, true},
		"a name in the last line": {func(c []byte) []byte { return bytes.Replace(c, []byte("snapshots/9"), []byte("snapshots/8"), 1) }, false},
		"a line removed":          {lines(func(l [][]byte) [][]byte { return append(l[:4:4], l[5:]...) }), true},
		"two lines exchanged":     {lines(func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l }), true},
		"a line twice":            {lines(func(l [][]byte) [][]byte { return append(append(l[:5:5], l[4]), l[5:]...) }), true},
		"the last line cut off":   {lines(func(l [][]byte) [][]byte { return l[:9] }), false},
		"all but one cut off":     {lines(func(l [][]byte) [][]byte { return l[:1] }), false},
		"everything cut off":      {func([]byte) []byte { return nil }, false},
		"the first line removed":  {lines(func(l [][]byte) [][]byte { return l[1:] }), false},
		"garbage in between":      {lines(func(l [][]byte) [][]byte { return append(append(l[:5:5], []byte("garbage\n")), l[5:]...) }), true},
		"an empty line":           {lines(func(l [][]byte) [][]byte { return append(append(l[:5:5], []byte("\n")), l[5:]...) }), true},
		"a space":                 {func(c []byte) []byte { return bytes.Replace(c, []byte(`"seq":5,`), []byte(`"seq":5, `), 1) }, true},
	} {
		path := logPath(t)
		head := written(t, path, 10, audit.Options{})
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, tt.change(content), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := audit.Verify(path, head)
		if about == "the first line removed" {
			// What was rotated away long ago cannot be told from it; the number can.
			if err != nil || found.First != 2 {
				t.Errorf("%s: %+v, %v", about, found, err)
			}
			continue
		}
		if !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: %v, want ErrBroken", about, err)
		}
		if _, err := audit.Verify(path); errors.Is(err, audit.ErrBroken) != tt.without {
			t.Errorf("%s, without a head: %v", about, err)
		}
	}
}

// TestChainThatIsForgedIsFoundByAHead writes the whole log again, with other content and
// right hashes.
func TestChainThatIsForgedIsFoundByAHead(t *testing.T) {
	t.Parallel()
	path, forged := logPath(t), logPath(t)
	head := written(t, path, 10, audit.Options{})
	written(t, forged, 12, audit.Options{}) // at another time
	if _, err := audit.Verify(forged); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(forged, head); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("%v, want ErrBroken", err)
	}
}

func TestRotationKeepsTheChain(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	early := written(t, path, 1, audit.Options{})
	head := written(t, path, 100, audit.Options{MaxSize: 2000})
	found, err := audit.Verify(path, early, head)
	if err != nil || found.First != 1 || found.Last.Seq != 101 {
		t.Errorf("found %+v, %v", found, err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 5 {
		t.Errorf("files %v, %v", files, err)
	}
	if err := os.Remove(files[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(path, head); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("without one of the files: %v", err)
	}
}

func TestOldFilesGo(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	early := written(t, path, 1, audit.Options{})
	head := written(t, path, 100, audit.Options{MaxSize: 2000, Keep: 2})
	files, err := filepath.Glob(path + ".*")
	if err != nil || len(files) != 2 {
		t.Errorf("files %v, %v", files, err)
	}
	found, err := audit.Verify(path, head)
	if err != nil || found.First < 50 || found.Last != head {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := audit.Verify(path, early); err == nil || errors.Is(err, audit.ErrBroken) {
		t.Errorf("with a head from before: %v, want that it proves nothing", err)
	}
	if next := written(t, path, 1, audit.Options{MaxSize: 2000, Keep: 2}); next.Seq != head.Seq+1 {
		t.Errorf("head %v follows %v", next, head)
	}
}

// TestKilledInTheMiddleOfALine leaves each part of a last line behind.
func TestKilledInTheMiddleOfALine(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1, 5} {
		path := logPath(t)
		head := written(t, path, before, audit.Options{})
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"{", `{"seq":6,"prev":"00`, strings.Repeat("x", 500)} {
			if err := os.WriteFile(path, append(bytes.Clone(whole), part...), 0o600); err != nil {
				t.Fatal(err)
			}
			if found, err := audit.Verify(path, head); err != nil || !found.Part {
				t.Errorf("before the restart: %+v, %v", found, err)
			}
			after := written(t, path, 1, audit.Options{})
			found, err := audit.Verify(path, head, after)
			if err != nil || found.Part || after.Seq != head.Seq+2 {
				t.Errorf("after %d lines and %q: %+v, %v", before, part, found, err)
			}
			if content, _ := os.ReadFile(path); !strings.Contains(string(content), fmt.Sprintf("cut off: %d bytes", len(part))) {
				t.Errorf("the cut is not told: %s", content)
			}
		}
	}
}

func TestDamagedLogIsSetAside(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	head := written(t, path, 3, audit.Options{})
	if err := os.WriteFile(path, []byte("somebody was here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	written(t, path, 10, audit.Options{})
	if _, err := audit.Verify(path); err != nil {
		t.Errorf("the new chain: %v", err)
	}
	if _, err := audit.Verify(path, head); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("with the head of before: %v", err)
	}
	if kept, err := os.ReadFile(path + ".damaged.1"); err != nil || string(kept) != "somebody was here\n" {
		t.Errorf("what was there: %q, %v", kept, err)
	}
}

// TestSeveralWriters is a gateway that starts while the one before it drains: both write.
func TestSeveralWriters(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	var writers sync.WaitGroup
	for i := range 4 {
		l := open(t, path, audit.Options{MaxSize: 4000})
		writers.Go(func() {
			for n := range 50 {
				l.Write(audit.Event{What: "delete", Who: fmt.Sprint("node/", i), Object: strconv.Itoa(n)})
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if found, err := audit.Verify(path); err != nil || found.Last.Seq != 200 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestFloodsOfRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	synctest.Test(t, func(t *testing.T) {
		l := open(t, path, audit.Options{})
		for range 1000 {
			l.Write(audit.Event{What: audit.Refused, Who: "module/mail1", Result: "403"})
		}
		l.Write(audit.Event{What: audit.Refused, Who: "module/wiki7", Result: "403"})
		for range 100 {
			l.Write(audit.Event{What: "delete", Who: "node/1"})
		}
		time.Sleep(time.Minute)
		l.Write(audit.Event{What: "delete", Who: "node/1"})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), `"who":"module/mail1"`); n != 61 || !strings.Contains(string(content), `"count":940`) {
		t.Errorf("%d lines of a flood of 1000", n)
	}
	if n := strings.Count(string(content), `"delete"`); n != 101 {
		t.Errorf("%d of 101 deletions", n)
	}
}

func TestLongFieldsAreCut(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	l := open(t, path, audit.Options{})
	l.Write(audit.Event{What: "delete", Object: strings.Repeat("\x00", 1<<20), Detail: "line\nbreak"})
	head, err := l.Head()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if next := written(t, path, 1, audit.Options{}); next.Seq != head.Seq+1 {
		t.Errorf("%v follows %v", next, head)
	}
	if _, err := audit.Verify(path, head); err != nil {
		t.Error(err)
	}
}

func TestNilLogWritesNothing(t *testing.T) {
	t.Parallel()
	var l *audit.Log
	l.Write(audit.Event{What: "delete"})
	if head, err := l.Head(); err != nil || head.Seq != 0 {
		t.Errorf("%v, %v", head, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestHeadsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", ":", "5", "5:abc", "x:" + strings.Repeat("0", 64), "-1:" + strings.Repeat("0", 64), "5:" + strings.Repeat("g", 64)} {
		if _, err := audit.ParseHead(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	l, err := audit.Open(filepath.Join(b.TempDir(), "audit.jsonl"), audit.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l.Write(audit.Event{What: "delete", Who: "node/1", From: "127.0.0.1:1234", Destination: "d", Repository: "mail/x", Object: "data/x", Request: "r", Result: "200"})
	}
}
