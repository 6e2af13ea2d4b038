// Package expiry tells the time by which what is deleted expires. It knows no trash, only
// clocks and the file that one continues from.
package expiry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

const (
	// clockSteady is how long a clock must have run steadily before a jump that it
	// made is believed.
	clockSteady = 24 * time.Hour
	// clockGap is what it may be ahead without that: a restart takes as long.
	clockGap = time.Hour
	// clockTolerance is by how much it may be off the monotonic one in one look.
	clockTolerance = time.Minute
)

// Clock tells the time that expiry is judged by. It continues as the monotonic clock
// does and is never ahead of the wall clock. Where the wall clock is found ahead, by
// more than a restart explains, as after somebody set it forward, the Clock follows
// only once the wall clock has run steadily for a day: nothing is purged early in the
// meantime, and an administrator has that day to set it right. It survives restarts
// in a file. It is safe for concurrent use.
type Clock struct {
	file  string // empty: it is forgotten with the process
	hands Hands

	mu       sync.Mutex
	trusted  time.Time     // the time that was believed at the last look
	lastWall time.Time     // the wall clock then
	lastMono time.Duration // the monotonic one then
	steady   time.Duration // since when, by the monotonic one, the wall clock did not jump
}

// Hands are the clocks of a host.
type Hands struct {
	Wall func() time.Time     // without a monotonic part
	Mono func() time.Duration // since any moment
}

// System returns the hands of this host.
func System() Hands {
	start := time.Now()
	return Hands{
		Wall: func() time.Time { return time.Now().Round(0) },
		Mono: func() time.Duration { return time.Since(start) },
	}
}

// NewClock returns the Clock of this process. It continues from where the file says that
// an earlier one stopped; without a file nothing is known of the time before.
func NewClock(file string, hands Hands) (*Clock, error) {
	c := &Clock{file: file, hands: hands}
	c.lastWall, c.lastMono = hands.Wall(), hands.Mono()
	c.steady = c.lastMono
	if file == "" {
		return c, nil
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.trusted = c.lastWall // the first start
		return c, c.Keep()
	case err != nil:
		return nil, fmt.Errorf("read the clock of the trash: %w", err)
	}
	// A damaged file is as good as none: the clock must then run steadily for a day.
	_ = json.Unmarshal(data, &c.trusted)
	return c, nil
}

// Now returns the time to judge by. It is the zero time as long as none is believed.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, mono := c.hands.Wall(), c.hands.Mono()
	passed := mono - c.lastMono
	if jump := wall.Sub(c.lastWall) - passed; jump > clockTolerance || jump < -clockTolerance {
		c.steady = mono
	}
	c.lastWall, c.lastMono = wall, mono
	if !c.trusted.IsZero() {
		c.trusted = c.trusted.Add(passed)
	}
	ahead := wall.Sub(c.trusted)
	if c.trusted.IsZero() {
		ahead = clockGap + 1
	}
	steady := mono-c.steady >= clockSteady
	if ahead > 0 && ahead <= clockGap || ahead != 0 && steady {
		c.trusted = wall
	}
	if wall.Before(c.trusted) {
		return wall
	}
	return c.trusted
}

// Doubts reports whether the wall clock is ahead of what is believed.
func (c *Clock) Doubts() bool {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastWall.Sub(now) > clockGap
}

// Expiry returns when something expires that is deleted now and kept for so long: by
// the wall clock, or by what is believed where that was set back, so that it does not expire with
// the next correction.
func (c *Clock) Expiry(deleted time.Time, keep time.Duration) time.Time {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted.After(deleted) {
		deleted = c.trusted
	}
	return deleted.Add(keep)
}

// Keep writes the file.
func (c *Clock) Keep() error {
	now := c.Now()
	if c.file == "" || now.IsZero() {
		return nil
	}
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return atomicfile.Write(c.file, append(data, '\n'), 0o600)
}
