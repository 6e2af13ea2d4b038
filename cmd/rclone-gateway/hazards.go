package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// hazardTimeout bounds the check.
const hazardTimeout = 10 * time.Second

// warnOfRedis warns about settings with which Redis can lose credentials, as far as the
// gateway's user may read them.
func warnOfRedis(ctx context.Context, server redisconn.Config) {
	ctx, cancel := context.WithTimeout(ctx, hazardTimeout)
	defer cancel()
	rdb, err := server.Open()
	if err != nil {
		return // the load has reported the error
	}
	defer func() { _ = rdb.Close() }()
	for _, hazard := range redisconn.Hazards(ctx, rdb) {
		slog.WarnContext(ctx, "Redis may lose what it holds", "reason", "Redis "+hazard,
			"hint", "change the setting in redis.conf, or by CONFIG SET and CONFIG REWRITE")
	}
}
