package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// biggest bounds the size of a module's file.
const biggest = 64 << 10

// readTrusted reads a file that, like its directory, only root and this user may write. It
// checks the open file, so that what it reads is what it checked.
func readTrusted(path string) ([]byte, error) {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read how a module is run: %w", err)
	}
	if err := CheckOwner(filepath.Dir(path), info); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, exit.Failf(exit.Usage, "%s is a symbolic link: make it a file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read how a module is run: %w", err)
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, fmt.Errorf("read how a module is run: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, exit.Failf(exit.Usage, "%s is not a file", path)
	}
	if err := CheckOwner(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, biggest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read how a module is run: %w", err)
	case len(data) > biggest:
		return nil, exit.Failf(exit.Usage, "%s is too large for a file of a module", path)
	}
	return data, nil
}

// CheckOwner refuses files that anybody may write except root, this user and the given
// users.
func CheckOwner(path string, info fs.FileInfo, others ...uint32) error {
	trusted := slices.Concat(others, []uint32{0, uint32(os.Geteuid())})
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return exit.Failf(exit.Usage, "%s: its owner is not known", path)
	case !slices.Contains(trusted, stat.Uid):
		return exit.Failf(exit.Forbidden, "%s belongs to user %d, who could have anything run: make it root's (chown root %[1]s)", path, stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return exit.Failf(exit.Forbidden, "%s can be written by others, who could have anything run: take that right away (chmod go-w %[1]s)", path)
	}
	return nil
}
