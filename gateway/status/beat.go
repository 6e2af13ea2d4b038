package status

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

const (
	// beatInterval is the time between a gateway's heartbeats.
	beatInterval = time.Minute
	beatTimeout  = 10 * time.Second
)

// Beat writes a gateway's heartbeats to Redis, as the node's user, for the pages of all
// gateways.
type Beat struct {
	Node    string
	Started time.Time
	// Loaded returns when the served state was loaded; Ready reports whether it is the
	// present content of Redis.
	Loaded func() time.Time
	Ready  func() bool
}

// Run writes heartbeats until ctx ends, and then deletes the last one: a gateway that was
// stopped is not lost. failed is called with the first of a series of errors.
func (b *Beat) Run(ctx context.Context, rdb redis.UniversalClient, failed func(error)) {
	if b.Node == "" {
		return
	}
	ticks := time.NewTicker(beatInterval)
	defer ticks.Stop()
	told := false
	for {
		err := b.write(ctx, rdb)
		if err != nil && !told && ctx.Err() == nil {
			failed(err)
		}
		told = err != nil
		select {
		case <-ticks.C:
		case <-ctx.Done():
			b.remove(context.WithoutCancel(ctx), rdb)
			return
		}
	}
}

// remove deletes the heartbeat; otherwise the gateway would look lost.
func (b *Beat) remove(ctx context.Context, rdb redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	_ = rdb.Del(ctx, catalog.GatewayKey(b.Node)).Err() // it expires anyway
}

func (b *Beat) write(ctx context.Context, rdb redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	ready := ""
	if b.Ready() {
		ready = "1"
	}
	seconds := func(at time.Time) string { return strconv.FormatInt(max(0, at.Unix()), 10) }
	err := rdb.HSet(ctx, catalog.GatewayKey(b.Node), "version", version.String(), "started", seconds(b.Started),
		"seen", seconds(time.Now()), "loaded", seconds(b.Loaded()), "ready", ready).Err()
	if err != nil {
		return fmt.Errorf("write %s: %w", catalog.GatewayKey(b.Node), err)
	}
	return nil
}
