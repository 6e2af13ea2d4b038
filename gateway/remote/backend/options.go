package backend

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// checkOptions parses every option of the section, so that an error can name the
// key without the value; rclone's own names both.
func checkOptions(info *fs.RegInfo, section map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(section)) {
		option := info.Options.Get(key)
		if option == nil || section[key] == "" {
			continue
		}
		if _, err := configstruct.StringToInterface(option.GetValue(), section[key]); err != nil {
			return fmt.Errorf("section of type %s: the value of %q does not parse", info.Name, key)
		}
	}
	return nil
}

// checkHost refuses a host that is more than that, as in a URL or with a user before
// it: backends look such a name up, which tells nobody what is wrong.
func checkHost(info *fs.RegInfo, section map[string]string) error {
	host, given := section["host"]
	if !given || info.Options.Get("host") == nil {
		return nil
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil && strings.ContainsAny(host, "@/\\: ") {
		return fmt.Errorf("section of type %s: %w", info.Name, storage.ErrHost)
	}
	return nil
}

// configMap is what rclone's own would be, without flags and environment: the
// section, then the backend's defaults.
func configMap(info *fs.RegInfo, values *section, overrides map[string]string) *configmap.Map {
	m := fs.ConfigMap(info.Prefix, info.Options, "", nil)
	m.ClearGetters(configmap.PriorityNormal)
	m.ClearSetters()
	m.AddGetter(configmap.Simple(overrides), configmap.PriorityNormal)
	m.AddGetter(values, configmap.PriorityConfig)
	m.AddSetter(values)
	return m
}

// section is a destination's section while it is open; it implements rclone's
// configmap.Getter and Setter.
type section struct {
	changed func(key, value string)

	mu     sync.RWMutex
	values map[string]string
}

func newSection(values map[string]string, changed func(key, value string)) *section {
	if changed == nil {
		changed = func(string, string) {}
	}
	return &section{values: values, changed: changed}
}

func (s *section) Get(key string) (value string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value = s.values[key]
	return value, value != "" // an empty value in a section means the default
}

func (s *section) Set(key, value string) {
	s.mu.Lock()
	same := s.values[key] == value
	s.values[key] = value
	s.mu.Unlock()
	if !same {
		s.changed(key, value)
	}
}
