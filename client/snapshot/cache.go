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

// MostCached is the maximum size of the trees in a cache, and of the lists.
const MostCached = 256 << 20

// Cache is a directory with snapshots and trees that were read before. The zero value
// caches nothing.
type Cache struct {
	dir  string
	most int64 // bytes in each directory
}

// cacheName is our directory's name among other programs' caches.
const cacheName = "gatewayctl"

// OpenCache returns this user's cache: below CACHE_DIRECTORY, as systemd sets it,
// XDG_CACHE_HOME or HOME. Without a writable directory nothing is cached.
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

// NewCache returns a cache in its own directory, with up to most bytes of each kind.
func NewCache(dir string, most int64) Cache {
	for _, kind := range []string{listsDir, treesDir} {
		if os.MkdirAll(filepath.Join(dir, kind), 0o700) != nil {
			return Cache{}
		}
	}
	return Cache{dir, most}
}

// The subdirectories of a cache: lists of snapshots, and trees.
const (
	listsDir = "snapshots"
	treesDir = "trees"
)

// path returns the path of a cached file, "" without a cache.
func (c Cache) path(kind, name string) string {
	if c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, kind, name)
}

// used marks a file as just used.
func used(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now) // on a read-only disk it expires earlier
}

// temporary begins the names of incomplete files.
const temporary = ".new-"

// trim removes the least recently used files until the rest fits, and incomplete files of
// killed processes.
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

// alone calls do while no other process does the same for the same file.
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
