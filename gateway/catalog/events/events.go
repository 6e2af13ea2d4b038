// Package events receives events from Redis that the catalog may have changed. It does not
// read the changes: the listener loads again.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// Event is a reason why the catalog may have changed.
type Event uint8

// The events.
const (
	// MaybeMissed comes after every new subscription, including the first: earlier events
	// may have been missed.
	MaybeMissed Event = iota + 1
	ACLChanged
	DestinationChanged
	FrozenChanged
	ScheduleChanged
)

// String returns the event's name for logs.
func (e Event) String() string {
	switch e {
	case MaybeMissed:
		return "events maybe missed"
	case ACLChanged:
		return "users changed"
	case DestinationChanged:
		return "destination changed"
	case FrozenChanged:
		return "a repository was frozen or thawed"
	case ScheduleChanged:
		return "schedule changed"
	}
	return "unknown event"
}

// Options select the user that subscribes.
type Options struct {
	// Username and Password belong to the user that subscribes. On NethServer 8 a node's
	// user may not subscribe while "default" may, with any password; an empty Username
	// stands for that one. If it is refused, the user of the catalog's connection is tried.
	Username, Password string
	// Log receives changes between subscribed and not subscribed; nil means slog.Default.
	Log *slog.Logger
}

// Pauses before a new attempt to subscribe.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 15 * time.Second
	refusedPause = time.Minute // permissions rarely change
)

// confirmTimeout bounds the confirmation of a subscription, and each answer.
const confirmTimeout = 5 * time.Second

// liveness is how long a subscription may be silent before it is pinged, and how long the
// answer may take.
type liveness struct{ idle, answer time.Duration }

var watchLiveness = liveness{idle: 30 * time.Second, answer: confirmTimeout}

// Watch calls fn, in one goroutine, for each event until the context ends. It connects to
// the same server as a reader: at a replica, events arrive after the data they are about.
// After a lost connection it reconnects with growing pauses. If no user may subscribe, it
// says so once and retries every minute; the caller polls anyway. An error is about the
// configuration and is returned at once.
func Watch(ctx context.Context, r catalog.Redis, opts Options, fn func(Event)) error {
	return watch(ctx, r, opts, watchLiveness, fn)
}

func watch(ctx context.Context, r catalog.Redis, opts Options, live liveness, fn func(Event)) error {
	if opts.Username == "" {
		opts.Username, opts.Password = "default", "default"
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	listener, err := r.WithUser(opts.Username, opts.Password).OpenReader()
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	own, err := r.OpenReader()
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()

	w := &watcher{clients: []redis.UniversalClient{listener, own}, log: opts.Log, live: live, fn: fn}
	w.run(ctx)
	return nil
}

type watcher struct {
	clients []redis.UniversalClient // in the order of attempts
	log     *slog.Logger
	live    liveness
	fn      func(Event)
	state   watchState
}

type watchState uint8

const (
	stateHearing watchState = iota + 1
	stateLost
	stateRefused
)

func (w *watcher) run(ctx context.Context) {
	pause := firstPause
	for {
		heard, err := w.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			pause = firstPause
		}
		wait := pause/2 + rand.N(pause)
		if redisconn.Refused(err) {
			wait = refusedPause
			if w.enter(stateRefused) {
				w.log.WarnContext(ctx, "no user may subscribe to Redis events; changes are found by polling", "err", err,
					"hint", "name a user that may subscribe by --redis-events-user")
			}
		} else if w.enter(stateLost) {
			w.log.WarnContext(ctx, "subscription to Redis events lost; polling for changes until it is back", "err", err,
				"hint", "it connects again by itself: check that Redis runs if it does not")
		}
		pause = min(2*pause, longestPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// enter reports whether the state changed, which is worth a log line.
func (w *watcher) enter(state watchState) bool {
	changed := w.state != state
	w.state = state
	return changed
}

// hear subscribes with the first user that may, and reports events until the connection
// fails. heard reports whether there was a subscription.
func (w *watcher) hear(ctx context.Context) (heard bool, err error) {
	for _, client := range w.clients {
		if heard, err = w.hearAs(ctx, client); !redisconn.Refused(err) || heard {
			break
		}
	}
	return heard, err
}

func (w *watcher) hearAs(ctx context.Context, client redis.UniversalClient) (heard bool, err error) {
	// The client library panics on some messages that Redis would not send.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the server's message is not Redis's: %v", p)
		}
	}()
	sub := client.Subscribe(ctx)
	defer func() { _ = sub.Close() }()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // ends a pending read

	if err := sub.Subscribe(ctx, catalog.ChannelACLChanged, catalog.ChannelDestinationChanged); err != nil {
		return false, err
	}
	for range 2 { // one confirmation for each channel
		if err := confirm(sub.ReceiveTimeout(ctx, confirmTimeout)); err != nil {
			return false, err
		}
	}
	if w.enter(stateHearing) {
		w.log.InfoContext(ctx, "subscribed to Redis events")
	}
	// Users created by an earlier version lack this permission; polling finds these
	// changes.
	if err := errors.Join(sub.Subscribe(ctx, catalog.ChannelScheduleChanged), sub.PSubscribe(ctx, catalog.ChannelFrozen("*"))); err != nil {
		return true, err
	}
	w.fn(MaybeMissed)
	return true, w.listen(ctx, sub)
}

func confirm(message any, err error) error {
	if err != nil {
		return err
	}
	if _, ok := message.(*redis.Subscription); !ok {
		return fmt.Errorf("a subscription was answered by %T", message)
	}
	return nil
}

// listen reports events until the connection fails.
func (w *watcher) listen(ctx context.Context, sub *redis.PubSub) error {
	asked := false
	for {
		patience := w.live.idle
		if asked {
			patience = w.live.answer
		}
		message, err := sub.ReceiveTimeout(ctx, patience)
		if isTimeout(err) && !asked {
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			asked = true
			continue
		}
		if redisconn.Refused(err) {
			continue // channels that such users may not subscribe to
		}
		if err != nil {
			return err
		}
		asked = false
		if m, ok := message.(*redis.Message); ok {
			w.report(m.Channel, m.Pattern)
		}
	}
}

func (w *watcher) report(channel, pattern string) {
	switch {
	case channel == catalog.ChannelACLChanged:
		w.fn(ACLChanged)
	case channel == catalog.ChannelDestinationChanged:
		w.fn(DestinationChanged)
	case channel == catalog.ChannelScheduleChanged:
		w.fn(ScheduleChanged)
	case pattern == catalog.ChannelFrozen("*"):
		w.fn(FrozenChanged)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}
