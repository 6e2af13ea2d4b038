package rest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// lagging is a store that neither lists nor finds nor loses anything new until
// it catches up.
type lagging struct {
	storage.Store
	seen *storetest.Mem
}

func newLagging(t *testing.T, locks ...string) *lagging {
	t.Helper()
	objects := map[string]string{}
	for _, lock := range locks {
		objects["locks/"+nameOf(sealed(lock))] = sealed(lock)
	}
	return &lagging{Store: newRepo(t, objects), seen: newRepo(t, objects)}
}

func (l *lagging) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return l.seen.Stat(ctx, name)
}

func (l *lagging) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	return l.seen.Open(ctx, name, off, n)
}

func (l *lagging) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return l.seen.List(ctx, dir, fn)
}

func (l *lagging) catchUp() { l.seen = l.Store.(*storetest.Mem) }

// locks is a repository's locks as one client after the other sees them.
type locks struct {
	handler *rest.Handler
	target  rest.Target
}

func newLocks(store storage.Store) *locks {
	return &locks{
		handler: rest.NewHandler(),
		target:  rest.Target{Store: store, Destination: "d", Repo: repo, Type: object.Locks},
	}
}

// do sends one request about the lock of that content; "" means all locks.
func (l *locks) do(t *testing.T, method, content string) (body string, err error) {
	t.Helper()
	target := l.target
	if content != "" {
		content = sealed(content)
		target.Name = nameOf(content)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	if method == "POST" {
		r = httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(content))
	}
	w := httptest.NewRecorder()
	err = l.handler.Serve(w, r, asked(r, target))
	return w.Body.String(), err
}

func (l *locks) must(t *testing.T, method, content string) {
	t.Helper()
	if _, err := l.do(t, method, content); err != nil {
		t.Fatalf("%s of %q: %v", method, content, err)
	}
}

// want lists the locks and expects those of the given contents.
func (l *locks) want(t *testing.T, about string, contents ...string) {
	t.Helper()
	got, err := l.do(t, "GET", "")
	if err != nil {
		t.Errorf("%s: %v", about, err)
		return
	}
	for _, content := range contents {
		if strings.Count(got, nameOf(sealed(content))) != 1 {
			t.Errorf("%s: the lock %q is not once in %s", about, content, got)
		}
	}
	if n := strings.Count(got, `"`) / 2; n != len(contents) {
		t.Errorf("%s: %d locks, want %d: %s", about, n, len(contents), got)
	}
}

func TestLocksAreListedAsTheyWereLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLagging(t, "old")
		l := newLocks(store)
		l.want(t, "at first", "old")
		l.must(t, "POST", "new")
		l.want(t, "after a POST", "old", "new")
		l.must(t, "DELETE", "old")
		l.want(t, "after a DELETE", "new")
		l.must(t, "POST", "old")
		l.want(t, "after another POST of what was deleted", "old", "new")
		l.must(t, "DELETE", "old")
		l.want(t, "and another DELETE", "new")
		store.catchUp()
		l.want(t, "when the remote has caught up", "new")
		pass(2 * time.Minute)
		l.want(t, "two minutes later", "new")
	})
}

// TestLocksThatARollbackRemovedAreGoneAtOnce: restic would try for a minute to read them.
func TestLocksThatARollbackRemovedAreGoneAtOnce(t *testing.T) {
	l := newLocks(newRepo(t, nil))
	l.must(t, "POST", "one")
	l.must(t, "POST", "another")
	for _, content := range []string{"one", "another"} {
		if err := l.target.Store.Remove(t.Context(), repo+"/locks/"+nameOf(sealed(content))); err != nil {
			t.Fatal(err)
		}
	}
	l.want(t, "while nobody has said so", "one", "another")
	l.handler.LocksRemoved("elsewhere", repo)
	l.want(t, "while it was said of another repository", "one", "another")
	l.handler.LocksRemoved("d", repo)
	if got, err := l.do(t, "GET", ""); err == nil && strings.Contains(got, `"`) {
		t.Errorf("they are listed: %s", got)
	}
	if _, err := l.do(t, "GET", "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one is read: %v", err)
	}
	l.must(t, "POST", "new")
	l.want(t, "after the next one", "new")
}

func TestRemoteHasTheLastWordAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks(newLagging(t, "old"))
		l.must(t, "POST", "new")
		l.must(t, "DELETE", "old")
		pass(time.Minute)
		l.want(t, "after a minute", "old")
	})
}

