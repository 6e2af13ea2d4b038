package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/session"
)

// desk is what the pages and the API are served from.
type desk struct {
	started  time.Time
	rdb      redis.UniversalClient // reads, perhaps from a replica
	writer   redis.UniversalClient
	reader   *status.Reader
	trends   *status.Trends
	failures *status.Failures
	sessions *session.Keeper
	attempts session.Attempts
	foreign  *http.CrossOriginProtection
}

// newDesk makes a desk; it makes no connection yet.
func newDesk(opts *Options) (*desk, error) {
	d := &desk{started: time.Now(), failures: &status.Failures{}, foreign: http.NewCrossOriginProtection()}
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

func (d *desk) close(context.Context) error { return errors.Join(d.rdb.Close(), d.writer.Close()) }

// runDesk does what the pages need done while nobody looks, until ctx ends.
func (g *Gateway) runDesk(ctx context.Context) {
	beat := status.Beat{
		Node: g.opts.Load.NodeID, Started: g.desk.started, Ready: g.state.Ready,
		Loaded: func() time.Time {
			if v := g.state.Latest(); v != nil {
				return v.Loaded
			}
			return time.Time{}
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		beat.Run(ctx, g.desk.writer, func(err error) {
			g.log.Debug("other gateways do not see that this one lives", "err", err, "hint", refusal.HintRedis)
		})
	}()
	g.desk.trends.Run(ctx, g.state.Latest, func(err error) {
		g.log.Warn("how full destinations are is not kept", "err", err, "hint", "check the disk of --state-dir")
	})
	<-done
}

// shownEvents is how much of the audit log is shown.
const shownEvents = 200

// facts puts together what is known now; events are read where they are wanted.
func (g *Gateway) facts(ctx context.Context, events bool) *status.Facts {
	now := time.Now()
	v := g.state.Latest()
	src := status.Sources{
		Time: now, View: v, Ready: g.state.Ready(), MaxAge: g.state.MaxStale(),
		Node: g.opts.Load.NodeID, Started: g.desk.started, Book: g.desk.reader.Read(ctx, v, now),
		Peers: g.peers.Status(), Newest: g.coverage.Newest, Trends: g.desk.trends, Events: []status.Event{}, Failures: g.desk.failures.List(),
	}
	if events && g.opts.Audit != nil {
		lines, err := audit.Tail(g.opts.Audit.Path(), shownEvents)
		if err != nil {
			g.log.Warn("the audit log cannot be shown", "err", err, "hint", "check the disk of --audit-log")
		}
		for _, e := range lines {
			src.Events = append(src.Events, status.Event(e))
		}
	}
	return status.New(src)
}

// ask completes a question with the way to what the facts do not hold.
func (g *Gateway) ask(ctx context.Context, ask status.Ask) status.Ask {
	if v := g.state.Latest(); v != nil {
		ask.History = func(q status.Query) ([]status.Run, error) { return g.desk.reader.History(ctx, v, q) }
	}
	return ask
}

// noteFailure remembers a login that failed, and what was refused of a user.
func (d *desk) noteFailure(r *http.Request, user string, err error) {
	reason := refusal.AuthReason(err)
	if reason == "" || errors.Is(err, refusal.ErrNoCredentials) {
		return
	}
	if user == "" {
		user, _, _ = r.BasicAuth()
	}
	d.failures.Add(user, hostOf(r.RemoteAddr), reason, time.Now())
}

// hostOf is the address of a caller without the port.
func hostOf(remoteAddr string) string {
	if host, _, err := net.SplitHostPort(remoteAddr); err == nil {
		return host
	}
	return "a unix socket of this host"
}
