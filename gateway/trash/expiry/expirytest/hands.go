// Package expirytest has clocks that tests move.
package expirytest

import (
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

// Hands are those of a host's clocks.
type Hands struct {
	Wall time.Time
	mono time.Duration
}

// Pass lets time pass by both.
func (h *Hands) Pass(d time.Duration) { h.Wall, h.mono = h.Wall.Add(d), h.mono+d }

// Clock returns a Clock with these hands.
func (h *Hands) Clock(tb testing.TB, file string) *expiry.Clock {
	tb.Helper()
	c, err := expiry.NewClock(file, expiry.Hands{
		Wall: func() time.Time { return h.Wall },
		Mono: func() time.Duration { return h.mono },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Run lets time pass as a gateway sees it, that looks every quarter of an hour.
func (h *Hands) Run(c *expiry.Clock, d time.Duration) {
	for ; d > 0; d -= 15 * time.Minute {
		h.Pass(15 * time.Minute)
		c.Now()
	}
}
