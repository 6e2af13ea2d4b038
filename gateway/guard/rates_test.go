package guard

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func TestRatesHoldForEachUserAndKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New("d", true, slog.New(slog.DiscardHandler))
		g.SetLimits(catalog.Limits{ModuleSnapshots: 4})
		take := func(user string, kind Saving) bool {
			_, _, ok := g.Take(user, kind)
			return ok
		}
		for range 4 {
			if !take("module/mail1", Snapshots) {
				t.Fatal("refused below the limit")
			}
		}
		if take("module/mail1", Snapshots) {
			t.Error("a fifth snapshot is let through")
		}
		if !take("module/mail1", Indexes) || !take("module/wiki7", Snapshots) {
			t.Error("another kind or user is held up")
		}
		_, wait, _ := g.Take("module/mail1", Snapshots)
		if wait <= 14*time.Minute || wait > 15*time.Minute {
			t.Errorf("wait %s, want a quarter of an hour", wait)
		}
		time.Sleep(wait)
		giveBack, _, ok := g.Take("module/mail1", Snapshots)
		if !ok {
			t.Fatal("refused after the wait")
		}
		if take("module/mail1", Snapshots) {
			t.Error("two are let through after a wait for one")
		}
		giveBack()
		if !take("module/mail1", Snapshots) {
			t.Error("what was given back is not there")
		}
		g.SetLimits(catalog.Limits{ModuleSnapshots: 100})
		if !take("module/mail1", Snapshots) {
			t.Error("a higher limit does not hold at once")
		}
	})
}

func TestDefaultRatesAreFarAboveRealUse(t *testing.T) {
	t.Parallel()
	g := New("d", true, slog.New(slog.DiscardHandler))
	for range 100 {
		if _, _, ok := g.Take("module/mail1", Snapshots); !ok {
			t.Fatal("a snapshot is refused")
		}
	}
	if got := g.MaxLocks(); got != defaultLocks {
		t.Errorf("%d locks", got)
	}
}
