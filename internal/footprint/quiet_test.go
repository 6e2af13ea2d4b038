package footprint

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnIdleProgramIsTrimmedOnceAndThenOnlyItsPages(t *testing.T) {
	t.Parallel()
	const rest, work = time.Millisecond, time.Second
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		load, spent := rest, time.Duration(0)
		var calls []string
		go trimWhenIdle(ctx, func() time.Duration { spent += load; return spent },
			func() { calls = append(calls, "trim") }, func() { calls = append(calls, "drop") })
		expect := func(after int, as time.Duration, want ...string) {
			t.Helper()
			load, calls = as, nil
			time.Sleep(time.Duration(after) * look)
			synctest.Wait()
			if !slices.Equal(calls, want) {
				t.Errorf("%v, want %v", calls, want)
			}
		}
		expect(patience-1, rest)
		expect(3, rest, "trim", "drop", "drop")
		expect(5, work)
		expect(patience, rest, "trim")
		cancel()
		synctest.Wait()
	})
}

func TestTheTimeOnProcessorsIsKnown(t *testing.T) {
	t.Parallel()
	if used() <= 0 {
		t.Error("the tests have used no time of the processors")
	}
}
