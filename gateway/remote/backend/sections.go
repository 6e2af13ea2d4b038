package backend

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/config"
)

// sections is what rclone takes for its configuration file: the sections of all
// destinations by ID, for remotes that name others ("remote = ID:path" of crypt,
// alias, combine, union and the like).
var sections sectionStorage

// SetSections tells rclone the sections of all destinations, replacing those of
// before. Stores that are open keep what they were opened with; one that is built
// on another destination must be opened again to see a change there.
//
// Changed, unless nil, is told what backends change in those sections that rclone
// opens itself, for remotes that are built on them. It must not block.
func SetSections(byID map[string]map[string]string, changed func(id, key, value string)) {
	setup()
	for _, id := range sections.replace(byID, changed) {
		cache.ClearConfig(id)
	}
}

// sectionStorage implements rclone's config.Storage. What a backend changes in
// its section lives until the next replace.
type sectionStorage struct {
	mu      sync.RWMutex
	byID    map[string]map[string]string
	changed func(id, key, value string)
}

var _ config.Storage = (*sectionStorage)(nil)

// replace takes over copies of the sections and returns the IDs of those that
// changed or are gone.
func (s *sectionStorage) replace(byID map[string]map[string]string, notify func(id, key, value string)) (changed []string) {
	fresh := make(map[string]map[string]string, len(byID))
	for id, section := range byID {
		fresh[id] = tuned(section)
		// In a section that rclone opens itself such keys would change the
		// configuration of the whole process.
		maps.DeleteFunc(fresh[id], func(key, _ string) bool { return strings.HasPrefix(key, "global.") })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, section := range s.byID {
		if !maps.Equal(section, fresh[id]) {
			changed = append(changed, id)
		}
	}
	s.byID, s.changed = fresh, notify
	return changed
}

func (s *sectionStorage) GetSectionList() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.byID))
}

func (s *sectionStorage) HasSection(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id] != nil
}

func (s *sectionStorage) GetKeyList(id string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.byID[id]))
}

func (s *sectionStorage) GetValue(id, key string) (value string, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value, found = s.byID[id][key]
	return value, found
}

// SetValue changes a section that exists: backends keep refreshed tokens so.
func (s *sectionStorage) SetValue(id, key, value string) {
	s.mu.Lock()
	section, changed := s.byID[id], s.changed
	isNew := section != nil && section[key] != value
	if isNew {
		section[key] = value
	}
	s.mu.Unlock()
	if isNew && changed != nil {
		changed(id, key, value)
	}
}

// DeleteSection does nothing: only replace removes sections.
func (s *sectionStorage) DeleteSection(string) {}

func (s *sectionStorage) DeleteKey(id, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.byID[id][key]
	delete(s.byID[id], key)
	return found
}

func (s *sectionStorage) Load() error { return nil }

func (s *sectionStorage) Save() error { return nil }

// Serialize yields nothing, so that no secret appears in a dump.
func (s *sectionStorage) Serialize() (string, error) { return "", nil }
