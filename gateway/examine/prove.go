package examine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// proofTimeout bounds each step of a proof.
const proofTimeout = 20 * time.Second

// proofPrefix begins the name of the file that a proof writes. It has no leading dot: some
// FTP servers do not list such files, and rclone treats unlisted files as absent.
const proofPrefix = "rclone-gateway-check-"

// proof does on a store what a backup and its clean-up do: it lists, writes a small file,
// reads it back and deletes it, and writes a file as large as those of backups. It touches
// nothing else.
type proof struct {
	store storage.Store
	steps []adminapi.Step
	notes []string
}

// run returns the name of the failed step with its error.
func (p *proof) run(ctx context.Context) (failed string, err error) {
	name := proofPrefix + rand.Text()
	content := []byte("written by a check of rclone-gateway; may be deleted: " + rand.Text() + "\n")
	if err := p.step(ctx, stepList, p.list); err != nil {
		return stepList, err
	}
	err = p.step(ctx, stepWrite, func(ctx context.Context) error {
		return p.store.Put(ctx, name, int64(len(content)), bytes.NewReader(content))
	})
	if err != nil {
		return stepWrite, err
	}
	errRead := p.step(ctx, stepRead, func(ctx context.Context) error { return p.read(ctx, name, content) })
	p.look(ctx, name)
	err = p.step(ctx, stepDelete, func(ctx context.Context) error { return p.remove(ctx, name) })
	if s, ok := p.store.(interface{ Hides() bool }); ok && s.Hides() {
		p.notes = append(p.notes, "the key may not delete, and hides instead: what is hidden takes space until a lifecycle rule of the bucket deletes it, and nobody with this key alone can destroy backups")
	}
	if errRead != nil {
		return stepRead, errRead
	}
	if err != nil {
		return stepDelete, err
	}
	return stepPack, p.pack(ctx)
}

// The steps of a check.
const (
	stepOpen   = "open"
	stepList   = "list"
	stepWrite  = "write"
	stepRead   = "read"
	stepDelete = "delete"
	stepPack   = "pack"
)

func (p *proof) step(ctx context.Context, name string, do func(context.Context) error) error {
	return p.stepWithin(ctx, proofTimeout, name, do)
}

func (p *proof) stepWithin(ctx context.Context, limit time.Duration, name string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	started := time.Now()
	err := do(ctx)
	p.steps = append(p.steps, adminapi.Step{Name: name, OK: err == nil, Seconds: time.Since(started).Seconds()})
	return err
}

// list reads the beginning of the destination's list; a missing folder will be created.
// Then it asks for an absent object, like the first backup.
func (p *proof) list(ctx context.Context) error {
	errEnough := errors.New("enough")
	list := func(dir string) error {
		err := p.store.List(ctx, dir, func(fs.FileInfo) error { return errEnough })
		if errors.Is(err, errEnough) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := list("."); err != nil {
		return err
	}
	missing := proofPrefix + rand.Text()
	err := list(missing + "/keys")
	if err == nil {
		if _, err = p.store.Stat(ctx, missing+"/config"); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil && !refusal.Advise(err).Known {
		err = fmt.Errorf("%w: %w", refusal.ErrMissing, err)
	}
	return err
}

func (p *proof) read(ctx context.Context, name string, want []byte) (err error) {
	body, size, err := p.store.Open(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	got, err := io.ReadAll(io.LimitReader(body, int64(len(want))+1))
	if err != nil {
		return err
	}
	if size != int64(len(want)) || !bytes.Equal(got, want) {
		return refusal.ErrDiffers
	}
	return nil
}

// remove deletes the file and checks that it is gone.
func (p *proof) remove(ctx context.Context, name string) error {
	if err := p.store.Remove(ctx, name); err != nil {
		return err
	}
	switch _, err := p.store.Stat(ctx, name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look whether it is gone: %w", err)
	}
	return refusal.ErrStays
}
