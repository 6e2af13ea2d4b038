package keyedmutex

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestKeyedMutexLetsOneInAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex[string]
		key := "object"
		unlock, err := m.Lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 3 {
			go func() {
				unlock, err := m.Lock(t.Context(), key)
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

func TestKeyedMutexKeepsKeysApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{ destination, name string }
		var m Mutex[key]
		for _, key := range []key{{"d", "a"}, {"other", "a"}, {"d", "other"}} {
			if _, err := m.Lock(t.Context(), key); err != nil {
				t.Errorf("%+v: %v", key, err)
			}
		}
		if len(m.entries) != 3 {
			t.Errorf("%d entries, want 3", len(m.entries))
		}
	})
}

func TestKeyedMutexStopsWaitingWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex[string]
		key := "object"
		unlock, err := m.Lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := m.Lock(ctx, key)
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
		unlock, err = m.Lock(t.Context(), key)
		if err != nil {
			t.Fatalf("the mutex is stuck: %v", err)
		}
		unlock()
	})
}

func TestKeyedMutexIsTried(t *testing.T) {
	var m Mutex[string]
	unlock, locked := m.TryLock("object")
	if !locked {
		t.Fatal("nobody has it, and it is not to be had")
	}
	if _, locked := m.TryLock("object"); locked {
		t.Error("two have it")
	}
	if _, locked := m.TryLock("other"); !locked {
		t.Error("another key is not to be had")
	}
	unlock()
	if unlock, err := m.Lock(t.Context(), "object"); err != nil {
		t.Error(err)
	} else {
		unlock()
	}
	if len(m.entries) != 1 {
		t.Errorf("%d entries are left, want that of the other key", len(m.entries))
	}
}
