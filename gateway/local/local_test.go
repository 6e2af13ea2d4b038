//go:build unix

package local

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) rest.Store { return open(t) })
}

func TestConformsStepByStep(t *testing.T) {
	storetest.Run(t, func(t *testing.T) rest.Store {
		s := open(t)
		s.resolve = walk
		return s
	})
}
