package examine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// Bounds of the search for repositories: a caller waits for it, and the storage may hold
// anything.
const (
	mostDirectories = 100
	mostKeys        = 10
	largestKey      = 16 << 10
)

// findRepository looks for a restic repository at APP/UUID below the store's root, and
// returns it with its keys. It returns nil if there is none or the search fails: whether
// the destination works was tested before.
func findRepository(ctx context.Context, store storage.Store) *adminapi.Repository {
	tree, ok := store.(storage.Tree)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	looked := 0
	for _, app := range directories(ctx, tree, ".") {
		for _, uuid := range directories(ctx, tree, app) {
			if looked++; looked > mostDirectories {
				return nil
			}
			if _, err := store.Stat(ctx, path.Join(uuid, "config")); err != nil {
				continue
			}
			if keys := readKeys(ctx, store, tree, uuid); len(keys) > 0 {
				return &adminapi.Repository{Path: uuid, Keys: keys}
			}
		}
	}
	return nil
}

// errEnough ends a list early.
var errEnough = errors.New("enough")

// directories returns the paths of the first directories in dir.
func directories(ctx context.Context, tree storage.Tree, dir string) []string {
	var found []string
	_ = tree.ReadDir(ctx, dir, func(info fs.FileInfo) error { // what was found is looked into
		if info.IsDir() && info.Name() != "." {
			found = append(found, path.Join(dir, info.Name()))
		}
		if len(found) == mostDirectories {
			return errEnough
		}
		return nil
	})
	return found
}

// readKeys returns the first key files of a repository: JSON with a master key that is
// encrypted with a password.
func readKeys(ctx context.Context, store storage.Store, tree storage.Tree, repository string) []json.RawMessage {
	var names []string
	dir := path.Join(repository, "keys")
	_ = tree.ReadDir(ctx, dir, func(info fs.FileInfo) error { // the same
		if !info.IsDir() && info.Size() <= largestKey {
			names = append(names, path.Join(dir, info.Name()))
		}
		if len(names) == mostKeys {
			return errEnough
		}
		return nil
	})
	var keys []json.RawMessage
	for _, name := range names {
		body, _, err := store.Open(ctx, name, 0, -1)
		if err != nil {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(body, largestKey))
		if err == nil && json.Valid(data) {
			keys = append(keys, data)
		}
		_ = body.Close() // it was read
	}
	return keys
}
