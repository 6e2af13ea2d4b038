package guard

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestFailuresOfAStorageHaveTheirClass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		err   error
		class string // empty: none is counted
		up    int32
	}{
		{"it asks to slow down", storage.ErrThrottled, "throttled", stateFails},
		{"it cannot be reached", storage.ErrUnavailable, "unavailable", stateFails},
		{"it takes too long", context.DeadlineExceeded, "timeout", stateFails},
		{"it refuses us", fs.ErrPermission, "denied", stateFails},
		{"it refuses our key", errors.New("s3: AccessDenied"), "denied", stateFails},
		{"it is full", syscall.ENOSPC, "full", stateWorks},
		{"its quota is exhausted", syscall.EDQUOT, "full", stateWorks},
		{"the disk is broken", syscall.EIO, "other", stateFails},
		{"there is no such object", fs.ErrNotExist, "", stateWorks},
		{"the upload was damaged", storage.ErrCorrupt, "", 0},
		{"the upload was cut off", storage.ErrShort, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h health
			faulty := storetest.NewFaulty(t, storetest.NewMem())
			faulty.Plan(storetest.Stat, storetest.Fail(tt.err))
			s := &noted{store: faulty, health: &h}
			_, _ = s.Stat(t.Context(), "config")
			for class := refusal.Class(1); class < refusal.NumClasses; class++ {
				want := uint64(0)
				if class.String() == tt.class {
					want = 1
				}
				if got := h.errors[class].Load(); got != want {
					t.Errorf("%s: %d, want %d", class, got, want)
				}
			}
			if got := h.state.Load(); got != tt.up {
				t.Errorf("state %d, want %d", got, tt.up)
			}
		})
	}
}

func TestWhatTheCallerDoesIsNotTheStoragesFailure(t *testing.T) {
	t.Parallel()
	var h health
	mem := storetest.NewMem()
	if err := mem.Put(t.Context(), "a/config", 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	s := &noted{store: mem, health: &h}
	stop := errors.New("the client cannot be written to")
	if err := s.List(t.Context(), "a", func(fs.FileInfo) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.note(gone, gone.Err())
	if h.state.Load() != 0 {
		t.Error("the storage passes for failing")
	}
}

func TestASilentStorageIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(destID, false, discard)
		assembled := s.Around(hanging{})
		_, err := assembled.Stat(t.Context(), "config")
		if !errors.Is(err, storage.ErrUnavailable) || s.health.errors[refusal.Timeout].Load() == 0 || s.health.state.Load() != stateFails {
			t.Errorf("%v, %d timeouts", err, s.health.errors[refusal.Timeout].Load())
		}
	})
}

// hanging is a store that answers nothing.
type hanging struct{ storage.Store }

func (hanging) Stat(ctx context.Context, _ string) (fs.FileInfo, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAThrottledAttemptCountsThoughARetryMadeItGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faulty := storetest.NewFaulty(t, storetest.NewMem())
		faulty.Plan(storetest.Put, storetest.Fail(storage.ErrThrottled))
		s := New(destID, false, discard)
		if err := s.Around(faulty).Put(t.Context(), "config", 1, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if n := s.health.errors[refusal.Throttled].Load(); n != 1 || s.health.state.Load() != stateWorks {
			t.Errorf("%d throttled, state %d", n, s.health.state.Load())
		}
	})
}

func TestNotingAnOperationAllocatesNothing(t *testing.T) {
	h, ctx := new(health), t.Context()
	if n := testing.AllocsPerRun(1000, func() { h.note(ctx, nil) }); n != 0 {
		t.Errorf("%v allocations for each operation on a storage", n)
	}
}
