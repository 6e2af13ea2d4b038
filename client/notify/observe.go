package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
)

// Prefixes of the keys of conditions.
const (
	ofModule      = "module/"
	ofDestination = "destination/"
	ofNote        = "note/"
	ofRedis       = "redis"
	ofGateway     = "gateway"
)

// patience is the grace period for trouble that may end by itself.
const patience = 5 * time.Minute

// condition is something that is either in order or in trouble.
type condition struct {
	key, title       string
	module, schedule string
	// trouble is the problem in a word or two, "" for none; why describes it.
	trouble, why string
	since        time.Time
	note         string
	// grace is how long trouble must last before it is reported.
	grace time.Duration
	// mild marks trouble that has not made anything fail yet.
	mild bool
}

// observation is the present state.
type observation struct {
	now        time.Time
	conditions []condition
	// known are the key prefixes for which conditions is complete: a key with such a prefix
	// that is missing there is gone.
	known        []string
	overview     runs.Overview
	destinations []gatewayadmin.Destination
	noSpace      string // why the state of destinations is unknown
	redis        error
}

// observe collects conditions from Redis, the gateway and the notes of this node.
func observe(ctx context.Context, sys *host.System, stateDir string, now time.Time) *observation {
	o := &observation{now: now}
	o.redis = o.observeModules(ctx, sys)
	if o.redis != nil {
		o.add(condition{key: ofRedis, title: "Redis", trouble: "away", why: firstLine(o.redis.Error()), grace: patience})
	} else {
		o.add(condition{key: ofRedis, title: "Redis"})
	}
	o.observeDestinations(ctx, sys)
	o.observeNotes(stateDir)
	return o
}

func (o *observation) add(c condition) { o.conditions = append(o.conditions, c) }

func (o *observation) observeModules(ctx context.Context, sys *host.System) error {
	rdb, err := connect(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	if o.overview, err = runs.Survey(ctx, rdb, "", o.now); err != nil {
		return err
	}
	o.known = append(o.known, ofModule)
	for i := range o.overview.Modules {
		o.add(ofLine(&o.overview.Modules[i], o.now))
	}
	return nil
}

// connect opens Redis as the node.
func connect(ctx context.Context, sys *host.System) (*redis.Client, error) {
	if _, err := sys.Env.NodeCredentials(); err != nil {
		return nil, err
	}
	return sys.Redis(ctx, host.LocalAgent)
}

// ofLine returns the condition of a module by a schedule.
func ofLine(l *runs.Line, now time.Time) condition {
	c := condition{
		key: ofModule + l.Schedule + "/" + l.Module, title: l.Module + " (" + l.Name + ")",
		module: l.Module, schedule: l.Name, trouble: l.Trouble, why: l.Why, since: l.Since,
	}
	c.note = "no good backup yet"
	if !l.Success.IsZero() {
		c.note = "last good backup " + message.When(l.Success)
	}
	if l.Trouble == runs.Never {
		// A new module is backed up by the next run.
		c.grace = max(0, l.Next.Sub(now)) + time.Hour
	}
	return c
}

func (o *observation) observeDestinations(ctx context.Context, sys *host.System) {
	var err error
	o.destinations, err = gatewayadmin.Destinations(ctx, sys)
	if err != nil {
		o.noSpace = firstLine(err.Error())
		if _, away := errors.AsType[gatewayadmin.Away](err); away {
			o.add(condition{key: ofGateway, title: "The gateway", trouble: "away", why: o.noSpace, grace: patience})
		}
		return
	}
	o.add(condition{key: ofGateway, title: "The gateway"})
	o.known = append(o.known, ofDestination)
	for i := range o.destinations {
		o.add(ofPlace(&o.destinations[i]))
	}
}

// ofPlace returns the condition of a destination.
func ofPlace(d *gatewayadmin.Destination) condition {
	c := condition{key: ofDestination + d.ID, title: "Destination " + d.Name, grace: patience}
	switch {
	case d.State == "fails":
		c.trouble, c.why = "fails", "the last request there did not work"
	case d.State == "unreached":
		c.trouble, c.why = "not reached", "it is not reached from this node"
	case d.State == "broken":
		c.trouble, c.why = "cannot be used", "it cannot be used: "+d.Reason
	case d.State == "peer" && d.Level == "bad":
		c.trouble, c.why = "node away", "it is on the disk of node "+d.Node+", which does not answer"
	case d.Level == "warning" && d.Space != nil && d.Space.Full != "":
		c.mild = true
		c.trouble, c.why = "fills up", "it will be full on "+d.Space.Full+", if it goes on like this"
	}
	return c
}

func (o *observation) observeNotes(stateDir string) {
	notes, err := outbox.Notes(stateDir)
	if err != nil {
		return
	}
	o.known = append(o.known, ofNote)
	for _, about := range slices.Sorted(maps.Keys(notes)) {
		o.add(condition{key: ofNote + about, title: "This node", trouble: about, why: notes[about].Text, since: notes[about].Since})
	}
}

// gone reports whether the subject of a key no longer exists.
func (o *observation) gone(key string) bool {
	return slices.ContainsFunc(o.known, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) &&
		!slices.ContainsFunc(o.conditions, func(c condition) bool { return c.key == key })
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return host.Printable(line)
}
