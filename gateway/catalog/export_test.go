package catalog

import (
	"context"
	"time"
)

// WatchImpatiently is Watch with other times until a silent subscription is
// asked, and until it is given up.
func WatchImpatiently(ctx context.Context, r Redis, idle, answer time.Duration, opts WatchOptions, fn func(Event)) error {
	return watch(ctx, r, opts, liveness{idle, answer}, fn)
}
