//go:build unix

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// markerName is a file in the root with the destination's ID. Lists do not include it, and
// no object can have its name.
const markerName = ".rclone-gateway-destination"

// maxMarker bounds the size of a marker, in bytes.
const maxMarker = 256

// Mark distinguishes the disk of a destination from the empty directory on which it is
// mounted. Where the destination was seen before, every call on a root without its marker
// fails with [storage.ErrUnavailable].
type Mark struct {
	// ID is the destination's ID.
	ID string
	// Memory records, not on the disk itself, that the marker was there. Without a Memory,
	// an existing marker is checked, and none is written.
	Memory Memory
	// Log is told when the disk disappears and reappears; nil means slog.Default.
	Log *slog.Logger
}

// Memory records which destinations were seen, and where: a destination that moves to
// another directory is new there. It is safe for concurrent use.
type Memory interface {
	// Seen reports whether the destination was seen in that root, and the mount point of
	// the root then. For another root, it returns a mount point above root on which the
	// destination was seen elsewhere; "" if there is none.
	Seen(id, root string) (mountPoint string, seen bool, err error)
	// Remember records that it was seen.
	Remember(id, root, mountPoint string) error
}

// OpenMarked is [Open] for a destination whose disk may not be mounted. A root without a
// marker is accepted as the destination's at the first use that proves it: an object in it
// is found or stored, or a repository is created. See also [Store.Adopt].
func OpenMarked(root string, mark Mark) (*Store, error) {
	if mark.Log == nil {
		mark.Log = slog.Default()
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	m := &marker{Mark: mark, root: abs, file: filepath.Join(abs, markerName)}
	s, err := Open(abs)
	if err != nil {
		return nil, m.noRoot(err)
	}
	s.marker = m
	return s, nil
}

// marker is the state of a Mark in an open store. A nil marker accepts everything.
type marker struct {
	Mark
	root string
	file string // path of the marker

	// verified is the marker file that was last verified.
	verified atomic.Pointer[unix.Stat_t]
	away     atomic.Bool // the disk was missing at the last check
	hopeless atomic.Bool // the marker cannot be written
}

// check looks for the marker in the root. It costs one system call if nothing changed.
func (m *marker) check(root dirFD) error {
	if m == nil {
		return nil
	}
	var st unix.Stat_t
	err := root.stat(markerName, &st)
	switch {
	case errors.Is(err, unix.ENOENT):
		err = m.absent(root)
	case err != nil:
		err = fmt.Errorf("%w: its marker: %v", storage.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrPermission
	case !sameFile(m.verified.Load(), &st):
		err = m.verify(root, st)
	}
	if err == nil && m.away.Swap(false) {
		m.Log.Info("the disk of a destination is back", "dest", m.ID, "root", m.root)
	}
	return err
}

// unchanged reports whether the verified marker is still at its path. It returns false if
// that needs a closer look.
func (m *marker) unchanged() bool {
	if m == nil {
		return true
	}
	verified := m.verified.Load()
	if verified == nil || m.away.Load() {
		return false
	}
	var st unix.Stat_t
	err := retry(func() error { return unix.Lstat(m.file, &st) })
	return err == nil && sameFile(verified, &st)
}

func sameFile(a, b *unix.Stat_t) bool {
	return a != nil && a.Dev == b.Dev && a.Ino == b.Ino && a.Ctim == b.Ctim && a.Size == b.Size
}

// absent returns the error for a root without a marker, if it is one.
func (m *marker) absent(root dirFD) error {
	if m.Memory == nil {
		return nil
	}
	mountPoint, seen, err := m.Memory.Seen(m.ID, m.root)
	switch {
	case err != nil:
		return fmt.Errorf("%w: cannot tell whether its disk is mounted: %v", storage.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrNotExist
	case seen:
		var st unix.Stat_t
		if root.stat(markerName, &st) == nil { // another request wrote it meanwhile
			return m.verify(root, st)
		}
		return m.missing(mountPoint, m.file+" is not there; if this is the right disk, write "+m.ID+" into that file")
	case mountPoint != "" && mountPointOf(mountPoint) != mountPoint:
		return m.missing(mountPoint, m.root+" would be on the disk that the destination was on before")
	}
	return nil
}

// missing logs once that the disk is missing, and returns the error.
func (m *marker) missing(mountPoint, why string) error {
	if !m.away.Swap(true) {
		m.Log.Error("the disk of a destination is not mounted; nothing is read or written until it is",
			"dest", m.ID, "mount", mountPoint, "err", why, "hint", "mount the disk there, and look into the system's log for why it went")
	}
	return fmt.Errorf("%w on %s: %s", storage.ErrNotMounted, mountPoint, why)
}

// noRoot explains why a root could not be opened.
func (m *marker) noRoot(err error) error {
	if m == nil || m.Memory == nil {
		return fmt.Errorf("%w: root: %v", storage.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrNotExist
	}
	if mountPoint, seen, errSeen := m.Memory.Seen(m.ID, m.root); seen && errSeen == nil && errors.Is(err, unix.ENOENT) {
		return m.missing(mountPoint, m.root+" is not there")
	}
	return fmt.Errorf("%w: root: %v", storage.ErrUnavailable, err) //nolint:errorlint // as above
}

// verify reads an unverified marker. It takes a copy, so that what every check inspects
// stays off the heap.
func (m *marker) verify(root dirFD, st unix.Stat_t) error {
	id, err := readMarker(root)
	switch {
	case err != nil:
		return fmt.Errorf("%w: read %s: %v", storage.ErrUnavailable, m.file, err) //nolint:errorlint // must not count as fs.ErrNotExist
	case id != m.ID:
		return fmt.Errorf("%w: %s says that this is the place of destination %.36q; delete that file if it is this one's now",
			storage.ErrForeign, m.file, id)
	}
	m.remember()
	m.verified.Store(&st)
	return nil
}

func (m *marker) remember() {
	if m.Memory == nil {
		return
	}
	if err := m.Memory.Remember(m.ID, m.root, mountPointOf(m.root)); err != nil {
		m.Log.Error("cannot remember that a destination was seen; after a restart its disk may go missing unnoticed",
			"dest", m.ID, "err", err, "hint", "check that the state directory (--state-dir) is there, is writable and has room")
	}
}

func readMarker(root dirFD) (id string, err error) {
	fd, err := openat(int(root), markerName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	file := os.NewFile(uintptr(fd), markerName)
	defer file.Close()
	var buf [maxMarker]byte
	n, err := file.Read(buf[:])
	return strings.TrimSpace(string(buf[:n])), err
}

// unmarked reports whether a proven use would write the marker.
func (m *marker) unmarked() bool {
	return m != nil && m.Memory != nil && m.verified.Load() == nil && !m.hopeless.Load()
}

// Proof returns a value by which two gateways can tell that they see the same directory. It
// is derived from when and where on its file system the marker was written, which differs
// for copies. It is empty if the marker was never seen; for a missing disk it is the last
// one.
func (s *Store) Proof() string {
	if s.marker == nil {
		return ""
	}
	st := s.marker.verified.Load()
	if st == nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d.%d %d.%d", s.marker.ID, st.Ino,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec))
	return hex.EncodeToString(sum[:16])
}

// adopt marks the root after a proven use: name, unless empty, is an existing object. It
// checks again, through the descriptor by which it writes the marker, since the disk may be
// gone. Files directly in the root prove nothing.
func (s *Store) adopt(name string) {
	if !s.marker.unmarked() || name != "" && path.Dir(name) == "." {
		return
	}
	root, err := s.openRoot()
	if err != nil {
		return // the next caller gets the error
	}
	defer root.close()
	if !s.marker.unmarked() || name != "" && !s.holds(root, name) {
		return
	}
	if err := s.writeMarker(root); err != nil {
		s.marker.hopeless.Store(true)
		s.marker.Log.Warn("cannot mark a destination; that its disk is not mounted will not be noticed",
			"dest", s.marker.ID, "root", s.root, "err", err, "hint", "let the gateway's user write in that directory")
		return
	}
	s.marker.Log.Info("marked a destination's directory", "dest", s.marker.ID, "root", s.root)
	_ = s.marker.check(root) // it is recorded; the next caller gets an error
}

// Adopt marks a root without proof that it is the destination's, because an administrator
// sees it mounted.
func (s *Store) Adopt() { s.adopt("") }

func (s *Store) holds(root dirFD, name string) bool {
	fd, err := s.resolve(int(root), path.Dir(name), directory)
	if err != nil {
		return false
	}
	defer dirFD(fd).close()
	var st unix.Stat_t
	return dirFD(fd).stat(path.Base(name), &st) == nil
}

func (s *Store) writeMarker(root dirFD) error {
	content := s.marker.ID + "\n"
	if err := s.store(context.Background(), root, markerName, int64(len(content)), strings.NewReader(content)); err != nil {
		return err
	}
	return s.sync(int(root))
}

// Create implements [storage.Creator]. Creating a repository is the first proven use of a
// directory.
func (s *Store) Create(ctx context.Context, dir string) error {
	if err := check(ctx, "create", dir); err != nil {
		return err
	}
	root, err := s.openRoot()
	if err != nil {
		return s.wrap("create", dir, err)
	}
	root.close()
	s.adopt("")
	return nil
}

// mountPointOf returns the directory that dir's file system is mounted on.
func mountPointOf(dir string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	var here, above unix.Stat_t
	if unix.Stat(dir, &here) != nil {
		return dir
	}
	for dir != "/" {
		parent := filepath.Dir(dir)
		if unix.Stat(parent, &above) != nil || above.Dev != here.Dev {
			break
		}
		dir = parent
	}
	return dir
}
