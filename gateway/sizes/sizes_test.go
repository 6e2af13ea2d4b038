package sizes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/sizes"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const repo = "mail/0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001"

var (
	hash     = strings.Repeat("ab", 32)
	pack     = repo + "/data/ab/" + hash
	index    = repo + "/index/" + hash
	snapshot = repo + "/snapshots/" + hash
	key      = repo + "/keys/" + hash
	receipt  = storage.NodeReceipt(repo, hash)
)

// backend is a store in memory with what else a backend has.
type backend struct {
	*storetest.Mem

	storage.Copier
	removing func() // called before something is removed
	listed   func() // called after something was listed, before that is told
}

func newBackend() *backend {
	return &backend{Mem: storetest.NewMem(), removing: func() {}, listed: func() {}}
}

func (b *backend) Create(context.Context, string) error { return nil }
func (b *backend) Renames() bool                        { return false }
func (b *backend) Bulk() int                            { return 1 }

func (b *backend) Space(context.Context) (free, used, total int64, err error) { return -1, -1, -1, nil }

func (b *backend) PutNew(ctx context.Context, name string, size int64, body io.Reader) (bool, error) {
	return false, b.Put(ctx, name, size, body)
}

func (b *backend) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	info, err := b.Stat(ctx, from)
	if err != nil {
		return err
	}
	return b.Rename(ctx, from, to(info))
}

func (b *backend) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	var found []fs.FileInfo
	err := b.Mem.List(ctx, dir, func(info fs.FileInfo) error {
		found = append(found, info)
		return nil
	})
	if err != nil {
		return err
	}
	b.listed()
	for _, info := range found {
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) Remove(ctx context.Context, name string) error {
	b.removing()
	return b.Mem.Remove(ctx, name)
}

func (b *backend) RemoveAll(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := b.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) RemoveCopied(ctx context.Context, name string) error { return b.Remove(ctx, name) }

func put(t *testing.T, s storage.Store, name string) {
	t.Helper()
	if err := s.Put(t.Context(), name, 5, strings.NewReader("12345")); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s storage.Store, kind string) {
	t.Helper()
	if err := s.List(t.Context(), repo+"/"+kind, func(fs.FileInfo) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// knows fails unless all names are known, or none is.
func knows(t *testing.T, s *sizes.Store, want bool, names ...string) {
	t.Helper()
	for _, name := range names {
		info, known, err := s.Recall(name)
		if known != want || err != nil || known && info.Size() != 5 {
			t.Errorf("%s: known is %v, %v", name, known, err)
		}
	}
}

func TestWhatAnUploadAndAListSayIsKnownForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sizes.New(newBackend())
		for _, name := range []string{pack, index, snapshot, key, repo + "/config", repo + "/locks/" + hash} {
			put(t, s, name)
		}
		knows(t, s, true, pack, index)
		// The time of a snapshot matters and is not known yet.
		knows(t, s, false, snapshot, key, repo+"/config", repo+"/locks/"+hash, repo+"/data/"+hash)
		for _, kind := range []string{"data", "index", "snapshots", "keys", "locks"} {
			list(t, s, kind)
		}
		knows(t, s, true, pack, index, snapshot, key)
		knows(t, s, false, repo+"/config", repo+"/locks/"+hash)
		time.Sleep(sizes.MaxAge) // of the bubble
		knows(t, s, false, pack, index, snapshot, key)
	})
}

func TestWhatIsTakenAwayIsForgotten(t *testing.T) {
	t.Parallel()
	for how, take := range map[string]func(ctx context.Context, s *sizes.Store) error{
		"Remove":       func(ctx context.Context, s *sizes.Store) error { return s.Remove(ctx, pack) },
		"RemoveAll":    func(ctx context.Context, s *sizes.Store) error { return s.RemoveAll(ctx, []string{pack}) },
		"RemoveCopied": func(ctx context.Context, s *sizes.Store) error { return s.RemoveCopied(ctx, pack) },
		"Move": func(ctx context.Context, s *sizes.Store) error {
			return s.Move(ctx, pack, func(fs.FileInfo) string { return repo + "/kept" })
		},
		"Rename": func(ctx context.Context, s *sizes.Store) error { return s.Rename(ctx, repo, "mail/other") },
		"a failed upload": func(ctx context.Context, s *sizes.Store) error {
			_ = s.Put(ctx, pack, 9, strings.NewReader("short"))
			return nil
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := sizes.New(newBackend())
			put(t, s, pack)
			if err := take(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			knows(t, s, false, pack)
		})
	}
}

func TestWhatSomebodyElseRemovedIsForgottenWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBackend()
	s := sizes.New(b)
	put(t, s, pack)
	put(t, s, index)
	if err := errors.Join(b.Remove(t.Context(), pack), b.Remove(t.Context(), index)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(t.Context(), pack, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := s.Stat(t.Context(), index); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	knows(t, s, false, pack, index)
}

// TestALookThatIsOlderThanARemovalTeachesNothing has an object removed while a list that has
// seen it is not over, and a list that is made while it is being removed.
func TestALookThatIsOlderThanARemovalTeachesNothing(t *testing.T) {
	t.Parallel()
	b := newBackend()
	s := sizes.New(b)
	put(t, s, pack)
	b.listed = func() {
		b.listed = func() {}
		if err := s.Remove(t.Context(), pack); err != nil {
			t.Error(err)
		}
	}
	list(t, s, "data")
	knows(t, s, false, pack)

	put(t, s, pack)
	b.removing = func() {
		list(t, s, "data")
		if _, err := s.Stat(t.Context(), pack); err != nil {
			t.Error(err)
		}
	}
	if err := s.Remove(t.Context(), pack); err != nil {
		t.Fatal(err)
	}
	knows(t, s, false, pack)
}

func TestWhoSavedASnapshotIsKnownOnceItIsThere(t *testing.T) {
	t.Parallel()
	s := sizes.New(newBackend())
	ask := func(known bool) {
		t.Helper()
		_, err := s.Stat(t.Context(), receipt)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, got, err := s.Recall(receipt); got != known || known && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("known is %v, %v", got, err)
		}
	}
	ask(false) // a node may be about to save the snapshot
	put(t, s, snapshot)
	list(t, s, "snapshots")
	ask(true)
	put(t, s, receipt)
	knows(t, s, true, receipt)
}

func TestHowManyObjectsAreKnownIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sizes.New(newBackend())
		name := func(i int) string { return fmt.Sprintf("%s/index/%064x", repo, i) }
		const most = 1 << 15
		for i := range most + 10 {
			put(t, s, name(i))
		}
		knows(t, s, true, name(0), name(most-1))
		knows(t, s, false, name(most), name(most+9))
		time.Sleep(sizes.MaxAge) // of the bubble
		put(t, s, name(most))
		knows(t, s, true, name(most))
	})
}
