package client

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// silenceRedis keeps the Redis library from writing to stderr on its own: what
// fails is told once, by the error.
func silenceRedis() { redis.SetLogger(silentLog{}) }

type silentLog struct{}

// Printf drops the line.
func (silentLog) Printf(context.Context, string, ...any) {}
