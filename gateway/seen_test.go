package gateway

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSightingsOutliveTheProcessThatHasAStateDirectory(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		name, dir string
		outlive   bool
	}{
		{"with a state directory", state, true},
		{"without one", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, err := newSightings(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, seen, err := first.Seen(destID); seen || err != nil {
				t.Errorf("before: seen %v, %v", seen, err)
			}
			for _, mountPoint := range []string{"/media/old", "/media/disk", "/media/disk"} {
				if err := first.Remember(destID, mountPoint); err != nil {
					t.Fatal(err)
				}
			}
			second, err := newSightings(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			for s, want := range map[*sightings]bool{first: true, second: c.outlive} {
				mountPoint, seen, err := s.Seen(destID)
				if err != nil || seen != want || seen && mountPoint != "/media/disk" {
					t.Errorf("Seen = %q, %v, %v; want seen %v", mountPoint, seen, err, want)
				}
			}
		})
	}
}

func TestLostStateDirectoryProvesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := newSightings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Seen(destID); err == nil {
		t.Error("a destination passes for one that was never seen")
	}
	if err := s.Remember(destID, "/media/disk"); err == nil {
		t.Error("remembered nowhere, without an error")
	}
}

func TestStateDirectoryThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSightings(file); err == nil {
		t.Error("no error")
	}
}
