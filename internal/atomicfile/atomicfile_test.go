package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

func TestWriteReplacesWhatWasThere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	for _, want := range []struct {
		content string
		perm    os.FileMode
	}{{"first", 0o600}, {"", 0o644}, {"third, and longer", 0o640}} {
		if err := atomicfile.Write(file, []byte(want.content), want.perm); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != want.content {
			t.Errorf("%q, %v; want %q", got, err, want.content)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != want.perm {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, want.perm)
		}
	}
}

func TestWriteThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "taken"), []byte("x"), 0o600); err == nil {
		t.Error("a file took the place of a directory")
	}
	if err := atomicfile.Write(filepath.Join(dir, "absent", "file"), nil, 0o600); err == nil {
		t.Error("a file in a directory that is not there")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
