package restic

import (
	"os/user"
	"path/filepath"
	"strings"
)

// nativeCache returns the cache directory for a native restic whose environment does not
// set one: the service's cache directory, as systemd sets it, or a directory in the user's
// home if neither that nor $HOME is set, as in units without CacheDirectory=. It returns ""
// if restic finds a directory itself. Without a cache every run reads all indexes of the
// repository again.
func nativeCache(env []string, home func() string) string {
	vars := map[string]string{}
	for _, assignment := range env {
		name, value, _ := strings.Cut(assignment, "=")
		vars[name] = value
	}
	if vars["RESTIC_CACHE_DIR"] != "" {
		return ""
	}
	// Systemd separates several directories by colons.
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

// homeOfUser returns the home directory in the system's user database.
func homeOfUser() string {
	if u, err := user.Current(); err == nil && u.HomeDir != "/" {
		return u.HomeDir
	}
	return ""
}
