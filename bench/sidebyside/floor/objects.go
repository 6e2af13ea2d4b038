package floor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/httprange"
)

// stall is how long a client may keep the server waiting.
const stall = time.Minute

// Objects does with the objects below dir what a server of backups must, by net/http and as
// few system calls as that takes, until ctx ends: it compares the caller's password, looks
// at an object once, or at each of a list, lets the kernel send it, stores it by a file without a name that is
// hashed, written, synced and linked, and whose directory is synced, and removes it. It
// follows no symbolic link, looks whether dir is still the one that it began with, and waits
// for no client for ever. It limits, counts and logs nothing.
func Objects(ctx context.Context, listen, dir, user, password string) error {
	o := objects{dir: dir, user: user, password: sha256.Sum256([]byte(password))}
	if err := unix.Lstat(dir, &o.disk); err != nil {
		return err
	}
	return serveWith(ctx, listen, &http.Server{ReadHeaderTimeout: stall, IdleTimeout: stall}, func(w http.ResponseWriter, r *http.Request) {
		if err := o.answer(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

type objects struct {
	dir, user string
	password  [sha256.Size]byte
	disk      unix.Stat_t // of dir
}

func (o *objects) answer(w http.ResponseWriter, r *http.Request) error {
	user, password, _ := r.BasicAuth()
	sum := sha256.Sum256([]byte(password))
	if user != o.user || subtle.ConstantTimeCompare(sum[:], o.password[:]) == 0 {
		return errors.New("wrong password")
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	if err := o.mounted(); err != nil {
		return err
	}
	name := stored(o.dir, r.URL.Path)
	switch r.Method {
	case http.MethodHead:
		return look(w, name)
	case http.MethodGet:
		if strings.HasSuffix(r.URL.Path, "/") {
			return list(w, filepath.Join(o.dir, r.URL.Path), path.Base(r.URL.Path) == "data")
		}
		return send(w, r, name)
	case http.MethodDelete:
		return unix.Unlink(name)
	}
	return take(r, name)
}

// mounted looks whether another disk is there by now.
func (o *objects) mounted() error {
	var st unix.Stat_t
	if err := unix.Lstat(o.dir, &st); err != nil {
		return err
	}
	if st.Dev != o.disk.Dev || st.Ino != o.disk.Ino {
		return errors.New("another disk")
	}
	return nil
}

// open opens a file, and follows no symbolic link on the way.
func open(name string, flags uint64) (int, error) {
	return unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
}

// look answers with the size of a file.
func look(w http.ResponseWriter, name string) error {
	fd, err := open(name, unix.O_PATH)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	w.Header()["Content-Length"] = []string{strconv.FormatInt(st.Size, 10)}
	return nil
}

// send answers with a file, or a range of it.
func send(w http.ResponseWriter, r *http.Request, name string) error {
	fd, err := open(name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	rng, err := httprange.Parse(r.Header)
	if err != nil {
		return err
	}
	length := info.Size() - rng.Off
	header := w.Header()
	header["Content-Type"] = []string{"application/octet-stream"}
	if rng.Kind == httprange.FromStart {
		if rng.N >= 0 {
			length = min(length, rng.N)
		}
		if _, err := file.Seek(rng.Off, io.SeekStart); err != nil {
			return err
		}
		header["Content-Range"] = []string{"bytes " + strconv.FormatInt(rng.Off, 10) + "-" + strconv.FormatInt(rng.Off+length-1, 10) + "/" + strconv.FormatInt(info.Size(), 10)}
	}
	header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	if rng.Kind == httprange.FromStart {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, err = io.CopyN(w, file, length)
	return err
}

// take stores an object under its name, so that it is there after a power failure.
func take(r *http.Request, name string) error {
	dir := filepath.Dir(name)
	if r.ContentLength <= 0 {
		return os.MkdirAll(dir, 0o700) // a repository is a directory
	}
	parent, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, syscall.ENOENT) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			parent, err = open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
		}
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }()
	fd, err := unix.Openat(parent, ".", unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := write(r, fd, path.Base(r.URL.Path)); err != nil {
		return err
	}
	if err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), parent, filepath.Base(name), unix.AT_SYMLINK_FOLLOW); err != nil {
		return err
	}
	return unix.Fsync(parent)
}

// write writes and syncs what hashes to name.
func write(r *http.Request, fd int, name string) error {
	buf := make([]byte, min(r.ContentLength, 128<<10))
	hash := sha256.New()
	for left := r.ContentLength; left > 0; {
		n, err := io.ReadFull(r.Body, buf[:min(left, int64(len(buf)))])
		if err != nil {
			return err
		}
		hash.Write(buf[:n])
		if _, err := unix.Write(fd, buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); len(name) == len(sum) && !strings.EqualFold(sum, name) {
		return errors.New("hashes to " + sum)
	}
	return unix.Fsync(fd)
}
