package live

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// loads counts those of everything and those of the users alone.
type loads struct{ whole, users atomic.Int32 }

func (l *loads) are(t *testing.T, whole, users int32) {
	t.Helper()
	if l.whole.Load() != whole || l.users.Load() != users {
		t.Errorf("%d loads of everything and %d of the users, want %d and %d", l.whole.Load(), l.users.Load(), whole, users)
	}
}

// planned runs test with views that can load the users alone.
func planned(t *testing.T, test func(t *testing.T, vs *views, n *loads, heard hints)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &loads{}
		vs := newViews(viewsOptions{
			load: func(context.Context) (*catalog.Snapshot, error) { n.whole.Add(1); return snapshotOf(), nil },
			loadUsers: func(context.Context) (*catalog.Snapshot, bool) {
				n.users.Add(1)
				time.Sleep(10 * time.Millisecond) // of the bubble
				return snapshotOf(), true
			},
			open: (&counted{}).open, sections: func(*catalog.Snapshot) {}, log: discard,
			interval: refreshInterval, maxStale: maxStale,
			changed: func(bool) {}, loaded: func(time.Duration, error) {},
		})
		ctx, cancel := context.WithCancel(t.Context())
		heard := newHints()
		done := make(chan struct{})
		go func() { defer close(done); vs.run(ctx, heard) }()
		synctest.Wait()
		test(t, vs, n, heard)
		cancel()
		<-done
	})
}

func TestUsersThatChangedAreLoadedAtOnceAndAllElseSoon(t *testing.T) {
	planned(t, func(t *testing.T, _ *views, n *loads, heard hints) {
		time.Sleep(5 * time.Second) // of the bubble
		hint(heard.users)
		time.Sleep(20 * time.Millisecond)
		n.are(t, 1, 1)
		time.Sleep(wholePause + 20*time.Millisecond)
		n.are(t, 2, 1)
		hint(heard.users) // just after a load of everything
		time.Sleep(20 * time.Millisecond)
		n.are(t, 2, 2)
		hint(heard.whole)
		time.Sleep(reloadPause)
		n.are(t, 3, 2)
		time.Sleep(refreshInterval - time.Second)
		n.are(t, 3, 2) // the one that was to follow did so already
	})
}

func TestRefreshWaitsForALoadOfEverything(t *testing.T) {
	planned(t, func(t *testing.T, vs *views, n *loads, heard hints) {
		hint(heard.users)
		before := vs.Current()
		if _, err := vs.Refresh(t.Context()); err != nil || n.whole.Load() != 2 {
			t.Errorf("%v after %d loads of everything, want 2", err, n.whole.Load())
		}
		if vs.Current() == before {
			t.Error("the view is the one from before")
		}
	})
}

func TestUnknownCallersReadTheUsersOnceASecondAndPostponeNothing(t *testing.T) {
	planned(t, func(t *testing.T, vs *views, n *loads, heard hints) {
		never := func(*View) bool { return false }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 50 {
			go func() {
				for ctx.Err() == nil {
					_, _ = vs.RenewUnproven(ctx, vs.Current(), never)
				}
			}()
		}
		time.Sleep(refreshInterval + time.Second)
		if whole, users := n.whole.Load(), n.users.Load(); whole != 2 || users < 25 || users > 31 {
			t.Errorf("%d loads of everything and %d of the users in 31 s", whole, users)
		}
		users := n.users.Load()
		hint(heard.users)
		time.Sleep(reloadPause + 20*time.Millisecond)
		if got := n.users.Load(); got <= users {
			t.Error("what was announced waits behind unknown callers")
		}
	})
}
