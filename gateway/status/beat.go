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
	// beatInterval lies between two of a gateway's signs of life.
	beatInterval = time.Minute
	beatTimeout  = 10 * time.Second
)

// Beat writes into Redis, as the node's user, that the gateway of a node lives, so that
// the page of every other gateway can show it.
type Beat struct {
	Node    string
	Started time.Time
	// Loaded is when the state was loaded that is served; Ready whether that is what
	// Redis says now.
	Loaded func() time.Time
	Ready  func() bool
}

// Run writes until ctx ends, and removes the sign then: a gateway that was stopped is
// not lost. Failed is told of what cannot be written, once until it can be again.
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

// remove takes the sign away, without which the gateway looks lost.
func (b *Beat) remove(ctx context.Context, rdb redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	_ = rdb.Del(ctx, catalog.GatewayKey(b.Node)).Err() // it expires
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
