package expiry_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry/expirytest"
)

func TestAClockSetForwardIsNotBelievedAtOnce(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	h := &expirytest.Hands{Wall: start}
	file := filepath.Join(t.TempDir(), "clock")
	c := h.Clock(t, file)
	h.Run(c, time.Hour)
	if got := c.Now(); !got.Equal(h.Wall) {
		t.Fatalf("it says %v; want the wall clock's %v", got, h.Wall)
	}
	h.Wall = h.Wall.AddDate(1, 0, 0)
	h.Run(c, 23*time.Hour)
	if got := c.Now(); !got.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("a year ahead for 23 hours, it says %v; want what passed by the monotonic clock", got)
	}
	if !c.Doubts() {
		t.Error("it does not say that it doubts the wall clock")
	}
	// A restart changes nothing.
	if err := c.Keep(); err != nil {
		t.Fatal(err)
	}
	c = h.Clock(t, file)
	h.Run(c, 2*time.Hour)
	if got := c.Now(); !got.Equal(start.Add(26 * time.Hour)) {
		t.Errorf("after a restart it says %v; want %v", got, start.Add(26*time.Hour))
	}
	h.Run(c, 23*time.Hour)
	if got := c.Now(); !got.Equal(h.Wall) || c.Doubts() {
		t.Errorf("after a steady day it says %v; want the wall clock's %v", got, h.Wall)
	}
}

func TestAClockFollowsARestart(t *testing.T) {
	t.Parallel()
	h := &expirytest.Hands{Wall: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "clock")
	c := h.Clock(t, file)
	h.Run(c, time.Hour)
	if err := c.Keep(); err != nil {
		t.Fatal(err)
	}
	h.Wall = h.Wall.Add(50 * time.Minute)
	if got := h.Clock(t, file).Now(); !got.Equal(h.Wall) {
		t.Errorf("after a restart of 50 minutes it says %v; want %v", got, h.Wall)
	}
}

func TestAClockSetBackIsFollowed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	h := &expirytest.Hands{Wall: start}
	c := h.Clock(t, filepath.Join(t.TempDir(), "clock"))
	h.Wall = start.AddDate(-1, 0, 0)
	if got := c.Now(); !got.Equal(h.Wall) {
		t.Errorf("it says %v; want %v", got, h.Wall)
	}
	if got := c.Expiry(h.Wall, time.Hour); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("what is deleted now expires at %v; want %v, when the clock is right again", got, start.Add(time.Hour))
	}
}

func TestAClockWithoutMemoryWaitsForADay(t *testing.T) {
	t.Parallel()
	h := &expirytest.Hands{Wall: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}
	c := h.Clock(t, "")
	h.Run(c, 23*time.Hour)
	if got := c.Now(); !got.IsZero() {
		t.Errorf("after 23 hours it says %v; want no time", got)
	}
	h.Run(c, 2*time.Hour)
	if got := c.Now(); !got.Equal(h.Wall) {
		t.Errorf("after 25 hours it says %v; want %v", got, h.Wall)
	}
	damaged := filepath.Join(t.TempDir(), "clock")
	if err := os.WriteFile(damaged, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.Clock(t, damaged).Now(); !got.IsZero() {
		t.Errorf("with a damaged file it says %v; want no time", got)
	}
}
