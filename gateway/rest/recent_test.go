package rest

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets time go by, in a bubble.
func pass(d time.Duration) { <-time.After(d) }

func TestRecentLocksLastForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recentLocks
		repo := repoKey{"d", "r"}
		r.wrote(repo, "a", 200)
		r.removed(repo, "b")

		pass(recentFor - 1)
		if l, known := r.last(repo, "a"); !known || l.removed || l.size != 200 {
			t.Errorf("just within the minute, what was written is %+v, %v", l, known)
		}
		if l, known := r.last(repo, "b"); !known || !l.removed {
			t.Errorf("just within the minute, what was removed is %+v, %v", l, known)
		}
		if all := r.all(repo); len(all) != 2 {
			t.Errorf("just within the minute there are %v", all)
		}

		pass(1)
		if l, known := r.last(repo, "a"); known {
			t.Errorf("after a minute %+v is still known", l)
		}
		if all := r.all(repo); all != nil {
			t.Errorf("after a minute there are still %v", all)
		}
	})
}

func TestRecentLocksKeepTheLastWord(t *testing.T) {
	var r recentLocks
	repo := repoKey{"d", "r"}
	r.removed(repo, "a")
	r.wrote(repo, "a", 1)
	if l, known := r.last(repo, "a"); !known || l.removed {
		t.Errorf("removed and written again: %+v, %v", l, known)
	}
	r.removed(repo, "a")
	if l, known := r.last(repo, "a"); !known || !l.removed {
		t.Errorf("and removed again: %+v, %v", l, known)
	}
	r.forget(repo, "a")
	if l, known := r.last(repo, "a"); known {
		t.Errorf("forgotten, and yet %+v", l)
	}
}

func TestRecentLocksKeepRepositoriesApart(t *testing.T) {
	var r recentLocks
	r.wrote(repoKey{"d", "r"}, "a", 1)
	for _, other := range []repoKey{{"d", "other"}, {"other", "r"}} {
		if _, known := r.last(other, "a"); known || r.all(other) != nil {
			t.Errorf("%v knows of a lock of another repository", other)
		}
	}
}

func TestRecentLocksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recentLocks
		repo, busy := repoKey{"d", "r"}, repoKey{"d", "busy"}
		r.wrote(repo, "kept", 1)
		for i := range 3 * recentMax {
			r.wrote(busy, strconv.Itoa(i), 1)
			pass(time.Millisecond)
		}
		if n := len(r.repos[busy]); n != recentMax {
			t.Errorf("%d locks are remembered, want %d", n, recentMax)
		}
		if _, known := r.last(busy, strconv.Itoa(3*recentMax-1)); !known {
			t.Error("the newest was dropped")
		}
		if _, known := r.last(repo, "kept"); !known {
			t.Error("one repository pushed out another's")
		}
		pass(2 * recentFor)
		r.wrote(repo, "new", 1)
		if len(r.repos) != 1 || len(r.repos[repo]) != 1 {
			t.Errorf("after the time there are %v", r.repos)
		}
	})
}
