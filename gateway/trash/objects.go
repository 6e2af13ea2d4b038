package trash

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"time"
)

// Object is one that a repository has now.
type Object struct {
	Repo, Kind, Name string
	Size             int64
	// Received is when the storage got it first, as far as that is known.
	Received time.Time
}

// Path is where it lies in the destination.
func (o *Object) Path() string { return object{o.Repo, o.Kind, o.Name}.path() }

// Objects are those that a repository has now, but for its locks, kind by kind in the
// order of Kinds. It takes a list of each kind, and one of the notes.
func (s *Store) Objects(ctx context.Context, repo string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n, err := s.readReceipts(ctx, repo)
		if err != nil {
			yield(Object{}, err)
			return
		}
		for _, kind := range Kinds {
			err := s.listKind(ctx, repo, kind, func(info fs.FileInfo) error {
				o := Object{repo, kind, info.Name(), info.Size(), info.ModTime()}
				if first, noted := n.receipts[receiptKey{kind, o.Name}]; noted {
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
	if kind == Config {
		info, err := s.Stat(ctx, repo+"/config")
		if err != nil {
			return ignoreAbsent(err)
		}
		return fn(info)
	}
	err := s.List(ctx, repo+"/"+kind, func(info fs.FileInfo) error {
		if !isHash(info.Name()) {
			return nil
		}
		return fn(info)
	})
	return ignoreAbsent(err)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
