package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// fail lets n operations fail, one after the other.
func (b *breaker) fail(t *testing.T, n int) {
	t.Helper()
	for range n {
		probe, err := b.enter()
		if err != nil {
			t.Fatalf("enter: %v", err)
		}
		b.leave(probe, refusal.Failed, storage.ErrUnavailable)
	}
}

func (b *breaker) refuses() bool {
	probe, err := b.enter()
	if err == nil {
		b.leave(probe, refusal.Undecided, nil)
	}
	return errors.Is(err, refusal.ErrCircuitOpen)
}

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		b := newBreaker(destID, slog.New(slog.NewTextHandler(&lines, nil)))
		b.fail(t, breakerFailures-1)
		b.leave(false, refusal.Answered, nil)
		b.leave(false, refusal.Undecided, nil)
		b.fail(t, breakerFailures-1)
		if b.refuses() {
			t.Fatal("refuses although an operation was answered between the failures")
		}
		b.fail(t, 1)
		if !b.refuses() {
			t.Fatal("lets requests through after failures in a row")
		}
		if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, destID) {
			t.Errorf("the log says %q; want one line that names the destination", got)
		}
	})
}

func TestBrokenDestinationIsProbedByOneRequestAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		b := newBreaker(destID, slog.New(slog.NewTextHandler(&lines, nil)))
		b.fail(t, breakerFailures)
		time.Sleep(2 * breakerPause) // of the bubble
		probe, err := b.enter()
		if !probe || err != nil {
			t.Fatalf("after the pause: probe %v, %v", probe, err)
		}
		if !b.refuses() {
			t.Error("a second request passes while a probe is under way")
		}
		b.leave(probe, refusal.Answered, nil)
		for range 2 {
			if probe, err := b.enter(); probe || err != nil {
				t.Errorf("after a probe was answered: probe %v, %v", probe, err)
			}
		}
		if got := lines.String(); !strings.HasSuffix(got, "works again\" dest="+destID+"\n") {
			t.Errorf("the log says %q", got)
		}
	})
}

func TestPausesGrowWithFailedProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(destID, discard)
		b.fail(t, breakerFailures)
		for want := breakerPause; ; want = min(2*want, breakerLongest) {
			if left := time.Until(b.until); left < want || left > want+want/2 {
				t.Fatalf("a pause of %v; want %v and up to a half more", left, want)
			}
			if want == breakerLongest {
				break
			}
			time.Sleep(time.Until(b.until)) // of the bubble
			b.fail(t, 1)
		}
	})
}

func TestProbeThatDecidesNothingLeavesRoomForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(destID, discard)
		b.fail(t, breakerFailures)
		time.Sleep(2 * breakerPause) // of the bubble
		for range 3 {
			probe, err := b.enter()
			if !probe || err != nil {
				t.Fatalf("probe %v, %v", probe, err)
			}
			b.leave(probe, refusal.Undecided, context.Canceled)
		}
	})
}

func TestWhatAnErrorSaysOfTheDestination(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want refusal.Outcome
	}{
		{"success", t.Context(), nil, refusal.Answered},
		{"absent", t.Context(), fs.ErrNotExist, refusal.Answered},
		{"outside the object", t.Context(), storage.ErrRange, refusal.Answered},
		{"full", t.Context(), fmt.Errorf("put: %w", syscall.ENOSPC), refusal.Answered},
		{"unavailable", t.Context(), storage.ErrUnavailable, refusal.Failed},
		{"throttled", t.Context(), storage.ErrThrottled, refusal.Failed},
		{"nothing that is classified", t.Context(), errors.New("AccessDenied"), refusal.Failed},
		{"an upload that broke off", t.Context(), storage.ErrShort, refusal.Undecided},
		{"an upload of other content", t.Context(), storage.ErrCorrupt, refusal.Undecided},
		{"a client that left", gone, storage.ErrUnavailable, refusal.Undecided},
		{"a client that a list could not be written to", t.Context(), callerError{syscall.EPIPE}, refusal.Undecided},
	} {
		if got := judge(c.ctx, c.err); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
}

func TestTheBreakerTellsItsState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(destID, discard)
		want := func(state breakerState) {
			t.Helper()
			if got := b.state(); got != state {
				t.Errorf("%s, want %s", breakerStates[got], breakerStates[state])
			}
		}
		want(breakerClosed)
		for range breakerFailures {
			b.leave(false, refusal.Failed, storage.ErrUnavailable)
		}
		want(breakerOpen)
		time.Sleep(2 * breakerPause) // of the bubble
		want(breakerHalfOpen)
		probe, err := b.enter()
		if err != nil || !probe {
			t.Fatal(err)
		}
		want(breakerHalfOpen)
		b.leave(true, refusal.Answered, nil)
		want(breakerClosed)
	})
}
