package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// sightings remembers in which directories local destinations were seen, and where those
// were mounted: one file per destination, in a directory that is not on their disks. It
// implements local.Memory.
type sightings struct {
	dir string // "" keeps them in memory only

	mu    sync.Mutex
	known map[string]sighting // by destination ID
}

// sighting holds the mount points of a destination's roots.
type sighting map[string]string

// newSightings uses a state directory, which it creates.
func newSightings(stateDir string) (*sightings, error) {
	s := &sightings{known: make(map[string]sighting)}
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
func (s *sightings) Seen(id, root string) (mountPoint string, seen bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := s.of(id)
	if err != nil {
		return "", false, err
	}
	if mountPoint, seen = known[root]; seen {
		return mountPoint, true, nil
	}
	for _, candidate := range known {
		if candidate != "/" && strings.HasPrefix(root+"/", candidate+"/") && len(candidate) > len(mountPoint) {
			mountPoint = candidate
		}
	}
	return mountPoint, false, nil
}

// Remember implements local.Memory.
func (s *sightings) Remember(id, root, mountPoint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := s.of(id)
	if err != nil {
		return err
	}
	if before, seen := known[root]; seen && before == mountPoint {
		return nil
	}
	changed := maps.Clone(known)
	changed[root] = mountPoint
	s.known[id] = changed
	if s.dir == "" {
		return nil
	}
	content, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(s.dir, id), append(content, '\n'), 0o600)
}

// of returns where a destination was seen. The caller holds mu.
func (s *sightings) of(id string) (sighting, error) {
	if known, read := s.known[id]; read {
		return known, nil
	}
	known := sighting{}
	if s.dir == "" {
		return known, nil
	}
	file := filepath.Join(s.dir, id)
	content, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Without the directory nothing is known, which differs from "not seen".
		_, err = os.Stat(s.dir)
		return known, err
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(content, &known); err != nil {
		return nil, fmt.Errorf("%s is damaged: remove it if the destination's disk is mounted", file)
	}
	s.known[id] = known
	return known, nil
}
