package examine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// undo finds out what happens to deleted objects, through the gateway and past it. The
// store must work.
func (p *proof) undo(ctx context.Context, limits *catalog.Limits) *adminapi.Undo {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	keep := limits.Keep()
	u := &adminapi.Undo{KeepSeconds: int64(keep / time.Second), Versions: adminapi.VersionsUnknown}
	switch {
	case keep <= 0:
		u.Kind = adminapi.UndoNone
	case trash.Renames(p.store):
		u.Kind = adminapi.UndoRename
	default:
		u.Kind = adminapi.UndoMarks
	}
	content := []byte("written by a check of rclone-gateway; may be deleted: " + rand.Text() + "\n")
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	var err error
	if u.Receipts, err = p.receipts(ctx, name, content); err == nil {
		err = p.store.Remove(ctx, name)
	}
	if err == nil {
		err = p.versions(ctx, name, u)
	}
	if err != nil {
		p.notes = append(p.notes, fmt.Sprintf("it could not be found out what protects deleted objects: %v", err))
	}
	return u
}

// receipts uploads the same object twice, and returns whether and how its time is
// preserved.
func (p *proof) receipts(ctx context.Context, name string, content []byte) (string, error) {
	put := func() (stayed bool, err error) {
		return storage.PutNew(ctx, p.store, name, int64(len(content)), bytes.NewReader(content))
	}
	if _, err := put(); err != nil {
		return "", err
	}
	before, err := p.store.Stat(ctx, name)
	if err != nil {
		return "", err
	}
	stayed, err := put()
	if err != nil {
		return "", err
	}
	after, err := p.store.Stat(ctx, name)
	if err != nil {
		return "", err
	}
	_, says := p.store.(storage.Preserver)
	conditional, asked := p.store.(interface{ Preserves() bool })
	switch {
	case !after.ModTime().Equal(before.ModTime()), says && !stayed:
		return adminapi.ReceiptsRenewed, nil
	case asked && !conditional.Preserves():
		return adminapi.ReceiptsLook, nil
	}
	return adminapi.ReceiptsKept, nil
}

// versioned is a store that may know whether its storage keeps versions of deleted objects,
// and whether its keys can delete them.
type versioned interface {
	Versioned(ctx context.Context) (bool, error)
	DeletesVersions(ctx context.Context, name string) (bool, error)
}

// versions finds out whether a deleted object left versions.
func (p *proof) versions(ctx context.Context, name string, u *adminapi.Undo) error {
	s, ok := p.store.(versioned)
	if !ok {
		u.Versions, u.Directory = adminapi.VersionsNone, true
		return nil
	}
	keeps, err := s.Versioned(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return err
	case !keeps:
		u.Versions = adminapi.VersionsNone
		return nil
	}
	u.Versions = adminapi.VersionsKept
	deletes, err := s.DeletesVersions(ctx, name)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return err
	}
	u.KeyDeletesVersions = &deletes
	return nil
}
