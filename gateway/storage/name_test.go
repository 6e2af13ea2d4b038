package storage_test

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

func TestSplitName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]string{
		"app/uuid/data/ab/abcd": {"app/uuid", "uuid", "data"},
		"app/uuid/config":       {"app/uuid", "uuid", "config"},
		"app/uuid":              {},
		"file":                  {},
		"":                      {},
	} {
		repo, uuid, kind := storage.SplitName(name)
		if got := [3]string{repo, uuid, kind}; got != want {
			t.Errorf("SplitName(%q) = %q, want %q", name, got, want)
		}
	}
}
