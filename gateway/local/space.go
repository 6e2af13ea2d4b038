//go:build unix

package local

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Space returns the free bytes for this user, the used bytes and the total bytes of the
// root's file system.
func (s *Store) Space(context.Context) (free, used, total int64, err error) {
	root, err := s.openRoot()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("free space: %w", err)
	}
	defer root.close()
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(int(root), &st) }); err != nil {
		return 0, 0, 0, fmt.Errorf("free space of %s: %w", s.root, err)
	}
	block := int64(st.Bsize) //nolint:unconvert // another type on other systems
	return int64(st.Bavail) * block, int64(st.Blocks-st.Bfree) * block, int64(st.Blocks) * block, nil
}
