package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// allowance is a meter with a number of saves left for each type.
type allowance struct {
	left  map[object.Type]int
	locks int
}

func (a *allowance) Take(typ object.Type) (giveBack func(), wait time.Duration, ok bool) {
	if a.left[typ] == 0 {
		return nil, 90*time.Second + 1, false
	}
	a.left[typ]--
	return func() { a.left[typ]++ }, 0, true
}

func (a *allowance) MaxLocks() int { return a.locks }

// save is the upload of the i-th object of a type.
func save(typ string, i, status int) call {
	content := sealed(fmt.Sprint(typ, i))
	return call{about: strconv.Itoa(i), method: "POST", path: typ + "/" + nameOf(content), body: content, status: status}
}

func TestSavesBeyondARateAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, storetest.NewMem())
	s.meter = &allowance{left: map[object.Type]int{object.Snapshots: 2, object.Index: 1}}
	refused := save("snapshots", 3, 429)
	refused.want = map[string]string{"Retry-After": "91"}
	malformed := save("snapshots", 4, 400)
	malformed.body = "wrong"
	s.run(t, []call{
		save("snapshots", 1, 200), malformed, save("snapshots", 2, 200), refused,
		save("index", 1, 200), save("index", 2, 429),
		save("data", 1, 200), save("data", 2, 200), save("locks", 1, 200),
	})
	s.meter = nil
	s.run(t, []call{save("snapshots", 3, 200), save("index", 2, 200)})
}

func TestSaveThatFailsDoesNotCount(t *testing.T) {
	t.Parallel()
	mem, down := storetest.NewMem(), errors.New("connection refused")
	store := &hooked{Store: mem, put: func(context.Context, string, int64, io.Reader) error { return down }}
	s := serve(t, store)
	s.meter = &allowance{left: map[object.Type]int{object.Snapshots: 1}}
	s.run(t, []call{save("snapshots", 1, 502), save("snapshots", 1, 502)})
	store.put = nil
	s.run(t, []call{save("snapshots", 1, 200), save("snapshots", 2, 429)})
}

// TestLocksAreCountedRarely saves locks up to their number, removes some, and saves
// others; the store is asked for a list only when there can be too many.
func TestLocksAreCountedRarely(t *testing.T) {
	t.Parallel()
	mem, lists := storetest.NewMem(), 0
	s := serve(t, &hooked{Store: mem, list: func(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
		lists++
		return mem.List(ctx, dir, fn)
	}})
	s.meter = &allowance{locks: 5}
	for i := range 5 {
		s.run(t, []call{save("locks", i, 200)})
	}
	if lists != 0 {
		t.Errorf("%d lists for 5 locks", lists)
	}
	refused := save("locks", 5, 429)
	refused.want = map[string]string{"Retry-After": "10"}
	s.run(t, []call{refused, save("locks", 6, 429)})
	if lists != 1 {
		t.Errorf("%d lists for 7 locks", lists)
	}
	s.meter = nil
	s.run(t, []call{save("locks", 5, 200)})
}

func TestLocksThatWereRemovedMakeRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, storetest.NewMem())
	s.meter = &allowance{locks: 5}
	for i := range 50 { // restic refreshes its lock
		lock := save("locks", i, 200)
		s.run(t, []call{lock, {about: "remove", method: "DELETE", path: lock.path, status: 200}})
	}
}
