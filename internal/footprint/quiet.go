package footprint

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/footprint/programfile"
)

const (
	// look is how often it is looked whether the program is idle.
	look = 5 * time.Second
	// idle is what a program uses of the processors in that time while it has nothing
	// to do but to look after itself.
	idle = look / 50
	// patience is how often in a row it is found idle before it gives back its garbage,
	// which takes it some milliseconds.
	patience = 3
	// idlePages is how many bytes of its own file an idle program may have in memory.
	idlePages = 8 << 20
)

// TrimWhenIdle keeps what an idle program holds small until ctx ends: once it is idle it
// calls trim, which is to call [Trim], and from then on gives back the pages of its own
// file that it has read since. A program at work keeps what it holds.
func TrimWhenIdle(ctx context.Context, trim func()) {
	trimWhenIdle(ctx, used, trim, func() { programfile.DropAbove(idlePages) })
}

// trimWhenIdle does so by what used says of the time on processors since the start.
func trimWhenIdle(ctx context.Context, used func() time.Duration, trim, drop func()) {
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	quiet, before := 0, used()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := used()
		if now-before > idle {
			quiet = 0
		} else if quiet++; quiet == patience {
			trim()
		} else if quiet > patience {
			drop()
		}
		before = now
	}
}
