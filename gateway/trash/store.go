package trash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
	"github.com/rclone-gateway/rclone-gateway/internal/keyedmutex"
	"github.com/rclone-gateway/rclone-gateway/internal/lastused"
)

// Options are what New needs beside a store.
type Options struct {
	// Keep returns how long what is removed now is kept; zero or less is not at all.
	Keep func() time.Duration
	// Clock is that of the process.
	Clock *expiry.Clock
	// Pace is called before each object is purged, or each batch of them, to make it wait.
	Pace func(context.Context) error
}

// Store is a [storage.Store] that keeps what is removed from repositories.
type Store struct {
	store   storage.Store
	renames bool
	opts    Options
	ledger  *ledger.Ledger
	packs   keyedmutex.Mutex[string] // lets no pack be purged while it is uploaded
	held    held
	last    atomic.Int64 // the last time of deletion, in microseconds

	settleLeast int // see settle.go
	settleAfter time.Duration
	pasts       lastused.Map[pastKey, *Past]
	returned    atomic.Uint64 // how often something began, or ended, to come back
	seen        seen
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Creator = (*Store)(nil)
	_ storage.Tree    = (*Store)(nil)
)

// New wraps a store.
func New(store storage.Store, opts Options) *Store {
	renames := Renames(store)
	return &Store{store: store, renames: renames, ledger: ledger.New(store, renames), opts: opts, settleLeast: settleLeast, settleAfter: settleAfter}
}

// Renames reports whether what is removed from a store is renamed into the trash; else
// packs stay under marks.
func Renames(store storage.Store) bool {
	mover, moves := store.(storage.Mover)
	return moves && mover.Renames()
}

// Stat implements [storage.Store]. The time of a snapshot is that of its first receipt,
// also where the storage forgets that when it comes back from the trash.
func (s *Store) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if err := s.hidden("stat", name); err != nil {
		return nil, err
	}
	info, err := s.look(ctx, name)
	if err != nil || s.renames {
		return info, err
	}
	if o, ok := ledger.ParseRef(name); ok && o.Kind == ledger.Snapshots {
		return s.ledger.WithReceipt(ctx, o, info)
	}
	return info, nil
}

// look describes an object by what is known of it, or else by the storage.
func (s *Store) look(ctx context.Context, name string) (fs.FileInfo, error) {
	if info, known, err := storage.Recall(s.store, name); known {
		return info, err
	}
	return s.store.Stat(ctx, name)
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	if err := s.hidden("open", name); err != nil {
		return nil, 0, err
	}
	return s.store.Open(ctx, name, off, n)
}

// Put implements [storage.Store]. A pack that is uploaded again is no longer under a
// mark. A config that is replaced by another is kept.
func (s *Store) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if isOurs(name) {
		return refuse("put", name)
	}
	o, ok := ledger.ParseRef(name)
	if ok && o.Kind != ledger.Data {
		defer s.seen.touch(o.Repo)
	}
	switch {
	case !ok:
	case o.Kind == ledger.Config:
		if err := s.keepReplaced(ctx, o); err != nil {
			return err
		}
	case o.Kind == ledger.Data && !s.renames:
		return s.putPack(ctx, o, size, body)
	}
	return s.store.Put(ctx, name, size, body)
}

// putPack stores a pack where it may be under a mark.
func (s *Store) putPack(ctx context.Context, o ledger.Ref, size int64, body io.Reader) error {
	unlock, err := s.packs.Lock(ctx, o.Path())
	if err != nil {
		return err
	}
	defer unlock()
	stayed, err := storage.PutNew(ctx, s.store, o.Path(), size, body)
	if err != nil {
		return err
	}
	if stayed && !s.ledger.Marks.Has(o) {
		// It keeps its time, by which a list would see that it is there again: another
		// process may have put it under a mark.
		if _, err := s.ledger.ReadMarks(ctx, o.Repo); err != nil {
			return err
		}
	}
	if !s.ledger.Marks.Has(o) {
		return nil
	}
	there, err := s.liftMarks(ctx, o, nil)
	if err == nil && !there {
		return fmt.Errorf("%w: pack %s was taken away while it was uploaded again", storage.ErrUnavailable, o.Name)
	}
	return err
}

// maxConfig bounds what is kept of a config that is replaced; restic's has some 200
// bytes.
const maxConfig = 1 << 20

// keepReplaced copies a config that is about to be replaced into the trash.
func (s *Store) keepReplaced(ctx context.Context, o ledger.Ref) error {
	keep := s.opts.Keep()
	if keep <= 0 {
		return nil
	}
	info, err := s.store.Stat(ctx, o.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size() > maxConfig {
		return nil // nothing that restic wrote
	}
	body, _, err := s.store.Open(ctx, o.Path(), 0, -1)
	if err != nil {
		return fmt.Errorf("keep what is replaced: %w", err)
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, info.Size()))
	if err != nil {
		return fmt.Errorf("keep what is replaced: %w", err)
	}
	return s.store.Put(ctx, s.keptName(o, info.ModTime(), keep), int64(len(content)), bytes.NewReader(content))
}

