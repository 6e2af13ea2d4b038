package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/session"
)

// Options are the dependencies of the pages and the API.
type Options struct {
	State *live.State
	Gate  *access.Gate
	Peers *peer.Peers
	// Newest returns the latest known receipt of a snapshot of a repository.
	Newest func(destination, repo string) time.Time

	Redis catalog.Redis
	// Node is the ID of this node, empty if unknown.
	Node string
	// StateDir stores the session key, and the trends of space.
	StateDir string
	// Actor performs actions; nil disables them.
	Actor Actor
	// Snapshots, if set, is the socket of "gatewayctl snapshot serve".
	Snapshots string
	// Audit, if set, is shown, and records logins.
	Audit *audit.Log
	Log   *slog.Logger
}

// Dashboard serves the pages and the API. Make one with New.
type Dashboard struct {
	opts     Options
	started  time.Time
	rdb      redis.UniversalClient // for reading, possibly a replica
	writer   redis.UniversalClient
	reader   *status.Reader
	trends   *status.Trends
	failures *status.Failures
	sessions *session.Keeper
	attempts session.Attempts
	foreign  *http.CrossOriginProtection
	browser  *browser // nil: files of snapshots are not shown
}

// New returns a Dashboard. It makes no connection yet.
func New(opts Options) (*Dashboard, error) {
	d := &Dashboard{opts: opts, started: time.Now(), failures: &status.Failures{}, foreign: http.NewCrossOriginProtection(), browser: newBrowser(opts.Snapshots)}
	var err error
	if d.sessions, err = session.Open(opts.StateDir); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if d.trends, err = status.OpenTrends(opts.StateDir); err != nil {
		opts.Log.Warn("what was known of the space of destinations is lost", "err", err, "hint", "nothing needs to be done: it is watched again")
	}
	reader, err := opts.Redis.OpenReader()
	if err != nil {
		return nil, err
	}
	writer, err := opts.Redis.Open()
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	d.rdb, d.writer, d.reader = reader, writer, status.NewReader(reader)
	return d, nil
}

// Close closes what New opened.
func (d *Dashboard) Close() error { return errors.Join(d.rdb.Close(), d.writer.Close()) }

// Run does periodic work until ctx ends.
func (d *Dashboard) Run(ctx context.Context) {
	beat := status.Beat{
		Node: d.opts.Node, Started: d.started, Ready: d.opts.State.Ready,
		Loaded: func() time.Time {
			if v := d.opts.State.Latest(); v != nil {
				return v.Loaded
			}
			return time.Time{}
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		beat.Run(ctx, d.writer, func(err error) {
			d.opts.Log.Debug("other gateways do not see that this one lives", "err", err, "hint", refusal.HintRedis)
		})
	}()
	d.trends.Run(ctx, d.opts.State.Latest, func(err error) {
		d.opts.Log.Warn("how full destinations are is not kept", "err", err, "hint", "check the disk of --state-dir")
	})
	<-done
}

// shownEvents bounds the events of the audit log that are shown.
const shownEvents = 200

// facts collects the present facts; with events, those of the audit log too.
func (d *Dashboard) facts(ctx context.Context, events bool) *status.Facts {
	now := time.Now()
	v := d.opts.State.Latest()
	src := status.Sources{
		Time: now, View: v, Ready: d.opts.State.Ready(), MaxAge: d.opts.State.MaxStale(),
		Node: d.opts.Node, Started: d.started, Book: d.reader.Read(ctx, v, now),
		Peers: d.opts.Peers.Status(), Newest: d.opts.Newest, Trends: d.trends, Events: []status.Event{}, Failures: d.failures.List(),
	}
	if events && d.opts.Audit != nil {
		lines, err := audit.Tail(d.opts.Audit.Path(), shownEvents)
		if err != nil {
			d.opts.Log.Warn("the audit log cannot be shown", "err", err, "hint", "check the disk of --audit-log")
		}
		for _, e := range lines {
			src.Events = append(src.Events, status.Event(e))
		}
	}
	return status.New(src)
}

// ask adds the sources that are not part of the facts to a question.
func (d *Dashboard) ask(ctx context.Context, ask status.Ask) status.Ask {
	if v := d.opts.State.Latest(); v != nil {
		ask.History = func(q status.Query) ([]status.Run, error) { return d.reader.History(ctx, v, q) }
	}
	return ask
}

// NoteFailure records failed logins and refusals, for the page.
func (d *Dashboard) NoteFailure(r *http.Request, user string, err error) {
	reason := refusal.AuthReason(err)
	if reason == "" || errors.Is(err, refusal.ErrNoCredentials) {
		return
	}
	if user == "" {
		user, _, _ = r.BasicAuth()
	}
	d.failures.Add(user, access.HostOf(r.RemoteAddr), reason, time.Now())
}
