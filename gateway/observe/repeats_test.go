package observe

import (
	"testing"
	"time"
)

func TestAnOutageHasOneLineAMinute(t *testing.T) {
	t.Parallel()
	var r repeats
	outage := failureKind{"aaaa", "check that it runs", 503}
	start := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		kind   failureKind
		at     time.Duration
		yes    bool
		untold int
	}{
		{outage, 0, true, 0},
		{outage, time.Second, false, 0},
		{outage, 59 * time.Second, false, 0},
		{failureKind{"aaaa", "the storage is full", 507}, 59 * time.Second, true, 0},
		{failureKind{"bbbb", outage.hint, 503}, 59 * time.Second, true, 0},
		{outage, 61 * time.Second, true, 2},
		{outage, 62 * time.Second, false, 0},
		{outage, 10 * time.Minute, true, 1},
		{outage, 20 * time.Minute, true, 0},
	} {
		if yes, untold := r.tell(step.kind, start.Add(step.at)); yes != step.yes || untold != step.untold {
			t.Errorf("%v at %v: %v, %d; want %v, %d", step.kind, step.at, yes, untold, step.yes, step.untold)
		}
	}
}
