package remote

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-gateway/rclone-gateway/gateway/conformance"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func bucketName() string { return "bucket" + strings.ToLower(rand.Text()) }

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, map[string]string{"type": "memory"}, bucketName()+"/backups")
	}, storetest.WithoutDirectories())
}

func TestLocal(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, map[string]string{"type": "local"}, filepath.Join(t.TempDir(), "backups"))
	})
}

func TestS3(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	storetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, server.section(), makeRepository(t, server)+"/backups")
	},
		storetest.WithoutDirectories(), storetest.BlindRemove(), storetest.SeenReplacing())
}

// makeRepository makes a bucket with the directories of the suite's repository
// below backups: this server sometimes answers 500 when two uploads at once
// need the same new directory.
func makeRepository(t *testing.T, server *s3Server) (bucket string) {
	t.Helper()
	bucket = server.makeBucket(t)
	for shard := range 256 {
		dir := filepath.Join(server.dir, bucket, "backups", storetest.Repo, "data", fmt.Sprintf("%02x", shard))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bucket
}

// TestWrapped runs the suite on remotes that name the section of another
// destination. An alias is one of the kinds of storage of the integration tests.
func TestWrapped(t *testing.T) {
	password := obscure.MustObscure("correct horse battery staple")
	// Encrypted names of the suite are longer than a directory of Linux takes.
	plainNames := func(remote string) map[string]string {
		return map[string]string{"type": "crypt", "remote": remote, "password": password, "filename_encryption": "off"}
	}
	setSections(t, map[string]map[string]string{
		"memory-destination": {"type": "memory"},
		"local-destination":  {"type": "local"},
	})
	for _, tt := range []struct {
		name    string
		section func(t *testing.T) map[string]string
		options []storetest.Option
	}{
		{
			"crypt over memory",
			func(*testing.T) map[string]string {
				return map[string]string{"type": "crypt", "remote": "memory-destination:" + bucketName(), "password": password}
			},
			[]storetest.Option{storetest.WithoutDirectories()},
		},
		{
			"crypt over local",
			func(t *testing.T) map[string]string {
				return plainNames("local-destination:" + t.TempDir())
			},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// To open one takes a second with the race detector: its key is derived then.
			store := open(t, tt.section(t), "backups")
			cases := 0
			storetest.Run(t, func(*testing.T) storage.Store {
				cases++
				return &folder{conformance.Folder{Store: store, Dir: fmt.Sprint("case", cases)}}
			}, tt.options...)
		})
	}
}

// folder is a part of a store that is empty at first.
type folder struct{ conformance.Folder }

func (f *folder) Create(ctx context.Context, dir string) error {
	return storage.Create(ctx, f.Store, f.Name(dir))
}

// setSections sets the sections for the time of the test.
func setSections(t *testing.T, byID map[string]map[string]string) {
	t.Helper()
	backend.SetSections(maps.Clone(byID), nil)
	t.Cleanup(func() { backend.SetSections(nil, nil) })
}
