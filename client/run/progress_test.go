package run

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

func TestAgentProgressNeverGoesBack(t *testing.T) {
	var out bytes.Buffer
	p := &agentProgress{lineProgress: &lineProgress{w: &out}, agent: host.Agent{W: &out}, first: 1, last: 95}
	for _, done := range []float64{0, 0.001, 0.5, 0.4, 1, 1.7, -1} {
		p.Update(restic.Status{PercentDone: done})
	}
	if want := "set-progress 1\r\nset-progress 48\r\nset-progress 95\r\n"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}

func TestLineProgressIsRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &lineProgress{w: &out}
		for second := range 61 {
			p.Update(restic.Status{PercentDone: float64(second) / 100, TotalBytes: 100 << 20, BytesDone: uint64(second) << 20})
			time.Sleep(time.Second)
		}
		want := " 30%  30.0 MiB of 100.0 MiB  1.0 MiB/s  1m10s left\n" +
			" 60%  60.0 MiB of 100.0 MiB  1.0 MiB/s  40s left\n"
		if out.String() != want {
			t.Errorf("printed\n%q, want\n%q", out.String(), want)
		}
	})
}

func TestBarProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &barProgress{w: &out, width: func() int { return 30 }}
		p.Update(restic.Status{})
		time.Sleep(2 * time.Second)
		p.Update(restic.Status{PercentDone: 0.5, TotalBytes: 100, BytesDone: 50})
		p.Say("a line")
		p.Done()
		lines := strings.Split(out.String(), "\r\x1b[K")
		want := []string{"", "[--------------------] 0 B", " 50%  50 B of 100 B  25 B/s", "a line\n", ""}
		if len(lines) != len(want) {
			t.Fatalf("drew %q", lines)
		}
		for i := range want {
			if lines[i] != want[i] {
				t.Errorf("draw %d is %q, want %q", i, lines[i], want[i])
			}
		}
	})
}

func TestBarFitsTheTerminal(t *testing.T) {
	half := restic.Status{PercentDone: 0.5, TotalBytes: 100, BytesDone: 50}
	for columns, want := range map[int]string{
		80: "[##########----------]  50%  50 B of 100 B  25 B/s  2s left",
		59: "[##########----------]  50%  50 B of 100 B  25 B/s  2s left",
		58: "[#####-----]  50%  50 B of 100 B  25 B/s  2s left",
		49: "[#####-----]  50%  50 B of 100 B  25 B/s  2s left",
		48: " 50%  50 B of 100 B  25 B/s  2s left",
		35: " 50%  50 B of 100 B  25 B/s",
		20: " 50%  50 B of 100 B",
		10: " 50%",
		3:  " 50",
		0:  "",
		-1: "",
	} {
		if got := barLine(half, 2*time.Second, columns); got != want {
			t.Errorf("in %d columns it is %q, want %q", columns, got, want)
		}
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 3 << 30: "3.0 GiB", 1<<64 - 1: "16.0 EiB",
	} {
		if got := host.FormatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
