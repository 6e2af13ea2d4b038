package guard

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const anObject = "mail/uuid/data/ba/" + digits64

// resilientFaulty is a resilient store whose backend fails as planned and holds
// anObject.
func resilientFaulty(t *testing.T) (*resilient, *storetest.Faulty) {
	t.Helper()
	mem := storetest.NewMem()
	if err := mem.Put(t.Context(), anObject, 7, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(t, mem)
	return &resilient{store: faulty, breaker: newBreaker(destID, discard)}, faulty
}

// operations are one of each kind.
var operations = []struct {
	method storetest.Method
	run    func(ctx context.Context, s storage.Store) error
}{
	{storetest.Stat, func(ctx context.Context, s storage.Store) error {
		_, err := s.Stat(ctx, anObject)
		return err
	}},
	{storetest.Open, func(ctx context.Context, s storage.Store) error {
		body, _, err := s.Open(ctx, anObject, 0, -1)
		if err != nil {
			return err
		}
		defer body.Close()
		content, err := io.ReadAll(body)
		if err == nil && string(content) != "content" {
			err = errors.New("other content")
		}
		return err
	}},
	{storetest.List, func(ctx context.Context, s storage.Store) error {
		n := 0
		err := s.List(ctx, "mail/uuid/data", func(fs.FileInfo) error { n++; return nil })
		if err == nil && n != 1 {
			err = errors.New("not one entry")
		}
		return err
	}},
	{storetest.Put, func(ctx context.Context, s storage.Store) error {
		return s.Put(ctx, "mail/uuid/locks/"+digits64, 6, strings.NewReader("a lock"))
	}},
	{storetest.Remove, func(ctx context.Context, s storage.Store) error { return s.Remove(ctx, anObject) }},
}

func TestThrottlingIsAbsorbed(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(string(op.method), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, faulty := resilientFaulty(t)
				for range 8 { // takes half a minute and more
					faulty.Plan(op.method, storetest.Fail(storage.ErrThrottled))
				}
				if err := op.run(t.Context(), s); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// always returns err from every method.
type always struct {
	storage.Store
	err   error
	calls atomic.Int32
}

func (a *always) Stat(context.Context, string) (fs.FileInfo, error) {
	a.calls.Add(1)
	return nil, a.err
}

// resticWatchdog is how long restic waits for an answer on which nothing moves.
const resticWatchdog = 5 * time.Minute

func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		err   error
		limit time.Duration
	}{
		{"a provider that throttles", storage.ErrThrottled, throttleBudget},
		{"a server that cannot be reached", storage.ErrUnavailable, outageBudget},
		{"an answer that says nothing", errors.New("garbage"), 0},
		{"an absent object", fs.ErrNotExist, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				backend := &always{err: c.err}
				s := &resilient{store: backend, breaker: newBreaker(destID, discard)}
				start := time.Now()
				if _, err := s.Stat(t.Context(), anObject); !errors.Is(err, c.err) {
					t.Errorf("Stat = %v", err)
				}
				took, calls := time.Since(start), backend.calls.Load()
				if took > resticWatchdog/2 {
					t.Errorf("%v; restic gives up after %v", took, resticWatchdog)
				}
				if took > c.limit || took < c.limit/3 || (calls > 1) != (c.limit > 0) {
					t.Errorf("%d attempts in %v; want them to end within %v, and not much before", calls, took, c.limit)
				}
			})
		})
	}
}

// TestAReadOnlyStorageIsAskedOnceMore repeats a refused change once, and then says so;
// reading continues, however often that happens.
func TestAReadOnlyStorageIsAskedOnceMore(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		if op.method != storetest.Put && op.method != storetest.Remove {
			continue
		}
		t.Run(string(op.method), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, faulty := resilientFaulty(t)
				for range 2 * breakerFailures {
					faulty.Plan(op.method, storetest.Fail(storage.ErrReadOnly))
					faulty.Plan(op.method, storetest.Fail(storage.ErrReadOnly))
					if err := op.run(t.Context(), s); !errors.Is(err, storage.ErrReadOnly) {
						t.Fatalf("%v; want storage.ErrReadOnly", err)
					}
				}
				faulty.Plan(op.method, storetest.Fail(storage.ErrReadOnly))
				for _, op := range operations {
					if err := op.run(t.Context(), s); err != nil {
						t.Errorf("%s afterwards: %v", op.method, err)
					}
				}
			})
		})
	}
}

// TestALargeUploadToAReadOnlyStorageIsAskedForOnceMore leaves it to the client to
// repeat what is not kept in memory.
func TestALargeUploadToAReadOnlyStorageIsAskedForOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, faulty := resilientFaulty(t)
		content := strings.Repeat("x", replayable+1)
		put := func() error {
			return s.Put(t.Context(), anObject, int64(len(content)), strings.NewReader(content))
		}
		for range 2 {
			faulty.Plan(storetest.Put, storetest.FailAfter(1, storage.ErrReadOnly))
			if err := put(); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrReadOnly) {
				t.Errorf("the first: %v", err)
			}
			faulty.Plan(storetest.Put, storetest.FailAfter(1, storage.ErrReadOnly))
			if err := put(); !errors.Is(err, storage.ErrReadOnly) {
				t.Errorf("the second: %v", err)
			}
			if err := put(); err != nil {
				t.Errorf("when it may be written: %v", err)
			}
		}
		// What was found out with a lock needs no pack to be sent twice.
		for range 2 {
			faulty.Plan(storetest.Put, storetest.Fail(storage.ErrReadOnly))
		}
		if err := s.Put(t.Context(), anObject, 1, strings.NewReader("x")); !errors.Is(err, storage.ErrReadOnly) {
			t.Errorf("a lock: %v", err)
		}
		faulty.Plan(storetest.Put, storetest.FailAfter(1, storage.ErrReadOnly))
		if err := put(); !errors.Is(err, storage.ErrReadOnly) {
			t.Errorf("a pack after a lock: %v", err)
		}
	})
}

func TestClientThatLeavesEndsTheRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &resilient{store: &always{err: storage.ErrThrottled}, breaker: newBreaker(destID, discard)}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := s.Stat(ctx, anObject); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stat = %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestBrokenDestinationIsNotAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := &always{err: storage.ErrUnavailable}
		s := &resilient{store: backend, breaker: newBreaker(destID, discard)}
		for range breakerFailures {
			_, _ = s.Stat(t.Context(), anObject)
		}
		asked, start := backend.calls.Load(), time.Now()
		if _, err := s.Stat(t.Context(), anObject); !errors.Is(err, refusal.ErrCircuitOpen) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Stat = %v", err)
		}
		if backend.calls.Load() != asked || time.Since(start) != 0 {
			t.Error("it was asked, or waited for")
		}
		time.Sleep(2 * breakerPause) // of the bubble
		start = time.Now()
		if _, err := s.Stat(t.Context(), anObject); errors.Is(err, refusal.ErrCircuitOpen) {
			t.Errorf("the probe: %v", err)
		}
		if backend.calls.Load() != asked+1 || time.Since(start) != 0 {
			t.Error("a probe must be one attempt")
		}
		backend.err = fs.ErrNotExist
		time.Sleep(4 * breakerPause) // of the bubble
		for range 2 {
			if _, err := s.Stat(t.Context(), anObject); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after it came back: %v", err)
			}
		}
	})
}

func TestSilentDestinationFails(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		if op.method == storetest.Put || op.method == storetest.List {
			continue // they may take long, and their backends have time limits of their own
		}
		t.Run(string(op.method), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, faulty := resilientFaulty(t)
				hang, _, _ := storetest.Hold()
				faulty.Plan(op.method, hang)
				start := time.Now()
				if err := op.run(t.Context(), s); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.Canceled) {
					t.Errorf("%s = %v", op.method, err)
				}
				if took := time.Since(start); took != answerTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestWhatHasPassedIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, faulty := resilientFaulty(t)

		faulty.Plan(storetest.Put, storetest.FailAfter(10, storage.ErrThrottled))
		large := int64(replayable + 1)
		err := s.Put(t.Context(), anObject, large, io.LimitReader(neverEnding('x'), large))
		if !errors.Is(err, storage.ErrThrottled) {
			t.Errorf("Put of which bytes were read = %v", err)
		}
		faulty.Plan(storetest.Put, storetest.Fail(storage.ErrThrottled))
		if err := s.Put(t.Context(), anObject, large, io.LimitReader(neverEnding('x'), large)); err != nil {
			t.Errorf("Put of which nothing was read = %v", err)
		}

		faulty.Plan(storetest.List, storetest.FailAfter(1, storage.ErrThrottled))
		entries := 0
		err = s.List(t.Context(), "mail", func(fs.FileInfo) error { entries++; return nil })
		if !errors.Is(err, storage.ErrThrottled) || entries != 1 {
			t.Errorf("List that broke off = %v after %d entries", err, entries)
		}

		faulty.Plan(storetest.Open, storetest.FailAfter(3, storage.ErrThrottled))
		body, _, err := s.Open(t.Context(), anObject, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(body); !errors.Is(err, storage.ErrThrottled) {
			t.Errorf("a body that breaks off: %v", err)
		}
		body.Close()
	})
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestFailureOfTheCallerIsNoFailureOfTheDestination(t *testing.T) {
	t.Parallel()
	s, _ := resilientFaulty(t)
	errCaller := errors.New("the client cannot be written to")
	for range 2 * breakerFailures {
		err := s.List(t.Context(), "mail", func(fs.FileInfo) error { return errCaller })
		if err != errCaller {
			t.Fatalf("List = %v", err)
		}
	}
}

// panicking is a store whose backend has a defect.
type panicking struct{ storage.Store }

func (panicking) Stat(context.Context, string) (fs.FileInfo, error) { panic("a defect of the backend") }

func TestProbeThatPanicsLeavesRoomForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := resilientFaulty(t)
		s.breaker.fail(t, breakerFailures)
		time.Sleep(2 * breakerPause)
		func() {
			defer func() { _ = recover() }()
			_, _ = (&resilient{store: panicking{s.store}, breaker: s.breaker}).Stat(t.Context(), anObject)
		}()
		time.Sleep(breakerLongest)
		if _, err := s.Stat(t.Context(), anObject); err != nil {
			t.Errorf("the destination, which works again, is asked no more: %v", err)
		}
	})
}

func TestResilientStoreConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storage.Store {
		return &resilient{store: storetest.NewMem(), breaker: newBreaker(destID, discard)}
	})
}
