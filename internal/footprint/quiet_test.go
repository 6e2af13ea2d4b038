package footprint

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnIdleProgramIsTrimmedOnceAndThenOnlyItsPages(t *testing.T) {
	t.Parallel()
	const rest, work = time.Millisecond, time.Second
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var load, spent atomic.Int64
		calls := make(chan string, 10)
		go trimWhenIdle(ctx, func() time.Duration { return time.Duration(spent.Add(load.Load())) },
			func() { calls <- "trim" }, func() { calls <- "drop" })
		expect := func(after int, as time.Duration, want ...string) {
			t.Helper()
			load.Store(int64(as))
			time.Sleep(time.Duration(after) * look)
			synctest.Wait()
			var got []string
			for len(calls) > 0 {
				got = append(got, <-calls)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
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
