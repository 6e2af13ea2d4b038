package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// sightings remembers which local destinations were seen, and where they were
// mounted: one file for each in a directory that is not on their disks. It
// implements local.Memory.
type sightings struct {
	dir string // "" keeps them in this process alone

	mu          sync.Mutex
	mountPoints map[string]string // by destination ID
}

// newSightings uses the state directory of that name, which it makes.
func newSightings(stateDir string) (*sightings, error) {
	s := &sightings{mountPoints: make(map[string]string)}
	if stateDir == "" {
		return s, nil
	}
	s.dir = filepath.Join(stateDir, "seen")
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return s, nil
}

// Seen implements local.Memory.
func (s *sightings) Seen(id string) (mountPoint string, seen bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mountPoint, seen = s.mountPoints[id]; seen || s.dir == "" {
		return mountPoint, seen, nil
	}
	content, err := os.ReadFile(filepath.Join(s.dir, id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Without the directory nothing is known, which is not the same.
		_, err = os.Stat(s.dir)
		return "", false, err
	case err != nil:
		return "", false, err
	}
	mountPoint = strings.TrimSuffix(string(content), "\n")
	s.mountPoints[id] = mountPoint
	return mountPoint, true, nil
}

// Remember implements local.Memory.
func (s *sightings) Remember(id, mountPoint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, seen := s.mountPoints[id]
	s.mountPoints[id] = mountPoint
	if s.dir == "" || seen && known == mountPoint {
		return nil
	}
	return replaceFile(filepath.Join(s.dir, id), mountPoint+"\n")
}

// replaceFile writes a small file, durably: all of it or nothing.
func replaceFile(path, content string) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name()) // one that stays is in nobody's way
		}
	}()
	_, err = temp.WriteString(content)
	if err == nil {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
