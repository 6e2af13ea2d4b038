package live

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// source is a Redis that can be told what to say.
type source struct {
	loads    atomic.Int32
	fail     atomic.Bool
	snapshot atomic.Pointer[catalog.Snapshot]
	takes    atomic.Int64 // as a time.Duration
}

func slowSource(takes time.Duration) *source {
	s := &source{}
	s.takes.Store(int64(takes))
	return s
}

func (s *source) load(ctx context.Context) (*catalog.Snapshot, error) {
	s.loads.Add(1)
	select {
	case <-time.After(time.Duration(s.takes.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.fail.Load() {
		return nil, errors.New("connection refused")
	}
	return s.snapshot.Load(), nil
}

func snapshotOf(destinations ...*catalog.Destination) *catalog.Snapshot {
	s := &catalog.Snapshot{
		Principals:   map[string]*catalog.Principal{aNode.Name: aNode},
		Destinations: map[string]*catalog.Destination{},
	}
	for _, d := range destinations {
		s.Destinations[d.ID] = d
	}
	return s
}

func destinationOf(id string, section map[string]string) *catalog.Destination {
	return &catalog.Destination{ID: id, Type: section["type"], Section: section}
}

const (
	refreshInterval = 30 * time.Second
	maxStale        = 24 * time.Hour
)

// inBubble runs test with views that load from src and the hints they heed,
// in a bubble of its own.
func inBubble(t *testing.T, src *source, test func(t *testing.T, vs *views, opened *counted, hints chan<- struct{})) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if src.snapshot.Load() == nil {
			src.snapshot.Store(snapshotOf())
		}
		opened := &counted{}
		vs := newViews(viewsOptions{
			load: src.load, open: opened.open, sections: func(*catalog.Snapshot) {}, log: discard,
			interval: refreshInterval, maxStale: maxStale,
			changed: func(bool) {}, loaded: func(time.Duration, error) {},
		})
		ctx, cancel := context.WithCancel(t.Context())
		heard := newHints()
		done := make(chan struct{})
		go func() { defer close(done); vs.run(ctx, heard) }()
		synctest.Wait()
		test(t, vs, opened, heard.whole)
		cancel()
		<-done
	})
}

func TestViewsLoadAtOnceAndAtEveryInterval(t *testing.T) {
	t.Parallel()
	src := &source{}
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, _ chan<- struct{}) {
		if !vs.Ready() || src.loads.Load() != 1 {
			t.Fatalf("ready %v after %d loads", vs.Ready(), src.loads.Load())
		}
		time.Sleep(10*refreshInterval + time.Second) // of the bubble
		if n := src.loads.Load(); n != 11 {
			t.Errorf("%d loads, want 11", n)
		}
	})
}

func TestRefreshesThatComeTogetherShareALoad(t *testing.T) {
	t.Parallel()
	src := &source{}
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, hints chan<- struct{}) {
		start := time.Now()
		for range 100 {
			go func() {
				if _, err := vs.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			select {
			case hints <- struct{}{}:
			default:
			}
		}
		if _, err := vs.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := src.loads.Load(); n != 2 {
			t.Errorf("%d loads for one burst, want the first and one more", n)
		}
		if took := time.Since(start); took > reloadPause {
			t.Errorf("a refresh took %v", took)
		}
	})
}

func TestRefreshSeesWhatWasWrittenBeforeIt(t *testing.T) {
	t.Parallel()
	src := slowSource(100 * time.Millisecond)
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, hints chan<- struct{}) {
		time.Sleep(5 * time.Second)       // of the bubble
		hints <- struct{}{}               // a load that begins now
		time.Sleep(50 * time.Millisecond) // and is under way
		src.snapshot.Store(snapshotOf(destinationOf(destID, nil)))
		v, err := vs.Refresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v.Mounts[destID] == nil {
			t.Error("the view is from before the call")
		}
	})
}

// TestNewsThatIsLoadedAlreadyIsNotWaitedForTwice has a caller miss what an event
// has announced a moment before.
func TestNewsThatIsLoadedAlreadyIsNotWaitedForTwice(t *testing.T) {
	t.Parallel()
	const load = 100 * time.Millisecond
	src := slowSource(load)
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, hints chan<- struct{}) {
		time.Sleep(5 * time.Second) // of the bubble
		src.snapshot.Store(snapshotOf(destinationOf(destID, nil)))
		start := time.Now()
		hints <- struct{}{}
		time.Sleep(load / 2) // of the bubble
		known := func(v *View) bool { return v.Mounts[destID] != nil }
		if v, err := vs.Renew(t.Context(), vs.Current(), known); err != nil || !known(v) {
			t.Errorf("%v, %v", v, err)
		}
		if took := time.Since(start); took != load {
			t.Errorf("known %v after the event, want %v: after one load, without a pause before it", took, load)
		}

		// What no view has is refused after a load that began later.
		start = time.Now()
		never := func(*View) bool { return false }
		if _, err := vs.Renew(t.Context(), vs.Current(), never); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < load {
			t.Errorf("refused after %v", took)
		}
	})
}

