package trash

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// Object is one that a repository has now.
type Object struct {
	Repo, Kind, Name string
	Size             int64
	// Received is when the storage got it first, as far as that is known.
	Received time.Time
}

// Path is where it lies in the destination.
func (o *Object) Path() string { return ledger.Ref{Repo: o.Repo, Kind: o.Kind, Name: o.Name}.Path() }

// Objects are those that a repository has now, but for its locks, kind by kind in the
// order of Kinds. It takes a list of each kind, and one of the notes.
func (s *Store) Objects(ctx context.Context, repo string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n, err := s.ledger.ReadReceipts(ctx, repo)
		if err != nil {
			yield(Object{}, err)
			return
		}
		for _, kind := range ledger.Kinds {
			err := s.listKind(ctx, repo, kind, func(info fs.FileInfo) error {
				o := Object{repo, kind, info.Name(), info.Size(), info.ModTime()}
				if first, noted := n.Receipts[ledger.Key{Kind: kind, Name: o.Name}]; noted {
					o.Received = first
				}
				if !yield(o, nil) {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
		}
	}
}

// listKind calls fn for the objects of one kind.
func (s *Store) listKind(ctx context.Context, repo, kind string, fn func(fs.FileInfo) error) error {
	if kind == ledger.Config {
		info, err := s.Stat(ctx, repo+"/config")
		if err != nil {
			return storage.IgnoreAbsent(err)
		}
		return fn(info)
	}
	err := s.List(ctx, repo+"/"+kind, func(info fs.FileInfo) error {
		if !ledger.IsHash(info.Name()) {
			return nil
		}
		return fn(info)
	})
	return storage.IgnoreAbsent(err)
}

// Repos returns the repositories that have anything in the trash.
func (s *Store) Repos(ctx context.Context) ([]string, error) { return s.ledger.Repos(ctx) }

// Entries returns what a repository has in the trash, by the time of deletion. Packs
// that were uploaded again since are no longer in it.
func (s *Store) Entries(ctx context.Context, repo string) ([]ledger.Entry, error) {
	return s.ledger.Entries(ctx, repo)
}

// Holds reports whether the trash has anything of a repository but keys, which an init
// leaves that was not finished.
func (s *Store) Holds(ctx context.Context, repo string) (bool, error) {
	return s.ledger.Holds(ctx, repo)
}

// Horizon returns the newest time of deletion of anything that was purged: as it was
// before that time, the repository cannot be had. It is zero where nothing was.
func (s *Store) Horizon(ctx context.Context, repo string) (time.Time, error) {
	return s.ledger.Horizon(ctx, repo)
}
