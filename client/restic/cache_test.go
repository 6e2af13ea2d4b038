package restic

import (
	"slices"
	"testing"
)

func TestAUnitWithoutHomeHasACache(t *testing.T) {
	t.Parallel()
	home := func() string { return "/home/u" }
	for want, env := range map[string][]string{
		"/var/cache/backup-notes1/restic": {"CACHE_DIRECTORY=/var/cache/backup-notes1:/var/cache/other", "HOME=/root"},
		"/home/u/.cache/restic":           {"PATH=/bin"},
	} {
		if got := nativeCache(env, home); got != want {
			t.Errorf("%q: %q, want %q", env, got, want)
		}
	}
	for _, env := range [][]string{
		{"HOME=/root"}, {"XDG_CACHE_HOME=/x"}, {"RESTIC_CACHE_DIR=/mine", "CACHE_DIRECTORY=/var/cache/x"},
	} {
		if got := nativeCache(env, home); got != "" {
			t.Errorf("%q: %q, although restic finds one itself", env, got)
		}
	}
	if got := nativeCache(nil, func() string { return "" }); got != "" {
		t.Errorf("nobody's home: %q", got)
	}
	native := Invocation{Runtime: Native}.Environ([]string{"PATH=/bin", "CACHE_DIRECTORY=/var/cache/x"})
	if !slices.Contains(native, "RESTIC_CACHE_DIR=/var/cache/x/restic") {
		t.Errorf("environment %q", native)
	}
	container := Invocation{Runtime: Podman}.Environ([]string{"CACHE_DIRECTORY=/var/cache/x"})
	if !slices.Contains(container, "RESTIC_CACHE_DIR="+cacheDir) {
		t.Errorf("environment %q", container)
	}
}
