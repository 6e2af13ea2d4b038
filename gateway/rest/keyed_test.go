package rest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestKeyedMutexLetsOneInAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m keyedMutex
		key := objectKey{destination: "d", repo: "r", typ: Locks, name: testName}
		unlock, err := m.lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 3 {
			go func() {
				unlock, err := m.lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				unlock()
			}()
			synctest.Wait() // so that they queue up in order
		}
		if len(order) != 0 {
			t.Errorf("%v came in while the mutex was held", order)
		}
		unlock()
		synctest.Wait()
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Errorf("came in as %v, want in the order of their calls", order)
		}
		if len(m.entries) != 0 {
			t.Errorf("%d entries are left", len(m.entries))
		}
	})
}

func TestKeyedMutexKeepsObjectsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m keyedMutex
		base := objectKey{"d", "r", Data, testName}
		for _, key := range []objectKey{
			base,
			{"other", "r", Data, testName},
			{"d", "other", Data, testName},
			{"d", "r", Index, testName},
			{"d", "r", Data, "other"},
		} {
			if _, err := m.lock(t.Context(), key); err != nil {
				t.Errorf("%+v: %v", key, err)
			}
		}
		if len(m.entries) != 5 {
			t.Errorf("%d entries, want 5", len(m.entries))
		}
	})
}

func TestKeyedMutexStopsWaitingWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m keyedMutex
		key := objectKey{name: testName}
		unlock, err := m.lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := m.lock(ctx, key)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting ended with %v", err)
		}
		unlock()
		if len(m.entries) != 0 {
			t.Errorf("%d entries are left", len(m.entries))
		}
		unlock, err = m.lock(t.Context(), key)
		if err != nil {
			t.Fatalf("the mutex is stuck: %v", err)
		}
		unlock()
	})
}
