package footprint

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/footprint/programfile"
)

const (
	// look is the interval between checks whether the program is idle.
	look = 5 * time.Second
	// idle is the CPU time that the program uses in that interval while it has nothing to
	// do.
	idle = look / 50
	// patience is how often in a row the program must be idle before it collects its
	// garbage, which takes some milliseconds.
	patience = 3
	// idlePages is how many bytes of its own file an idle program may have in memory.
	idlePages = 8 << 20
)

// TrimWhenIdle keeps the memory of an idle program small until ctx ends. Once the program
// is idle it calls trim, which should call [Trim], and from then on releases the pages of
// its own file that it reads again. It does nothing while the program works.
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
