package guard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// limitedMem is a store in memory under limits.
func limitedMem(to catalog.Limits) *limited {
	l := &limited{store: storetest.NewMem(), limits: newLimits()}
	l.limits.set(to)
	return l
}

func TestBandwidthIsSharedByAllTransfersOfADestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size, transfers = 1 << 20, 5
		content := bytes.Repeat([]byte("x"), size)
		s := limitedMem(catalog.Limits{Upload: 1 << 20, Download: 2 << 20})
		names := []string{"a/b/data/1", "a/b/data/2", "a/b/data/3", "a/b/data/4", "a/b/data/5"}
		all := func(transfer func(name string) error) time.Duration {
			start := time.Now()
			results := make(chan error)
			for _, name := range names {
				go func() { results <- transfer(name) }()
			}
			for range names {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
			return time.Since(start)
		}
		near := func(what string, got, want time.Duration) {
			if got < want*9/10 || got > want*11/10 {
				t.Errorf("%s took %v; want about %v", what, got, want)
			}
		}
		put := func(name string) error { return s.Put(t.Context(), name, size, bytes.NewReader(content)) }
		get := func(name string) error {
			body, _, err := s.Open(t.Context(), name, 0, -1)
			if err != nil {
				return err
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if err == nil && !bytes.Equal(got, content) {
				err = errors.New("other content")
			}
			return err
		}
		near("uploads", all(put), transfers*time.Second)
		near("downloads", all(get), transfers*time.Second/2)
		s.limits.set(catalog.Limits{})
		if took := all(put) + all(get); took != 0 {
			t.Errorf("without limits: %v", took)
		}
	})
}

func TestChangedBandwidthHoldsForTheTransferUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := limitedMem(catalog.Limits{Upload: 1})
		done := make(chan error)
		go func() {
			done <- s.Put(t.Context(), anObject, 1<<20, io.LimitReader(neverEnding('x'), 1<<20))
		}()
		synctest.Wait()
		s.limits.set(catalog.Limits{})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingForBandwidthEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := limitedMem(catalog.Limits{Upload: 1})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := s.Put(ctx, anObject, 1<<20, io.LimitReader(neverEnding('x'), 1<<20))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v", err)
		}
	})
}

func TestNoMoreOperationsThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := limitedMem(catalog.Limits{Operations: 2})
		if err := s.Put(t.Context(), anObject, 1, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		open := func() io.ReadCloser {
			t.Helper()
			body, _, err := s.Open(t.Context(), anObject, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		first, second := open(), open() // an open body is an operation under way
		waited := make(chan error, 1)
		go func() {
			_, err := s.Stat(t.Context(), anObject)
			waited <- err
		}()
		synctest.Wait()
		if len(waited) != 0 {
			t.Fatal("a third operation did not wait")
		}
		first.Close()
		first.Close() // twice is once
		if err := <-waited; err != nil {
			t.Error(err)
		}

		third := open()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Stat(ctx, anObject); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a request that ended while it waited: %v", err)
		}
		if _, err := s.Stat(t.Context(), anObject); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("after a long wait: %v", err)
		}
		for _, to := range []int64{3, 0} { // a change lets those through that wait
			go func() {
				body, _, err := s.Open(t.Context(), anObject, 0, -1)
				if err == nil {
					t.Cleanup(func() { body.Close() })
				}
				waited <- err
			}()
			synctest.Wait()
			s.limits.set(catalog.Limits{Operations: to})
			if err := <-waited; err != nil {
				t.Errorf("after the limit became %d: %v", to, err)
			}
		}
		third.Close()
		second.Close()
	})
}

func TestFileStaysAFileWithoutLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "object"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	directory, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := New(destID, true, discard)
	assembled := s.Around(directory)
	for _, limited := range []bool{false, true} {
		if limited {
			s.limits.set(catalog.Limits{Download: 1 << 20})
		}
		body, _, err := assembled.Open(t.Context(), "object", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, isFile := body.(*os.File); isFile == limited {
			t.Errorf("limited %v: the body is a %T", limited, body)
		}
		body.Close()
	}
}

func TestAssembledStoreConforms(t *testing.T) {
	t.Parallel()
	for name, local := range map[string]bool{"local": true, "remote": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) storage.Store {
				s := New(destID, local, discard)
				s.limits.set(catalog.Limits{Upload: 1 << 40, Download: 1 << 40, Operations: 3, Quota: 1 << 40, ModuleQuota: 1 << 40})
				return s.Around(storetest.NewMem())
			})
		})
	}
}
