//go:build unix

package local

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// syncs replaces the store's fsync by one that counts, and fails at call failAt.
func syncs(s *Store, failAt int) (count *int) {
	count = new(int)
	s.fsync = func(fd int) error {
		if *count++; *count == failAt {
			return unix.EIO
		}
		return fsync(fd)
	}
	return count
}

func TestPutSyncsTheFileAndEachDirectoryThatChanged(t *testing.T) {
	s := open(t)
	count := syncs(s, 0)
	for _, tt := range []struct {
		what string
		do   func()
		want int
	}{
		// The root, app, app/uuid and data got an entry; then file and shard.
		{"the first object", func() { put(t, s, pack, []byte("pack")) }, 6},
		{"a second object beside it", func() { put(t, s, pack[:len(pack)-1]+"1", nil) }, 2},
		// Data got an entry; then file and shard.
		{"an object in another shard", func() { put(t, s, strings.ReplaceAll(pack, "ab", "cd"), nil) }, 3},
		{"the same object again", func() { put(t, s, pack, []byte("pack")) }, 2},
		{"a removal", func() {
			if err := s.Remove(t.Context(), pack); err != nil {
				t.Error(err)
			}
		}, 1},
	} {
		*count = 0
		tt.do()
		if *count != tt.want {
			t.Errorf("%s: %d syncs; want %d", tt.what, *count, tt.want)
		}
	}
}

// A directory that another process made may not be durable yet.
func TestPutSyncsDirectoriesThatItFinds(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("pack"))
	again, err := Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	count := syncs(again, 0)
	put(t, again, pack, []byte("pack"))
	if *count != 6 {
		t.Errorf("%d syncs; want 6", *count)
	}
}

func TestPutFailsWhereASyncFails(t *testing.T) {
	for failAt := 1; failAt <= 6; failAt++ {
		s := open(t)
		syncs(s, failAt)
		err := s.Put(t.Context(), pack, 4, strings.NewReader("pack"))
		if !errors.Is(err, unix.EIO) {
			t.Errorf("Put whose sync %d failed = %v; want EIO", failAt, err)
		}
		if _, err := s.Stat(t.Context(), pack); failAt < 6 && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat after sync %d failed = %v; want fs.ErrNotExist", failAt, err)
		}
		syncs(s, 0)
		put(t, s, pack, []byte("pack"))
		if names, err := list(t, s, "."); err != nil || len(names) != 1 {
			t.Errorf("List after the second try = %v, %v", names, err)
		}
	}
}

func TestRemoveFailsWhereItsSyncFails(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("pack"))
	syncs(s, 1)
	if err := s.Remove(t.Context(), pack); !errors.Is(err, unix.EIO) {
		t.Errorf("Remove = %v; want EIO", err)
	}
}

// TestRemovedLocksAreNotSynced: what is lost of that is a lock of nobody.
func TestRemovedLocksAreNotSynced(t *testing.T) {
	s := open(t)
	lock := path.Dir(path.Dir(path.Dir(pack))) + "/locks/" + path.Base(pack)
	put(t, s, lock, []byte("lock"))
	count := syncs(s, 0)
	if err := s.Remove(t.Context(), lock); err != nil || *count != 0 {
		t.Errorf("Remove = %v, with %d syncs", err, *count)
	}
}

// TestAFileSystemThatCannotSyncIsServed is told of once. Any other failure counts.
func TestAFileSystemThatCannotSyncIsServed(t *testing.T) {
	for _, cannot := range []error{unix.EINVAL, unix.ENOTSUP, unix.ENOSYS} {
		log := &bytes.Buffer{}
		s, err := OpenMarked(t.TempDir(), Mark{ID: "a-destination", Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if s.Fleeting() {
			t.Error("known before anything was stored")
		}
		s.fsync = func(int) error { return cannot }
		put(t, s, pack, []byte("pack"))
		put(t, s, config, []byte("config"))
		if err := s.Remove(t.Context(), pack); err != nil {
			t.Error(err)
		}
		if got := read(t, s, config); got != "config" || !s.Fleeting() {
			t.Errorf("%q, known %v", got, s.Fleeting())
		}
		if told := strings.Count(log.String(), "cannot be synced"); told != 1 || !strings.Contains(log.String(), "dest=a-destination") {
			t.Errorf("told %d times: %s", told, log)
		}
		s.fsync = func(int) error { return unix.EIO }
		if err := s.Put(t.Context(), pack, 4, strings.NewReader("pack")); !errors.Is(err, unix.EIO) {
			t.Errorf("Put = %v; want EIO", err)
		}
	}
}
