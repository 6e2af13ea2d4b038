// Package auditsync synchronizes the audit log with Redis: it copies changes by
// administrators' commands from Redis to the log, and publishes the log's head in Redis.
//
// It handles no requests.
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
	// interval is the time between updates of the head in Redis.
	interval = time.Minute
	// timeout bounds each exchange with Redis.
	timeout = 10 * time.Second
)

// Options configure a Keeper.
type Options struct {
	// Audit is the log; with nil the Keeper does nothing.
	Audit *audit.Log
	// State is a file that records which changes have been copied.
	State  string
	Redis  catalog.Redis
	NodeID string
	Log    *slog.Logger
}

// Keeper copies changes from Redis to the audit log, and publishes the log's head in Redis.
type Keeper struct {
	opts Options
	wake chan struct{}
	last string // ID of the last change that was copied
	head audit.Head
}

// New returns a Keeper. It does nothing before Run.
func New(opts Options) *Keeper {
	k := &Keeper{opts: opts, wake: make(chan struct{}, 1)}
	if opts.Audit != nil && opts.State != "" {
		if content, err := os.ReadFile(opts.State); err == nil {
			k.last = strings.TrimSpace(string(content))
		}
	}
	return k
}

// Loaded tells the Keeper that Redis was loaded: there may be changes.
func (k *Keeper) Loaded() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and then publishes the head once more.
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

// writeChanges records the new changes by administrators' commands.
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

// publish writes the head to Redis if it has changed.
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
