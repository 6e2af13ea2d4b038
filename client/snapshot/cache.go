package snapshot

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// MostCached is how many bytes the trees in a cache take, and the lists of snapshots.
const MostCached = 256 << 20

// Cache is a directory of what was read before. The zero value keeps nothing.
type Cache struct {
	dir  string
	most int64 // bytes in each of its directories
}

// cacheName is the name of our directory among the caches of other programs.
const cacheName = "gatewayctl"

// OpenCache returns the cache of this user: below CACHE_DIRECTORY, as systemd sets it,
// XDG_CACHE_HOME or HOME. Where there is none, or it cannot be written, nothing is kept.
func OpenCache(env *host.Environment) Cache {
	service, _ := env.Lookup("CACHE_DIRECTORY")
	service, _, _ = strings.Cut(service, ":") // systemd separates several by colons
	xdg, _ := env.Lookup("XDG_CACHE_HOME")
	home, _ := env.Lookup("HOME")
	if xdg == "" && home != "" {
		xdg = filepath.Join(home, ".cache")
	}
	dir := cmp.Or(service, xdg)
	if !filepath.IsAbs(dir) {
		return Cache{}
	}
	return NewCache(filepath.Join(dir, cacheName), MostCached)
}

// NewCache returns a cache in a directory of its own, which holds up to most bytes of
// each kind.
func NewCache(dir string, most int64) Cache {
	for _, kind := range []string{listsDir, treesDir} {
		if os.MkdirAll(filepath.Join(dir, kind), 0o700) != nil {
			return Cache{}
		}
	}
	return Cache{dir, most}
}

// The directories in a cache: of lists of snapshots, and of their trees.
const (
	listsDir = "snapshots"
	treesDir = "trees"
)

// path is where something of a kind is kept, "" where nothing is.
func (c Cache) path(kind, name string) string {
	if c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, kind, name)
}

// used notes that something was used just now.
func used(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now) // on a read-only disk it goes earlier
}

// temporary begins the names of files that are being written.
const temporary = ".new-"

// trim removes what was not used for longest, until the rest has room, and what a killed
// process has left half written.
func (c Cache) trim(kind string) {
	if c.dir == "" {
		return
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, kind))
	if err != nil {
		return
	}
	var files []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		const longest = 24 * time.Hour
		if strings.HasPrefix(e.Name(), ".") {
			if time.Since(info.ModTime()) > longest {
				_ = os.Remove(filepath.Join(c.dir, kind, e.Name()))
			}
			continue
		}
		files = append(files, info)
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var total int64
	for _, info := range files {
		if total += info.Size(); total > c.most {
			_ = os.Remove(filepath.Join(c.dir, kind, info.Name()))
		}
	}
}

// alone runs do while no other process does the same for the same file.
func alone(path string, do func() error) error {
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".lock-"+filepath.Base(path)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return do() // at worst it is done twice
	}
	defer func() { _ = lock.Close() }()
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	defer func() { _ = os.Remove(lock.Name()) }()
	return do()
}