func TestLockListHasTheSizeOfWhatIsNotListedYet(t *testing.T) {
	l := newLocks(newLagging(t))
	l.must(t, "POST", "new")
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Accept", rest.MediaTypeV2)
	w := httptest.NewRecorder()
	if err := l.handler.Serve(w, r, asked(r, l.target)); err != nil {
		t.Fatal(err)
	}
	if want := `[{"name":"` + nameOf(sealed("new")) + `","size":37}]`; w.Body.String() != want {
		t.Errorf("list is %s, want %s", w.Body, want)
	}
}

func TestLocksOfAnotherRepositoryAreItsOwn(t *testing.T) {
	l := newLocks(newLagging(t))
	l.must(t, "POST", "new")
	l.target.Destination = "other"
	l.want(t, "another destination")
	l.target.Destination, l.target.Type = "d", object.Keys
	l.want(t, "another type")
}

func TestLockDeletedAMomentAgoIsGone(t *testing.T) {
	l := newLocks(newLagging(t, "old"))
	l.must(t, "DELETE", "old")
	for _, method := range []string{"HEAD", "GET"} {
		if _, err := l.do(t, method, "old"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want fs.ErrNotExist", method, err)
		}
	}
	l.must(t, "DELETE", "old")
}

func TestLockWrittenAMomentAgoIsNotProvenAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLagging(t)
		l := newLocks(&hooked{Store: store, remove: func(ctx context.Context, name string) error {
			if _, err := store.Stat(ctx, name); err != nil {
				return err
			}
			return store.Remove(ctx, name)
		}})
		l.must(t, "POST", "new")
		for _, method := range []string{"HEAD", "GET", "DELETE"} {
			if _, err := l.do(t, method, "new"); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want storage.ErrUnavailable alone", method, err)
			}
		}
		l.want(t, "after a DELETE that failed", "new")
		store.catchUp()
		if got, err := l.do(t, "GET", "new"); err != nil || got != sealed("new") {
			t.Errorf("GET, when the remote has caught up: %q, %v", got, err)
		}
		l.must(t, "DELETE", "new")
		l.want(t, "after a DELETE")
	})
}

// TestLockThatIsBeingDeletedMayBeAbsent asks for a lock that is gone from the storage
// already, while the storage has not yet said so: other clients look at all locks.
func TestLockThatIsBeingDeletedMayBeAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newRepo(t, nil)
		gone, say := make(chan struct{}), make(chan error)
		l := newLocks(&hooked{Store: mem, remove: func(ctx context.Context, name string) error {
			if err := mem.Remove(ctx, name); err != nil {
				return err
			}
			close(gone)
			return <-say
		}})
		for _, answer := range []error{nil, storage.ErrUnavailable} {
			gone = make(chan struct{})
			l.must(t, "POST", "new")
			done := make(chan error, 1)
			go func() {
				_, err := l.do(t, "DELETE", "new")
				done <- err
			}()
			<-gone
			for _, method := range []string{"HEAD", "GET"} {
				if _, err := l.do(t, method, "new"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v, want fs.ErrNotExist", method, err)
				}
			}
			l.want(t, "while it is being deleted")
			say <- answer
			if err := <-done; !errors.Is(err, answer) {
				t.Errorf("DELETE: %v, want %v", err, answer)
			}
			if _, err := l.do(t, "GET", "new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("GET after a DELETE that was answered %v: %v", answer, err)
			}
		}
	})
}

func TestFailuresLeaveLocksToTheRemote(t *testing.T) {
	down := errors.New("connection reset")
	store := &hooked{Store: newLagging(t, "old")}
	l := newLocks(store)

	store.put = func(context.Context, string, int64, io.Reader) error { return down }
	if _, err := l.do(t, "POST", "new"); !errors.Is(err, down) {
		t.Fatal(err)
	}
	l.want(t, "after a POST that failed", "old")

	store.put = nil
	l.must(t, "POST", "new")
	l.must(t, "DELETE", "old")
	store.remove = func(context.Context, string) error { return down }
	for _, lock := range []string{"new", "old"} {
		if _, err := l.do(t, "DELETE", lock); !errors.Is(err, down) {
			t.Fatal(err)
		}
	}
	l.want(t, "after DELETEs that failed", "old")
}
