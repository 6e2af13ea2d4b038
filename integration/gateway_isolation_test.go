package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func destinationID(group string, i int) string {
	return fmt.Sprintf("%s-0000-4000-8000-%012d", group, i)
}

// brokenStorage returns endpoints of S3 that fail in six ways. Release lets those
// go that hang.
func brokenStorage(t *testing.T) (endpoints map[string]string, release func()) {
	t.Helper()
	released := make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	answer := func(after time.Duration, code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			timer := time.NewTimer(after)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-released:
			}
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		t.Cleanup(release) // first
		return server.URL
	}
	return map[string]string{
		"hangs":     answer(time.Hour, http.StatusServiceUnavailable, ""),
		"is slow":   answer(time.Second, http.StatusInternalServerError, "<Error><Code>InternalError</Code></Error>"),
		"throttles": answer(0, http.StatusTooManyRequests, "<Error><Code>SlowDown</Code></Error>"),
		"forbids":   answer(0, http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>"),
		"refuses":   "http://" + testenv.FreeAddr(t),
		"babbles":   "http://" + answeringServer(t, strings.Repeat("\x00\xffgarbage\n", 100)), // no HTTP
	}, release
}

// TestBrokenDestinationsCostTheOthersNothing serves six destinations that work
// and six that fail, each in its way, under load at once.
func TestBrokenDestinationsCostTheOthersNothing(t *testing.T) {
	c := newCluster(t)
	var healthy []string
	for i := range 5 {
		healthy = append(healthy, destinationID("aaaaaaaa", i))
		c.AddLocalDestination(healthy[i], t.TempDir())
	}
	healthy = append(healthy, moreDest)
	if err := os.MkdirAll(filepath.Join(addS3Destination(t, c, moreDest), "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	endpoints, release := brokenStorage(t)
	broken := map[string]string{} // IDs by how they fail
	for how, endpoint := range endpoints {
		broken[how] = destinationID("bbbbbbbb", len(broken))
		c.AddDestinations(s3Destination(broken[how], endpoint))
	}
	g := c.serve(t)
	base := func(id string) string { return "/" + id + "/" + mailRepo }

	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var refused sync.Map // how it fails → the number of answers
	for how, id := range broken {
		count := new(atomic.Int32)
		refused.Store(how, count)
		for range 4 {
			load.Go(func() { keepAsking(ctx, t, g, how, base(id), count) })
		}
	}
	var work sync.WaitGroup
	for _, id := range healthy {
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, base(id)+"/?create=true", nil)
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, base(id)+"/config", aConfig)
		for range 2 {
			work.Go(func() { backUp(t, g.module("mail1"), base(id)) })
		}
	}
	work.Wait()
	for _, how := range []string{"is slow", "forbids", "babbles"} {
		waitFor(t, "an answer of a destination that "+how, func() bool {
			count, _ := refused.Load(how)
			return count.(*atomic.Int32).Load() > 0
		})
	}
	stop()
	release()
	load.Wait()
}

// keepAsking sends requests to a broken destination until ctx ends. No answer may
// say that there is something, or that there is nothing.
func keepAsking(ctx context.Context, t *testing.T, g *served, how, base string, count *atomic.Int32) {
	content, name := blob(1000)
	for ctx.Err() == nil {
		for _, r := range []struct {
			method, path string
			body         []byte
		}{
			{http.MethodHead, "/config", nil},
			{http.MethodGet, "/data/", nil},
			{http.MethodGet, "/data/" + name, nil},
			{http.MethodPost, "/data/" + name, content},
		} {
			answer, err := g.module("mail1").do(ctx, r.method, base+r.path, bytes.NewReader(r.body))
			if err != nil {
				continue // the end of ctx, as a rule
			}
			count.Add(1)
			if answer.status != http.StatusServiceUnavailable && answer.status != http.StatusBadGateway {
				t.Errorf("a destination that %s: %s %s = %d, want 502 or 503", how, r.method, r.path, answer.status)
			}
		}
	}
}

// backUp does what a backup does, many times; each request must succeed.
func backUp(t *testing.T, module caller, base string) {
	for range 30 {
		content, name := blob(64 << 10)
		for _, r := range []struct {
			method, path string
			body         []byte
		}{
			{http.MethodPost, "/data/" + name, content},
			{http.MethodHead, "/data/" + name, nil},
			{http.MethodGet, "/data/" + name, nil},
			{http.MethodPost, "/locks/" + name, content},
			{http.MethodGet, "/locks/", nil},
			{http.MethodDelete, "/locks/" + name, nil},
		} {
			answer, err := module.do(t.Context(), r.method, base+r.path, bytes.NewReader(r.body))
			if err != nil || answer.status != http.StatusOK {
				t.Errorf("%s %s%s: %v, %v", r.method, base, r.path, answer, err)
				return
			}
		}
	}
}

