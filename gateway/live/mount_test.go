package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// counted is an Opener that counts what it opened and what was closed.
type counted struct {
	opened, closed atomic.Int32
	fail           error
	delay          time.Duration
}

func (c *counted) open(ctx context.Context, _ *catalog.Destination) (storage.Store, io.Closer, error) {
	c.opened.Add(1)
	select {
	case <-time.After(c.delay):
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if c.fail != nil {
		return nil, nil, c.fail
	}
	return storetest.NewMem(), closerFunc(func() error { c.closed.Add(1); return nil }), nil
}

func TestStoreIsOpenedOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{delay: time.Second}
		s := newMount(&catalog.Destination{ID: destID}, c.open, nil, discard)
		for range 10 {
			go func() {
				if _, err := s.Acquire(t.Context()); err != nil {
					t.Error(err)
				}
				s.Release()
			}()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second) // of the bubble
		synctest.Wait()
		if n := c.opened.Load(); n != 1 {
			t.Errorf("opened %d times", n)
		}
		if n := c.closed.Load(); n != 0 {
			t.Errorf("closed %d times while in use", n)
		}
	})
}

func TestRetiredStoreClosesAfterItsLastRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{}
		s := newMount(&catalog.Destination{ID: destID}, c.open, nil, discard)
		for range 2 {
			if _, err := s.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.retire()
		s.Release()
		synctest.Wait()
		if c.closed.Load() != 0 {
			t.Error("closed under a request")
		}
		s.Release()
		synctest.Wait()
		if c.closed.Load() != 1 {
			t.Error("not closed after the last request")
		}
		// A request that still holds the old view opens it again, and closes it.
		if _, err := s.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Release()
		synctest.Wait()
		if o, c := c.opened.Load(), c.closed.Load(); o != 2 || c != 2 {
			t.Errorf("opened %d times, closed %d times; want 2 and 2", o, c)
		}
	})
}

func TestRetiredWhileOpeningIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{delay: time.Second}
		s := newMount(&catalog.Destination{ID: destID}, c.open, nil, discard)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := s.Acquire(ctx)
			result <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("acquire: %v", err)
		}
		s.retire()
		time.Sleep(2 * time.Second) // of the bubble
		synctest.Wait()
		if c.closed.Load() != 1 {
			t.Error("the store that nobody waited for stays open")
		}
	})
}

func TestFailedOpeningIsRetriedAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{fail: storage.ErrUnavailable}
		s := newMount(&catalog.Destination{ID: destID}, c.open, nil, discard)
		for range 5 {
			if _, err := s.Acquire(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("acquire: %v", err)
			}
		}
		if n := c.opened.Load(); n != 1 {
			t.Errorf("tried %d times within the pause", n)
		}
		c.fail = nil
		time.Sleep(openPause) // of the bubble
		if _, err := s.Acquire(t.Context()); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	})
}

func TestHangingOpeningEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{delay: time.Hour}
		s := newMount(&catalog.Destination{ID: destID}, c.open, nil, discard)
		if _, err := s.Acquire(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire: %v", err)
		}
	})
}

func TestLimitsChangeUnderAnOpenStore(t *testing.T) {
	t.Parallel()
	c := &counted{}
	before := snapshotOf(destinationOf(destID, nil))
	after := snapshotOf(destinationOf(destID, nil))
	after.Limits = map[string]catalog.Limits{destID: {Quota: 10}}
	old, _ := NewView(nil, before, c.open, nil, discard)
	s, err := old.Mounts[destID].Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Mounts[destID].Release()
	next, retired := NewView(old, after, c.open, nil, discard)
	if next.Mounts[destID] != old.Mounts[destID] || len(retired) != 0 {
		t.Error("the store was replaced")
	}
	if err := putSized(t, s, "mail/"+ownUUID+"/data/aa/1", 11); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("put = %v", err)
	}
	if _, _ = NewView(next, before, c.open, nil, discard); putSized(t, s, "mail/"+ownUUID+"/data/aa/1", 11) != nil {
		t.Error("a limit that was lifted still holds")
	}
}

func putSized(t *testing.T, s storage.Store, name string, size int) error {
	t.Helper()
	return s.Put(t.Context(), name, int64(size), bytes.NewReader(make([]byte, size)))
}

func TestADestinationThatCannotBeOpenedIsDown(t *testing.T) {
	t.Parallel()
	s := newMount(&catalog.Destination{ID: destID, Type: "s3"}, (&counted{fail: storage.ErrUnavailable}).open, nil, discard)
	if _, err := s.Acquire(t.Context()); err == nil {
		t.Fatal("it opened")
	}
	if report := s.Guard.Report(); !report.Used || report.Works || report.Errors[refusal.Unavailable] != 1 {
		t.Error("it is not down")
	}
}
