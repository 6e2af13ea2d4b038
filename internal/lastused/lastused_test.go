package lastused

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Most: 2, Unused: time.Minute}
		var m Map[string, int]
		created := 0
		get := func(key string, want int) {
			t.Helper()
			time.Sleep(time.Second)
			if got := m.Get(key, limits, func() int { created++; return created }); got != want {
				t.Errorf("Get(%q) = %d, want %d", key, got, want)
			}
		}
		get("a", 1)
		get("b", 2)
		get("a", 1)
		get("c", 3) // b was used before a
		get("a", 1)
		get("b", 4)
		if n := m.Len(); n != 2 {
			t.Errorf("%d values, want 2", n)
		}
		time.Sleep(time.Minute)
		get("b", 4) // it is still there, and in use again
		get("c", 5) // a is not
		if n := m.Len(); n != 2 {
			t.Errorf("%d values, want 2", n)
		}
	})
}