// TestStorageThatIsLostNeverLooksEmpty takes away what a bucket needs, one thing
// after the other, from a repository that has packs.
func TestStorageThatIsLostNeverLooksEmpty(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, storage http.Handler) (lost http.Handler){
		"the bucket vanishes":    func(t *testing.T, _ http.Handler) http.Handler { t.Helper(); return serveS3(t) },
		"the permission is lost": func(*testing.T, http.Handler) http.Handler { return http.HandlerFunc(denyAccess) },
		"answers are cut short":  func(_ *testing.T, storage http.Handler) http.Handler { return cutShort(storage) },
		"lists end in the middle, and objects lose their length": func(_ *testing.T, storage http.Handler) http.Handler {
			return halved(storage)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var storage atomic.Pointer[http.Handler]
			become := func(h http.Handler) { storage.Store(&h) }
			whole := serveS3(t, "backups")
			become(whole)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				(*storage.Load()).ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			c.AddDestinations(s3Destination(moreDest, front.URL))
			g := c.serve(t)
			base := "/" + moreDest + "/" + mailRepo
			content, pack := blob(10_000)
			g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
			g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/config", content)
			g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/data/"+pack, content)

			become(lose(t, whole))
			wantNothingProven(t, g, base, "/data/", "/snapshots/", "/locks/", "/data/"+pack, "/config", "/keys/"+pack)
		})
	}
}

// wantNothingProven asks for all these paths at once. No answer may say that
// there is something, or that there is nothing.
func wantNothingProven(t *testing.T, g *served, base string, paths ...string) {
	t.Helper()
	var asked sync.WaitGroup
	for _, path := range paths {
		asked.Go(func() {
			answer, err := g.module("mail1").do(t.Context(), http.MethodGet, base+path, nil)
			if err == nil && answer.status != http.StatusServiceUnavailable && answer.status != http.StatusBadGateway {
				t.Errorf("GET %s = %d %.60q, want 502, 503 or an answer that breaks off", path, answer.status, answer.body)
			}
		})
	}
	asked.Wait()
}

// denyAccess is S3 to those whom it refuses.
func denyAccess(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
}

// cutShort breaks the connection off in the middle of each answer.
func cutShort(storage http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		storage.ServeHTTP(whole, r)
		body := whole.Body.Bytes()
		w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(whole.Code)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	})
}

// halved answers with the first half alone, which passes for all of it.
func halved(storage http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		storage.ServeHTTP(whole, r)
		w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
		w.WriteHeader(whole.Code)
		_ = http.NewResponseController(w).Flush() // no Content-Length from here on
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	})
}

// TestThrottlingIsAbsorbed puts a destination at a provider that refuses each
// request a few times before it answers.
func TestThrottlingIsAbsorbed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	storage := serveS3(t, "backups")
	var throttling atomic.Bool
	var asked sync.Map // how often, by request
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count, _ := asked.LoadOrStore(fmt.Sprint(throttling.Load(), r.Method, r.URL), new(atomic.Int32))
		if n := count.(*atomic.Int32).Add(1); throttling.Load() && n <= 3 {
			code := http.StatusTooManyRequests
			if n%2 == 0 {
				code = http.StatusServiceUnavailable
			}
			_, _ = io.Copy(io.Discard, r.Body)
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", code)
			return
		}
		storage.ServeHTTP(w, r)
	}))
	t.Cleanup(provider.Close)
	c.AddDestinations(s3Destination(moreDest, provider.URL))
	g := c.serve(t)
	base := "/" + moreDest + "/" + mailRepo
	lock, name := blob(200)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/config", lock)
	throttling.Store(true)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/locks/"+name, lock)
	g.module("mail1").want(t, http.StatusOK, http.MethodGet, base+"/locks/", nil)
}

// TestLimitsHoldAtOnceAndForOpenDestinations sets a quota as an administrator does.
func TestLimitsHoldAtOnceAndForOpenDestinations(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	base := "/" + localDest + "/" + mailRepo
	put := func(status, size int) {
		t.Helper()
		content, name := blob(size)
		g.module("mail1").want(t, status, http.MethodPost, base+"/data/"+name, content)
	}
	set := func(value string) {
		t.Helper()
		c.Do("HSET", catalog.LimitsKey(localDest), catalog.FieldModuleQuota, value)
		c.Do("PUBLISH", catalog.ChannelDestinationChanged, `{"destination_ids":["`+localDest+`"]}`)
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put(http.StatusOK, 8000)
	set("10000")
	put(http.StatusInsufficientStorage, 4000)
	put(http.StatusOK, 1000)
	lock, lockName := blob(4000)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/locks/"+lockName, lock)
	g.module("mail1").want(t, http.StatusOK, http.MethodDelete, base+"/locks/"+lockName, nil)
	set("0")
	put(http.StatusOK, 4000)
	if strings.Contains(strings.Join(g.log.all(), "\n"), "left out an entry") {
		t.Error("the limits were not understood")
	}
}
