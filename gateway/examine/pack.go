package examine

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// packSize is the size that restic aims at for packs. Some storages, or proxies before
	// them, refuse bodies larger than a few MiB.
	packSize = 16 << 20
	// packTimeout bounds the upload of one: a line of 1 Mbit/s suffices.
	packTimeout = 150 * time.Second
	// clockTolerance is how far the clocks of a node and its storage may differ. S3 refuses
	// requests beyond 15 minutes.
	clockTolerance = 5 * time.Minute
)

// pack writes a file as large as those of backups, reads another one meanwhile over a
// second connection, and deletes the first. Its name is its hash, which S3 compares with
// the content. It is in no folder: a folder would mark a directory as the destination's.
func (p *proof) pack(ctx context.Context) error {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	sum := sha256.New()
	_, _ = io.CopyN(sum, rand.NewChaCha8(seed), packSize)
	name := hex.EncodeToString(sum.Sum(nil))
	return p.stepWithin(ctx, packTimeout, stepPack, func(ctx context.Context) error {
		content := &beside{Reader: io.LimitReader(rand.NewChaCha8(seed), packSize), ask: func() error { return p.absent(ctx) }}
		err := p.store.Put(ctx, name, packSize, content)
		if asked := content.wait(); err == nil {
			err = asked
		}
		if err != nil {
			return err
		}
		err = p.store.Remove(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a file of %d bytes was stored and is not there: %w", packSize, refusal.ErrDiffers)
		}
		return err
	})
}

// absent asks for an absent object.
func (p *proof) absent(ctx context.Context) error {
	_, err := p.store.Stat(ctx, proofPrefix+"absent")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// beside calls a function when its first byte is read.
type beside struct {
	io.Reader

	ask  func() error
	once sync.Once
	done sync.WaitGroup
	err  error
}

func (b *beside) Read(p []byte) (int, error) {
	b.once.Do(func() { b.done.Go(func() { b.err = b.ask() }) })
	return b.Reader.Read(p)
}

func (b *beside) wait() error {
	b.done.Wait()
	return b.err
}

// look notes peculiarities of the storage that do not harm backups. The file exists and was
// written a moment ago.
func (p *proof) look(ctx context.Context, name string) {
	note := func(format string, args ...any) { p.notes = append(p.notes, fmt.Sprintf(format, args...)) }
	if s, ok := p.store.(interface{ Fleeting() bool }); ok && s.Fleeting() {
		note("the file system cannot be synced: a power failure may take the newest objects with it, though they were acknowledged")
	}
	s, ok := p.store.(interface {
		Received(ctx context.Context, name string) (at, until time.Time, err error)
	})
	if !ok {
		return
	}
	at, until, err := s.Received(ctx, name)
	if err != nil {
		return // the steps report what fails
	}
	if skew := time.Since(at).Round(time.Second); !at.IsZero() && skew.Abs() > clockTolerance {
		note("the clocks of this node and of the storage differ by %v: set this node's clock (timedatectl, NTP), before the storage refuses its requests", skew.Abs())
	}
	if !until.IsZero() {
		note("the storage keeps every object until %s: locks/ too, and what prune deletes, are hidden at once, and take space until then and until a lifecycle rule removes their versions",
			until.UTC().Format(time.RFC3339))
	}
}
