package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// hazardTimeout bounds a question that nothing waits for.
const hazardTimeout = 10 * time.Second

// warnOfRedis logs the settings of Redis by which credentials get lost, as far as the
// gateway's user may ask for them.
func warnOfRedis(ctx context.Context, server redisconn.Config) {
	ctx, cancel := context.WithTimeout(ctx, hazardTimeout)
	defer cancel()
	rdb, err := server.Open()
	if err != nil {
		return // the load has told
	}
	defer func() { _ = rdb.Close() }()
	for _, hazard := range redisconn.Hazards(ctx, rdb) {
		slog.WarnContext(ctx, "Redis may lose what it holds", "reason", "Redis "+hazard,
			"hint", "change the setting in redis.conf, or by CONFIG SET and CONFIG REWRITE")
	}
}
