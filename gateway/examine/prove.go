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

// proofPrefix begins the name of the file that a proof writes. A dot before it would hide
// the file on some servers of FTP, and what they do not list is not there for rclone.
const proofPrefix = "rclone-gateway-check-"

// proof tries on a store what a backup and its clean-up do: it lists, writes a
// small file, reads it back and deletes it. Nothing else is touched.
type proof struct {
	store storage.Store
	steps []adminapi.Step
}

// run returns the name of the step that failed with its error.
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
	if err := p.step(ctx, stepDelete, func(ctx context.Context) error { return p.remove(ctx, name) }); err != nil {
		return stepDelete, err
	}
	return stepRead, errRead
}

// The steps of a check.
const (
	stepOpen   = "open"
	stepList   = "list"
	stepWrite  = "write"
	stepRead   = "read"
	stepDelete = "delete"
)

func (p *proof) step(ctx context.Context, name string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	started := time.Now()
	err := do(ctx)
	p.steps = append(p.steps, adminapi.Step{Name: name, OK: err == nil, Seconds: time.Since(started).Seconds()})
	return err
}

// list reads the beginning of the destination's list. A folder that is not there
// yet will be made.
func (p *proof) list(ctx context.Context) error {
	errEnough := errors.New("enough")
	err := p.store.List(ctx, ".", func(fs.FileInfo) error { return errEnough })
	if errors.Is(err, errEnough) || errors.Is(err, fs.ErrNotExist) {
		return nil
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

// remove deletes the file and looks whether it is gone.
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
