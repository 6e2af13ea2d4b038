//go:build unix

package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
	"time"
)

func TestAnUploadOfTheSameLeavesTheTimeOfTheFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
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
