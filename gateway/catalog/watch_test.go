package catalog_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// limit bounds every wait for something that must happen.
const limit = 2 * time.Minute

// watching is a Watch under test.
type watching struct {
	t      *testing.T
	events chan catalog.Event
	lines  chan string // of the log
}

func watch(t *testing.T, r catalog.Redis, opts catalog.WatchOptions) *watching {
	t.Helper()
	return watchWith(t, opts, func(ctx context.Context, opts catalog.WatchOptions, fn func(catalog.Event)) error {
		return catalog.Watch(ctx, r, opts, fn)
	})
}

type watchFunc func(context.Context, catalog.WatchOptions, func(catalog.Event)) error

func watchWith(t *testing.T, opts catalog.WatchOptions, run watchFunc) *watching {
	t.Helper()
	w := &watching{t: t, events: make(chan catalog.Event, 100), lines: make(chan string, 100)}
	opts.Log = slog.New(slog.NewTextHandler(w, nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, opts, func(e catalog.Event) { w.events <- e }) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Watch returned %v", err)
			}
		case <-time.After(limit):
			t.Error("Watch does not end with its context")
		}
	})
	return w
}

// Write takes one line of the log.
func (w *watching) Write(p []byte) (int, error) {
	w.lines <- string(bytes.TrimSpace(p))
	return len(p), nil
}

func (w *watching) want(event catalog.Event) {
	w.t.Helper()
	select {
	case got := <-w.events:
		if got != event {
			w.t.Errorf("event %v, want %v", got, event)
		}
	case <-time.After(limit):
		w.t.Fatalf("no event %v", event)
	}
}

func (w *watching) wantLine(part string) {
	w.t.Helper()
	select {
	case line := <-w.lines:
		if !strings.Contains(line, part) {
			w.t.Errorf("logged %q, want %q", line, part)
		}
	case <-time.After(limit):
		w.t.Fatalf("%q was not logged", part)
	}
}

// wantQuiet is for the end: nothing is waiting to be read.
func (w *watching) wantQuiet() {
	w.t.Helper()
	if len(w.events) != 0 || len(w.lines) != 0 {
		w.t.Errorf("%d events and %d lines too many", len(w.events), len(w.lines))
	}
}

func TestNodeHearsTheClusterAsUserDefault(t *testing.T) {
	s := cluster(t)
	w := watch(t, as(s, "node/1"), catalog.WatchOptions{})
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
	s.SaveACLs()
	w.want(catalog.EventACLChanged)
	s.Do("PUBLISH", catalog.ChannelScheduleChanged, `{"backup_ids":["1"]}`)
	s.Do("PUBLISH", "module/x1/event/acl-changed", "cluster/acls")
	s.AddLocalDestination(dest1, "/mnt")
	w.want(catalog.EventDestinationChanged)
	w.wantQuiet()
}

func TestEventsUserThatIsRefusedIsReplacedByOurOwn(t *testing.T) {
	for name, who := range map[string]catalog.WatchOptions{
		"who has another password":   {Username: "api-server", Password: "x"},
		"who does not exist":         {Username: "nobody", Password: "x"},
		"who may not subscribe":      {Username: "node/1", Password: redistest.Password("node/1")},
		"who is default, and is off": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster(t)
			s.Do("ACL", "SETUSER", "default", "off")
			w := watch(t, as(s, redistest.AdminUser), who)
			w.want(catalog.EventMaybeMissed)
			w.wantLine("subscribed to Redis events")
			s.SaveACLs()
			w.want(catalog.EventACLChanged)
			w.wantQuiet()
		})
	}
}

func TestNobodyMaySubscribeIsSaidOnce(t *testing.T) {
	s := cluster(t)
	s.Do("ACL", "SETUSER", "default", "-subscribe")
	w := watch(t, as(s, "node/1"), catalog.WatchOptions{})
	w.wantLine("no user may subscribe")
	w.wantQuiet()
}