// deletionTime is now, and never twice the same: of two configs that are removed one
// after the other, both are kept.
func (s *Store) deletionTime() time.Time {
	for {
		last, now := s.last.Load(), time.Now().UnixMicro()
		if now = max(now, last+1); s.last.CompareAndSwap(last, now) {
			return time.UnixMicro(now)
		}
	}
}

// keptName is the name that an object gets in the trash now.
func (s *Store) keptName(o ledger.Ref, received time.Time, keep time.Duration) string {
	now := s.deletionTime()
	return ledger.KeptName(o, received, now, s.opts.Clock.Expiry(now, keep))
}

// Remove implements [storage.Store]. What is under a mark afterwards was not looked
// for: there, removing what is absent succeeds.
func (s *Store) Remove(ctx context.Context, name string) error {
	if isOurs(name) {
		return refuse("remove", name)
	}
	o, ok := ledger.ParseRef(name)
	keep := s.opts.Keep()
	switch {
	case !ok:
		return s.store.Remove(ctx, name)
	case keep <= 0:
		return s.destroy(ctx, o)
	case o.Kind == ledger.Data && !s.renames:
		now := s.deletionTime()
		if err := s.ledger.Mark(ctx, o, now, s.opts.Clock.Expiry(now, keep)); err != nil {
			return err
		}
		s.held.add(0)
		return nil
	}
	return s.move(ctx, o, keep)
}

// move gives an object a name in the trash.
func (s *Store) move(ctx context.Context, o ledger.Ref, keep time.Duration) error {
	n, err := s.ledger.ReadReceipts(ctx, o.Repo)
	if err != nil {
		return err
	}
	var size int64
	err = s.moveTo(ctx, o.Path(), func(info fs.FileInfo) string {
		size = info.Size()
		received, noted := n.Receipts[o.Key()]
		if !noted {
			received = info.ModTime()
		}
		return s.keptName(o, received, keep)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.Join(err, s.ledger.ForgetReceipt(ctx, o, n)) // an earlier attempt got so far
	case err != nil:
		return err
	}
	s.held.add(size)
	return s.ledger.ForgetReceipt(ctx, o, n)
}

// moveTo moves an object, by way of this process where the store does not.
func (s *Store) moveTo(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	if mover, ok := s.store.(storage.Mover); ok {
		return mover.Move(ctx, from, to)
	}
	info, err := s.store.Stat(ctx, from)
	if err != nil {
		return err
	}
	body, size, err := s.store.Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := s.store.Put(ctx, to(info), size, io.LimitReader(body, size)); err != nil {
		return err
	}
	return s.store.Remove(ctx, from)
}

// List implements [storage.Store].
func (s *Store) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if isOurs(dir) {
		return &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	repo, below, ok := repoOf(dir)
	switch {
	case !ok:
		return s.listAbove(ctx, dir, fn)
	case !s.renames && below == ledger.Snapshots:
		return s.ledger.ListSnapshots(ctx, repo, s.store.List, fn)
	case s.renames || below != "" && below != ledger.Data && !strings.HasPrefix(below, ledger.Data+"/"):
		return s.store.List(ctx, dir, fn)
	}
	hidden, err := s.ledger.ReadMarks(ctx, repo)
	if err != nil {
		return err
	}
	if len(hidden) == 0 {
		return s.store.List(ctx, dir, fn)
	}
	return s.store.List(ctx, dir, unmarked(hidden, fn))
}

// listAbove lists what is above the repositories, without the trash. A store lists a
// whole tree by the last elements of the names, which do not say what is the trash's:
// the tree is walked down to the directories beside the trash.
func (s *Store) listAbove(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	tree, ok := s.store.(storage.Tree)
	if dir != "." || !ok {
		return s.store.List(ctx, dir, fn)
	}
	// Where there is no trash, one list is enough.
	err := tree.ReadDir(ctx, ledger.Dir, func(fs.FileInfo) error { return errEnough })
	if errors.Is(err, fs.ErrNotExist) {
		return s.store.List(ctx, dir, fn)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	var below []string
	err = tree.ReadDir(ctx, dir, func(info fs.FileInfo) error {
		switch {
		case info.Name() == "." || info.Name() == ledger.Dir:
			return nil
		case info.IsDir():
			below = append(below, info.Name())
			return nil
		}
		return fn(info)
	})
	if err != nil {
		return err
	}
	for _, name := range below {
		if err := s.store.List(ctx, name, fn); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

var errEnough = errors.New("enough is known")

// Create implements [storage.Creator].
func (s *Store) Create(ctx context.Context, dir string) error {
	if isOurs(dir) {
		return refuse("create", dir)
	}
	return storage.Create(ctx, s.store, dir)
}