// TestAFloodOfUnknownCallersHasRedisReadOnceASecond, while whoever is known waits for none
// of them.
func TestAFloodOfUnknownCallersHasRedisReadOnceASecond(t *testing.T) {
	t.Parallel()
	src := &source{}
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, _ chan<- struct{}) {
		never := func(*View) bool { return false }
		before, start := src.loads.Load(), time.Now()
		for time.Since(start) < 10*time.Second {
			for range 50 {
				go func() {
					if _, err := vs.RenewUnproven(t.Context(), vs.Current(), never); err != nil {
						t.Error(err)
					}
				}()
			}
			time.Sleep(50 * time.Millisecond) // of the bubble
		}
		if n := src.loads.Load() - before; n < 9 || n > 10 {
			t.Errorf("%d loads in 10 s, want one a second", n)
		}
		start = time.Now()
		if _, err := vs.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > reloadPause {
			t.Errorf("whoever is known waited %v", took)
		}
	})
}

func TestViewSurvivesAnAbsentRedis(t *testing.T) {
	t.Parallel()
	src := &source{}
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, _ chan<- struct{}) {
		src.fail.Store(true)
		time.Sleep(time.Minute) // of the bubble
		if vs.Ready() {
			t.Error("ready without Redis")
		}
		if vs.Current() == nil {
			t.Error("the last view does not serve")
		}
		if _, err := vs.Refresh(t.Context()); !errors.Is(err, refusal.ErrUnready) {
			t.Errorf("refresh: %v", err)
		}
		time.Sleep(maxStale) // of the bubble
		if vs.Current() != nil {
			t.Error("a view older than the limit still serves")
		}
		src.fail.Store(false)
		time.Sleep(refreshInterval) // of the bubble
		synctest.Wait()
		if !vs.Ready() {
			t.Error("not ready after Redis came back")
		}
	})
}

func TestFirstViewIsTriedForOften(t *testing.T) {
	t.Parallel()
	src := &source{}
	src.fail.Store(true)
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, _ chan<- struct{}) {
		time.Sleep(5 * retryPause) // of the bubble
		src.fail.Store(false)
		time.Sleep(retryPause) // of the bubble
		synctest.Wait()
		if !vs.Ready() {
			t.Error("not ready within one pause")
		}
	})
}

func TestRefreshOfAHangingRedisEnds(t *testing.T) {
	t.Parallel()
	src := slowSource(time.Hour)
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, _ chan<- struct{}) {
		if _, err := vs.Refresh(t.Context()); !errors.Is(err, refusal.ErrUnready) {
			t.Errorf("refresh: %v", err)
		}
		if !vs.Alive(t.Context()) {
			t.Error("a hanging Redis makes the gateway pass for hanging")
		}
	})
}

func TestSlowLoadsLeavePauses(t *testing.T) {
	t.Parallel()
	src := slowSource(time.Second)
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, hints chan<- struct{}) {
		time.Sleep(time.Second) // of the bubble: the first load ends
		before := src.loads.Load()
		for range 100 {
			select {
			case hints <- struct{}{}:
			default:
			}
			time.Sleep(time.Second) // of the bubble
		}
		if n := src.loads.Load() - before; n > int32(100*time.Second/reloadPauseMax)+1 {
			t.Errorf("%d loads of 1 s within 100 s", n)
		}
	})
}

const otherID = "b6f0639c-4276-5b7b-8752-eda8eda282db"

func TestUnchangedDestinationsStayOpen(t *testing.T) {
	t.Parallel()
	s3 := map[string]string{"type": "s3", "secret_access_key": "a"}
	changed := map[string]string{"type": "s3", "secret_access_key": "b"}
	crypt := map[string]string{"type": "crypt", "remote": destID + ":bucket/folder"}
	union := map[string]string{"type": "union", "upstreams": otherID + ":a " + destID + ":b:ro"}
	for _, c := range []struct {
		name          string
		before, after *catalog.Snapshot
		id            string
		stays         bool
	}{
		{"nothing changed", snapshotOf(destinationOf(destID, s3)), snapshotOf(destinationOf(destID, s3)), destID, true},
		{"another one came", snapshotOf(destinationOf(destID, s3)), snapshotOf(destinationOf(destID, s3), destinationOf(otherID, s3)), destID, true},
		{"another one went", snapshotOf(destinationOf(destID, s3), destinationOf(otherID, s3)), snapshotOf(destinationOf(destID, s3)), destID, true},
		{"its secret changed", snapshotOf(destinationOf(destID, s3)), snapshotOf(destinationOf(destID, changed)), destID, false},
		{
			"the one below it changed",
			snapshotOf(destinationOf(destID, s3), destinationOf(otherID, crypt)),
			snapshotOf(destinationOf(destID, changed), destinationOf(otherID, crypt)), otherID, false,
		},
		{
			"the one below it went",
			snapshotOf(destinationOf(destID, s3), destinationOf(otherID, crypt)),
			snapshotOf(destinationOf(otherID, crypt)), otherID, false,
		},
		{
			"the one above it changed",
			snapshotOf(destinationOf(destID, s3), destinationOf(otherID, s3)),
			snapshotOf(destinationOf(destID, s3), destinationOf(otherID, union)), destID, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			open := (&counted{}).open
			old, _ := NewView(nil, c.before, open, nil, discard)
			next, retired := NewView(old, c.after, open, nil, discard)
			if got := next.Mounts[c.id] == old.Mounts[c.id]; got != c.stays {
				t.Errorf("kept its store: %v, want %v", got, c.stays)
			}
			for id, store := range old.Mounts {
				gone := next.Mounts[id] != store
				listed := false
				for _, r := range retired {
					listed = listed || r == store
				}
				if gone != listed {
					t.Errorf("%s: gone %v, retired %v", id, gone, listed)
				}
			}
		})
	}
}
