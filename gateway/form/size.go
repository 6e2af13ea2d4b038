package form

import (
	"fmt"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// sealing is what restic's encryption adds: a nonce and a MAC of 16 bytes each.
	sealing = 16 + 16
	// minSealed is that around the smallest JSON object.
	minSealed = sealing + len("{}")
	// MaxKey bounds a key, which alone is not encrypted. Restic's have some 450 bytes.
	MaxKey = 16 << 10
)

// bounds are the sizes that files of a type can have, far above those that restic
// writes. Packs are not among them: none of their sizes does harm.
var bounds = map[string]struct{ least, most int64 }{
	"config":    {int64(minSealed), 1 << 20},   // some 150 bytes
	"keys":      {1, MaxKey},                   // some 450 bytes
	"locks":     {int64(minSealed), 64 << 10},  // some 200 bytes
	"snapshots": {int64(minSealed), 64 << 20},  // some 300 bytes, and all paths that were given
	"index":     {int64(minSealed), 256 << 20}, // 50,000 blobs in up to 8 MiB
}

// Size returns an error that wraps [refusal.ErrForm] where no file of that type, by
// its name in a repository, has so many bytes.
func Size(typ string, size int64) error {
	b, bounded := bounds[typ]
	switch {
	case !bounded:
		return nil
	case size < b.least:
		return fmt.Errorf("%w: %s of %d bytes, encrypted it has at least %d", refusal.ErrForm, typ, size, b.least)
	case size > b.most:
		return fmt.Errorf("%w: %s of %d bytes, at most %d are taken", refusal.ErrForm, typ, size, b.most)
	}
	return nil
}
