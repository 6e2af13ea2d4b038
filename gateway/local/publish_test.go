//go:build unix

package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnUploadOfTheSameLeavesTheTimeOfTheFirst(t *testing.T) {
	for _, named := range []bool{false, true} {
		s := open(t)
		s.named.Store(named)
		uploadTheSame(t, s)
	}
}

func uploadTheSame(t *testing.T, s *Store) {
	t.Helper()
	content := []byte("a snapshot")
	sum := sha256.Sum256(content)
	name := "app/uuid/snapshots/" + hex.EncodeToString(sum[:])
	put(t, s, name, content)
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(s.path(name), first, first); err != nil {
		t.Fatal(err)
	}
	put(t, s, name, content)
	info, err := s.Stat(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(first) {
		t.Errorf("it was received at %v; want %v", info.ModTime(), first)
	}
	entries, err := os.ReadDir(s.path("app/uuid/snapshots"))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside it there is something: %v, %v", entries, err)
	}

	// A file without a hash for its name is replaced.
	for _, content := range []string{"old", "new"} {
		put(t, s, config, []byte(content))
		if got := read(t, s, config); got != content {
			t.Errorf("config is %q, want %q", got, content)
		}
	}

	// Wrong content of that name is mended, shorter or of the same length.
	for _, wrong := range []string{"a snap", "A SNAPSHOT"} {
		if err := os.WriteFile(s.path(name), []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, s, name, content)
		if got, err := os.ReadFile(s.path(name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("after %q it holds %q, %v", wrong, got, err)
		}
	}
}

// TestUploadsHaveNamesWhereFilesWithoutOnesGetNone stands in for a machine without /proc.
func TestUploadsHaveNamesWhereFilesWithoutOnesGetNone(t *testing.T) {
	for _, err := range []error{unix.ENOENT, unix.EPERM, unix.EXDEV, unix.ENOTSUP} {
		if !cannotLink(err) {
			t.Errorf("%v does not lead to names", err)
		}
	}
	for _, err := range []error{nil, unix.EEXIST, unix.ENOSPC, unix.EDQUOT, unix.EIO} {
		if cannotLink(err) {
			t.Errorf("%v leads to names", err)
		}
	}
}
