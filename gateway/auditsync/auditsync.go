// Package auditsync keeps the audit log and Redis in step: what administrators' commands
// have changed is written into the log, and the log's head into Redis.
//
// It sees no request and serves nothing.
package auditsync

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/changes"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

const (
	// interval lies between writes of the head to Redis.
	interval = time.Minute
	// timeout bounds what is asked of Redis for it.
	timeout = 10 * time.Second
)

// Options is everything that a Keeper is made of.
type Options struct {
	// Audit is the log; where it is nil the Keeper does nothing.
	Audit *audit.Log
	// State is the file in which it is kept what is written there already.
	State  string
	Redis  catalog.Redis
	NodeID string
	Log    *slog.Logger
}

// Keeper writes into the audit log what Redis says of changes, and the head of the
// log into Redis.
type Keeper struct {
	opts Options
	wake chan struct{}
	last string // the last change that is written
	head audit.Head
}

// New makes a Keeper; it does nothing before Run.
func New(opts Options) *Keeper {
	k := &Keeper{opts: opts, wake: make(chan struct{}, 1)}
	if opts.Audit != nil && opts.State != "" {
		if content, err := os.ReadFile(opts.State); err == nil {
			k.last = strings.TrimSpace(string(content))
		}
	}
	return k
}

// Loaded learns that Redis was read: something may have changed.
func (k *Keeper) Loaded() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and writes the head once more then.
func (k *Keeper) Run(ctx context.Context) {
	if k.opts.Audit == nil {
		return
	}
	reader, errReader := k.opts.Redis.OpenReader()
	writer, errWriter := k.opts.Redis.Open()
	if err := errors.Join(errReader, errWriter); err != nil {
		k.opts.Log.Error("the audit log cannot use Redis", "err", err, "hint", refusal.HintRedis)
		return
	}
	defer reader.Close()
	defer writer.Close()
	k.opts.Audit.Write(audit.Event{What: "start", Who: "rclone-gateway", Result: "ok"})
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-k.wake:
			k.writeChanges(ctx, reader)
		case <-ticker.C:
			k.writeChanges(ctx, reader)
			k.publish(ctx, writer)
		case <-ctx.Done():
		}
	}
	k.opts.Audit.Write(audit.Event{What: "stop", Who: "rclone-gateway", Result: "ok"})
	k.publish(context.WithoutCancel(ctx), writer)
}

// writeChanges writes down what administrators' commands have changed since.
func (k *Keeper) writeChanges(ctx context.Context, rdb redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := changes.After(ctx, rdb, k.last)
	if err != nil {
		if ctx.Err() == nil {
			k.opts.Log.Warn("the audit log misses changes until Redis can be read", "err", err, "hint", refusal.HintRedis)
		}
		return
	}
	for _, c := range found {
		k.opts.Audit.Write(audit.Event{What: "change", Who: c.Who, From: c.From, Object: c.What, Request: c.ID, Result: "ok", Detail: "done " + c.Time.UTC().Format(time.RFC3339)})
		k.last = c.ID
	}
	if len(found) == 0 || k.opts.State == "" {
		return
	}
	if err := atomicfile.Write(k.opts.State, []byte(k.last+"\n"), 0o600); err != nil {
		k.opts.Log.Warn("changes may be written into the audit log twice", "err", err, "hint", "check the disk of --audit-log")
	}
}

// publish writes the head into Redis, where it has changed.
func (k *Keeper) publish(ctx context.Context, rdb redis.UniversalClient) {
	head, err := k.opts.Audit.Head()
	if err != nil {
		k.opts.Log.Error("the audit log cannot be synced", "err", err, "hint", "check the disk of --audit-log")
		return
	}
	if head == k.head || k.opts.NodeID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = rdb.HSet(ctx, catalog.AuditHeadKey(k.opts.NodeID), "head", head.String(), "time", time.Now().UTC().Format(time.RFC3339)).Err()
	if err != nil {
		k.opts.Log.Warn("the head of the audit log is not in Redis", "err", err, "hint", "the node's user must be able to write node/"+k.opts.NodeID+"/*, on the main server")
		return
	}
	k.head = head
}
