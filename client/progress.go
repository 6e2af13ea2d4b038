package client

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// progress shows how a run of restic goes. It is not safe for concurrent use.
type progress interface {
	// update takes restic's status.
	update(status restic.Status)
	// say prints a line for people, without disturbing what is shown.
	say(line string)
	// wantsTotal reports whether restic should count the files first.
	wantsTotal() bool
	// done ends the display.
	done()
}

// newProgress picks the display: events on stdout when asked for, the agent when
// it runs us, a bar on a terminal, lines elsewhere. The agent is told percents
// from first to last.
func newProgress(s *system, events bool, first, last int) progress {
	lines := &lineProgress{w: s.stderr}
	switch {
	case events:
		return &eventProgress{lineProgress: lines, out: json.NewEncoder(s.stdout)}
	case s.env.taskID() != "":
		return &agentProgress{lineProgress: lines, agent: s.agent(), first: first, last: last}
	}
	if file, ok := s.stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return &barProgress{w: file, width: func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil || width <= 0 { // a serial line does not tell
				return 80
			}
			return width
		}}
	}
	return lines
}

// doneBytes are the bytes that a backup or a restore has dealt with.
func doneBytes(s restic.Status) uint64 { return max(s.BytesDone, s.BytesRestored) }

// agentProgress tells whole percents to the agent, never going back.
type agentProgress struct {
	*lineProgress
	agent       agent
	first, last int
	told        int
}

func (p *agentProgress) wantsTotal() bool { return true }

func (p *agentProgress) update(s restic.Status) {
	done := min(max(s.PercentDone, 0), 1)
	if percent := p.first + int(done*float64(p.last-p.first)); percent > p.told {
		p.told = percent
		p.agent.setProgress(percent)
	}
}

func (p *agentProgress) done() {}

// lineInterval is the time between two lines of progress in a log.
const lineInterval = 30 * time.Second

// lineProgress prints a line periodically.
type lineProgress struct {
	w       io.Writer
	started time.Time
	told    time.Time
}

func (p *lineProgress) wantsTotal() bool { return false }

func (p *lineProgress) update(s restic.Status) {
	now := time.Now()
	if p.started.IsZero() {
		p.started, p.told = now, now
	}
	if now.Sub(p.told) >= lineInterval {
		p.told = now
		p.say(describeStatus(s, now.Sub(p.started)))
	}
}

func (p *lineProgress) say(line string) { fmt.Fprintln(p.w, line) }
func (p *lineProgress) done()           {}

// eventProgress writes JSON objects, one on a line, and what is for people to
// stderr.
type eventProgress struct {
	*lineProgress
	out *json.Encoder
}

// progressEvent is the event of a status.
type progressEvent struct {
	Event       string  `json:"event"` // "progress"
	PercentDone float64 `json:"percent_done"`
	BytesDone   uint64  `json:"bytes_done"`
	TotalBytes  uint64  `json:"total_bytes"`
}

func (p *eventProgress) wantsTotal() bool { return true }

func (p *eventProgress) update(s restic.Status) {
	_ = p.out.Encode(progressEvent{"progress", s.PercentDone, doneBytes(s), s.TotalBytes})
}

// barProgress draws one line over and over.
type barProgress struct {
	w       io.Writer
	width   func() int
	started time.Time
}

func (p *barProgress) wantsTotal() bool { return true }

func (p *barProgress) update(s restic.Status) {
	if p.started.IsZero() {
		p.started = time.Now()
	}
	fmt.Fprint(p.w, "\r\x1b[K", barLine(s, time.Since(p.started), p.width()-1))
}

func (p *barProgress) say(line string) { fmt.Fprintf(p.w, "\r\x1b[K%s\n", line) }
func (p *barProgress) done()           { fmt.Fprint(p.w, "\r\x1b[K") }

// barLine draws a bar and tells what is known, as far as it fits into so many
// columns. The bar goes first, because it tells least.
func barLine(s restic.Status, elapsed time.Duration, columns int) string {
	parts := statusParts(s, elapsed)
	text := strings.Join(parts, "  ")
	for _, cells := range []int{20, 10} {
		if len("[] ")+cells+len(text) <= columns {
			full := int(min(max(s.PercentDone, 0), 1) * float64(cells))
			return "[" + strings.Repeat("#", full) + strings.Repeat("-", cells-full) + "] " + text
		}
	}
	for len(text) > columns && len(parts) > 1 {
		parts = parts[:len(parts)-1]
		text = strings.Join(parts, "  ")
	}
	return text[:min(len(text), max(columns, 0))]
}

// describeStatus is all that is known.
func describeStatus(s restic.Status, elapsed time.Duration) string {
	return strings.Join(statusParts(s, elapsed), "  ")
}

// statusParts are percent, size, rate, and the time it will take, as far as they are
// known, the most telling first.
func statusParts(s restic.Status, elapsed time.Duration) []string {
	done := doneBytes(s)
	rate := 0.0
	if elapsed >= time.Second {
		rate = float64(done) / elapsed.Seconds()
	}
	var parts []string
	if s.TotalBytes == 0 {
		parts = append(parts, formatBytes(done))
	} else {
		parts = append(parts, fmt.Sprintf("%3d%%", int(s.PercentDone*100)), formatBytes(done)+" of "+formatBytes(s.TotalBytes))
	}
	if rate > 0 {
		parts = append(parts, formatBytes(uint64(rate))+"/s")
		if s.TotalBytes > done {
			left := time.Duration(float64(s.TotalBytes-done) / rate * float64(time.Second))
			parts = append(parts, left.Round(time.Second).String()+" left")
		}
	}
	return parts
}
