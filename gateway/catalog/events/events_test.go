package events

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

const dest1 = "b6f0639c-4276-5b7b-8752-eda8eda282db"

func cluster(t *testing.T) *redistest.Server {
	t.Helper()
	s := redistest.Start(t)
	s.SetupNS8()
	return s
}

// as is a connection as the user.
func as(s *redistest.Server, user string) catalog.Redis {
	return catalog.Redis{Address: s.Addr, Username: user, Password: redistest.Password(user)}
}

// limit bounds every wait for something that must happen.
const limit = 2 * time.Minute

// watching is a Watch under test.
type watching struct {
	t      *testing.T
	events chan Event
	lines  chan string // of the log
}

func listen(t *testing.T, r catalog.Redis, opts Options) *watching {
	t.Helper()
	return listenWith(t, opts, func(ctx context.Context, opts Options, fn func(Event)) error {
		return Watch(ctx, r, opts, fn)
	})
}

type watchFunc func(context.Context, Options, func(Event)) error

func listenWith(t *testing.T, opts Options, run watchFunc) *watching {
	t.Helper()
	w := &watching{t: t, events: make(chan Event, 100), lines: make(chan string, 100)}
	opts.Log = slog.New(slog.NewTextHandler(w, nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, opts, func(e Event) { w.events <- e }) }()
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

func (w *watching) want(event Event) {
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
	w := listen(t, as(s, "node/1"), Options{})
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
	s.SaveACLs()
	w.want(ACLChanged)
	s.Do("PUBLISH", catalog.ChannelScheduleChanged, `{"backup_ids":["1"]}`)
	w.want(ScheduleChanged)
	s.Do("PUBLISH", "module/x1/event/acl-changed", "cluster/acls")
	s.AddLocalDestination(dest1, "/mnt")
	w.want(DestinationChanged)
	w.wantQuiet()
}

func TestUserOfAnEarlierVersionHearsWhatItMay(t *testing.T) {
	s := cluster(t)
	s.Do("ACL", "SETUSER", "early", "on", ">secret", "+subscribe", "+psubscribe", "+ping", "+hello", "+client",
		"resetchannels", "&"+catalog.ChannelACLChanged, "&"+catalog.ChannelDestinationChanged)
	w := listen(t, as(s, "node/1"), Options{Username: "early", Password: "secret"})
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
	s.Do("PUBLISH", catalog.ChannelScheduleChanged, `{"backup_ids":["1"]}`)
	s.SaveACLs()
	w.want(ACLChanged)
	w.wantQuiet()
}

func TestEventsUserThatIsRefusedIsReplacedByOurOwn(t *testing.T) {
	for name, who := range map[string]Options{
		"who has another password":   {Username: "api-server", Password: "x"},
		"who does not exist":         {Username: "nobody", Password: "x"},
		"who may not subscribe":      {Username: "node/1", Password: redistest.Password("node/1")},
		"who is default, and is off": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster(t)
			s.Do("ACL", "SETUSER", "default", "off")
			w := listen(t, as(s, redistest.AdminUser), who)
			w.want(MaybeMissed)
			w.wantLine("subscribed to Redis events")
			s.SaveACLs()
			w.want(ACLChanged)
			w.wantQuiet()
		})
	}
}

func TestNobodyMaySubscribeIsSaidOnce(t *testing.T) {
	s := cluster(t)
	s.Do("ACL", "SETUSER", "default", "-subscribe")
	w := listen(t, as(s, "node/1"), Options{})
	w.wantLine("no user may subscribe")
	w.wantQuiet()
}

func TestLostConnectionIsRenewedAndSaidOnce(t *testing.T) {
	s := cluster(t)
	w := listen(t, as(s, "node/1"), Options{})
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")

	s.Stop()
	w.wantLine("events lost")
	s.Restart()
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
	s.SaveACLs()
	w.want(ACLChanged)
	w.wantQuiet()
}

func TestRedisThatIsAwayAtFirstIsHeardWhenItComes(t *testing.T) {
	s := cluster(t)
	s.Stop()
	w := listen(t, as(s, "node/1"), Options{})
	w.wantLine("events lost")
	s.Restart()
	w.want(MaybeMissed)
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
			for _, addr := range []string{redistest.Reply(t, reply), redistest.ReplyAfterLogin(t, reply)} {
				w := listen(t, catalog.Redis{Address: addr}, Options{})
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
	w := listen(t, catalog.Redis{Address: l.Addr().String()}, Options{})
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
	addr := redistest.Converse(t, func(command string) (string, bool) {
		if command != "ping" {
			return subscribed(), true
		}
		asked <- struct{}{}
		reply := "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
		if len(asked) == 3 {
			reply += "*3\r\n$7\r\nmessage\r\n" + redistest.Bulk(catalog.ChannelACLChanged) + redistest.Bulk(catalog.ACLs)
		}
		return reply, true
	})
	w := listenWith(t, Options{}, func(ctx context.Context, opts Options, fn func(Event)) error {
		return watch(ctx, catalog.Redis{Address: addr}, opts, liveness{10 * time.Millisecond, limit}, fn)
	})
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
	w.want(ACLChanged) // on the same connection
	w.wantQuiet()
}

func TestSubscriptionThatDoesNotAnswerIsLost(t *testing.T) {
	addr := redistest.Converse(t, func(command string) (string, bool) {
		if command == "ping" {
			return "", true
		}
		return subscribed(), true
	})
	w := listenWith(t, Options{}, func(ctx context.Context, opts Options, fn func(Event)) error {
		return watch(ctx, catalog.Redis{Address: addr}, opts, liveness{10 * time.Millisecond, 10 * time.Millisecond}, fn)
	})
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
	w.wantLine("events lost")
	w.want(MaybeMissed)
	w.wantLine("subscribed to Redis events")
}

func TestWatchRefusesAConfigurationAtOnce(t *testing.T) {
	err := Watch(t.Context(), catalog.Redis{Address: "h"}, Options{}, nil)
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
	wg.Go(func() { _ = Watch(ctx, as(s, "node/1"), Options{}, func(Event) {}) })
	cancel()
	wg.Wait()
}

// subscribed confirms SUBSCRIBE of the two channels.
func subscribed() string {
	var b strings.Builder
	for i, channel := range []string{catalog.ChannelACLChanged, catalog.ChannelDestinationChanged} {
		fmt.Fprintf(&b, "*3\r\n$9\r\nsubscribe\r\n%s:%d\r\n", redistest.Bulk(channel), i+1)
	}
	return b.String()
}

func TestEventsHaveNames(t *testing.T) {
	for event, want := range map[Event]string{
		MaybeMissed: "events maybe missed", ACLChanged: "users changed",
		DestinationChanged: "destination changed", 0: "unknown event",
	} {
		if got := event.String(); got != want {
			t.Errorf("event %d is %q", event, got)
		}
	}
}
