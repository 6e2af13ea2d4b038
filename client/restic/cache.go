package restic

import (
	"os/user"
	"path/filepath"
	"strings"
)

// nativeCache is where a native restic is to keep its cache where its environment does
// not say so: in the service's cache directory, as systemd sets it, or where neither
// that nor $HOME is there, as in units without CacheDirectory=, in the user's home. It
// is "" where restic finds a place itself. Without a cache every run reads all indexes
// of the repository again.
func nativeCache(env []string, home func() string) string {
	vars := map[string]string{}
	for _, assignment := range env {
		name, value, _ := strings.Cut(assignment, "=")
		vars[name] = value
	}
	if vars["RESTIC_CACHE_DIR"] != "" {
		return ""
	}
	// Systemd separates several by colons.
	if dir, _, _ := strings.Cut(vars["CACHE_DIRECTORY"], ":"); dir != "" {
		return filepath.Join(dir, "restic")
	}
	if vars["HOME"] != "" || vars["XDG_CACHE_HOME"] != "" {
		return ""
	}
	if dir := home(); dir != "" {
		return filepath.Join(dir, ".cache", "restic")
	}
	return ""
}

// homeOfUser is what the system says of the user, whatever the environment does.
func homeOfUser() string {
	if u, err := user.Current(); err == nil && u.HomeDir != "/" {
		return u.HomeDir
	}
	return ""
}