func TestLostConnectionIsRenewedAndSaidOnce(t *testing.T) {
	s := cluster(t)
	w := watch(t, as(s, "node/1"), catalog.WatchOptions{})
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")

	s.Stop()
	w.wantLine("events lost")
	s.Restart()
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
	s.SaveACLs()
	w.want(catalog.EventACLChanged)
	w.wantQuiet()
}

func TestRedisThatIsAwayAtFirstIsHeardWhenItComes(t *testing.T) {
	s := cluster(t)
	s.Stop()
	w := watch(t, as(s, "node/1"), catalog.WatchOptions{})
	w.wantLine("events lost")
	s.Restart()
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
}

func TestGarbageForEventsIsALostConnection(t *testing.T) {
	for name, reply := range map[string]string{
		"another protocol":       "HTTP/1.1 400 Bad Request\r\n\r\n",
		"messages without parts": strings.Repeat("*0\r\n", 20),
		"messages of numbers":    strings.Repeat("*1\r\n:1\r\n", 20),
		"no kind of message":     strings.Repeat("*1\r\n$1\r\nx\r\n", 20),
		"no confirmation":        "+PONG\r\n+PONG\r\n",
		"half a confirmation":    "*1\r\n$9\r\nsubscribe\r\n",
		"a message cut short":    subscribed()[:60] + "\r\n",
		"nothing":                "",
	} {
		t.Run(name, func(t *testing.T) {
			for _, addr := range []string{serve(t, reply), serveAfterLogin(t, reply)} {
				w := watch(t, catalog.Redis{Address: addr}, catalog.WatchOptions{})
				w.wantLine("events lost")
			}
		})
	}
}

func TestLossIsSaidOnceHoweverManyAttemptsFail(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	w := watch(t, catalog.Redis{Address: l.Addr().String()}, catalog.WatchOptions{})
	for range 3 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	w.wantLine("events lost")
	w.wantQuiet()
}

func TestSilentSubscriptionIsAskedWhetherItLives(t *testing.T) {
	asked := make(chan struct{}, 100)
	addr := serveCommands(t, func(command string) (string, bool) {
		if command != "ping" {
			return subscribed(), true
		}
		asked <- struct{}{}
		reply := "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
		if len(asked) == 3 {
			reply += "*3\r\n$7\r\nmessage\r\n" + bulk(catalog.ChannelACLChanged) + bulk(catalog.ACLs)
		}
		return reply, true
	})
	w := watchWith(t, catalog.WatchOptions{}, func(ctx context.Context, opts catalog.WatchOptions, fn func(catalog.Event)) error {
		return catalog.WatchImpatiently(ctx, catalog.Redis{Address: addr}, 10*time.Millisecond, limit, opts, fn)
	})
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
	w.want(catalog.EventACLChanged) // on the same connection
	w.wantQuiet()
}

func TestSubscriptionThatDoesNotAnswerIsLost(t *testing.T) {
	addr := serveCommands(t, func(command string) (string, bool) {
		if command == "ping" {
			return "", true
		}
		return subscribed(), true
	})
	w := watchWith(t, catalog.WatchOptions{}, func(ctx context.Context, opts catalog.WatchOptions, fn func(catalog.Event)) error {
		return catalog.WatchImpatiently(ctx, catalog.Redis{Address: addr}, 10*time.Millisecond, 10*time.Millisecond, opts, fn)
	})
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
	w.wantLine("events lost")
	w.want(catalog.EventMaybeMissed)
	w.wantLine("subscribed to Redis events")
}

func TestWatchRefusesAConfigurationAtOnce(t *testing.T) {
	err := catalog.Watch(t.Context(), catalog.Redis{Address: "h"}, catalog.WatchOptions{}, nil)
	if err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("error %v", err)
	}
}

func TestWatchEndsWithItsContextWhileRedisHangs(t *testing.T) {
	s := cluster(t)
	s.Pause()
	defer s.Resume()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = catalog.Watch(ctx, as(s, "node/1"), catalog.WatchOptions{}, func(catalog.Event) {}) })
	cancel()
	wg.Wait()
}
