//go:build unix

package local

import (
	"errors"
	"os"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

func TestSpaceOfTheFileSystem(t *testing.T) {
	s := open(t)
	free, used, total, err := s.Space(t.Context())
	if err != nil || free < 0 || used <= 0 || free+used > total {
		t.Errorf("free %d, used %d of %d, %v", free, used, total, err)
	}
	if err := os.Remove(s.root); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.Space(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without the root: %v", err)
	}
}
