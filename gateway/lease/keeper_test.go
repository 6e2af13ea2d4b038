package lease_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/lease"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

var repo = lease.Repository{Destination: "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8", Path: "mail/9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01"}

// world is a Redis with two nodes, each with the rights that NethServer 8 gives it.
type world struct {
	redis    *redistest.Server
	one, two *lease.Keeper
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{redis: redistest.Start(t)}
	w.redis.SetupNS8()
	w.redis.AddNode("2", "10.5.4.2")
	w.one, w.two = w.keeper(t, "1"), w.keeper(t, "2")
	return w
}

func (w *world) keeper(t *testing.T, node string) *lease.Keeper {
	t.Helper()
	user := "node/" + node
	k := lease.New(node, redis.NewClient(&redis.Options{Addr: w.redis.Addr, Username: user, Password: redistest.Password(user)}),
		func() []string { return []string{"1", "2"} })
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// expire has the lease end that a node's gateway keeps, as if nobody had renewed it.
func (w *world) expire(node string) {
	w.redis.Do("DEL", catalog.LiveLeaseKey(node, repo.Destination, repo.Path))
}

func grant(t *testing.T, k *lease.Keeper, holder string, lockers ...string) lease.Lease {
	t.Helper()
	l, err := k.Grant(t.Context(), repo, holder, "backup", lockers)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOneHoldsALeaseAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := grant(t, w.one, "module/mail1")
	for _, k := range []*lease.Keeper{w.one, w.two} {
		_, err := k.Grant(t.Context(), repo, "node/2", "prune", nil)
		held, ok := errors.AsType[*lease.HeldError](err)
		if !ok || held.Record.Holder != "module/mail1" || held.Record.Purpose != "backup" || held.Left <= 0 || held.Left > lease.TTL {
			t.Errorf("another one gets %v", err)
		}
	}
	other := lease.Repository{Destination: repo.Destination, Path: "wiki/of-another"}
	if _, err := w.two.Grant(t.Context(), other, "node/2", "prune", nil); err != nil {
		t.Errorf("of another repository: %v", err)
	}
	if err := w.one.Release(t.Context(), repo, "module/mail1", first.Token, true); err != nil {
		t.Fatal(err)
	}
	if second := grant(t, w.two, "node/2"); second.Counter <= first.Counter || second.Token == first.Token || len(second.Dead) > 0 {
		t.Errorf("after %+v comes %+v", first, second)
	}
}

func TestManyAskAtOnceAndOneGetsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var granted int
	var wg sync.WaitGroup
	for i := range 8 {
		k := []*lease.Keeper{w.one, w.two}[i%2]
		wg.Go(func() {
			_, err := k.Grant(t.Context(), repo, "node/1", "check", nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				granted++
			} else if _, held := errors.AsType[*lease.HeldError](err); !held {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted != 1 {
		t.Errorf("%d got it", granted)
	}
}

func TestWhatADeadRunLeavesIsHandedOnUntilItIsClean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := grant(t, w.one, "module/mail1", "backup-mail1-01")
	if _, err := w.one.Renew(t.Context(), repo, "module/mail1", first.Token, []string{"host 4711"}); err != nil {
		t.Fatal(err)
	}
	w.expire("1")
	second := grant(t, w.two, "node/2", "host2 5")
	if want := []string{"backup-mail1-01", "host 4711"}; !slices.Equal(second.Dead, want) {
		t.Errorf("handed on are %q, want %q", second.Dead, want)
	}
	if err := w.two.Release(t.Context(), repo, "node/2", second.Token, false); err != nil {
		t.Fatal(err)
	}
	third := grant(t, w.one, "module/mail1")
	if !slices.Equal(third.Dead, second.Dead) {
		t.Errorf("after one who did not clean up, handed on are %q", third.Dead)
	}
	if err := w.one.Release(t.Context(), repo, "module/mail1", third.Token, true); err != nil {
		t.Fatal(err)
	}
	if fourth := grant(t, w.two, "node/2"); len(fourth.Dead) > 0 {
		t.Errorf("in a clean repository %q are handed on", fourth.Dead)
	}
}

func TestALeaseGoesOnAtAnotherGateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := grant(t, w.one, "node/1")
	moved, err := w.two.Renew(t.Context(), repo, "node/1", l.Token, nil)
	if err != nil || moved.Token != l.Token || moved.Counter <= l.Counter {
		t.Fatalf("at the other gateway it is %+v, %v", moved, err)
	}
	if err := w.two.Release(t.Context(), repo, "node/1", l.Token, true); err != nil {
		t.Fatal(err)
	}
	grant(t, w.two, "module/mail1") // although the first gateway's key has not expired
	if _, err := w.one.Renew(t.Context(), repo, "node/1", l.Token, nil); !errors.Is(err, lease.ErrLost) {
		t.Errorf("a lease that was released is renewed: %v", err)
	}
}

func TestALeaseThatEndedIsRenewedUnlessSomebodyElseGotOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := grant(t, w.one, "node/1")
	w.expire("1")
	if _, err := w.one.Renew(t.Context(), repo, "node/1", l.Token, nil); err != nil {
		t.Errorf("nobody else wanted it: %v", err)
	}
	w.expire("1")
	grant(t, w.two, "module/mail1")
	for _, token := range []string{l.Token, "guessed"} {
		if _, err := w.one.Renew(t.Context(), repo, "node/1", token, nil); !errors.Is(err, lease.ErrLost) {
			t.Errorf("with token %s: %v", token, err)
		}
	}
	if err := w.one.Release(t.Context(), repo, "node/1", l.Token, true); err != nil {
		t.Errorf("what is lost is released: %v", err)
	}
	if held, err := w.one.Holds(t.Context(), repo, "module/mail1"); !held || err != nil {
		t.Errorf("the other one's lease has ended: %t, %v", held, err)
	}
}

func TestWhoHoldsALease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := grant(t, w.one, "node/1")
	for _, c := range []struct {
		keeper *lease.Keeper
		user   string
		want   bool
	}{{w.one, "node/1", true}, {w.two, "node/1", true}, {w.one, "node/2", false}, {w.two, "module/mail1", false}} {
		if got, err := c.keeper.Holds(t.Context(), repo, c.user); got != c.want || err != nil {
			t.Errorf("%s: %t, %v", c.user, got, err)
		}
	}
	if err := w.one.Release(t.Context(), repo, "node/1", l.Token, true); err != nil {
		t.Fatal(err)
	}
	if held, err := w.one.Holds(t.Context(), repo, "node/1"); held || err != nil {
		t.Errorf("after the release: %t, %v", held, err)
	}
	w.redis.Stop()
	if held, err := w.one.Holds(t.Context(), repo, "node/1"); held || err == nil {
		t.Errorf("without Redis: %t, %v", held, err)
	}
}

func TestOwnLocks(t *testing.T) {
	t.Parallel()
	var locks lease.OwnLocks
	if locks.Made("node/1", "d", "r", "x") {
		t.Error("a lock that nobody made")
	}
	locks.Note("node/1", "d", "r", "x")
	if !locks.Made("node/1", "d", "r", "x") || locks.Made("node/2", "d", "r", "x") || locks.Made("node/1", "d", "s", "x") {
		t.Error("a lock is its maker's, in its repository")
	}
}
