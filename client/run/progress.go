package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Progress displays the progress of restic. It is not safe for concurrent use.
type Progress interface {
	// update takes restic's status.
	Update(status restic.Status)
	// say prints a line for people without damaging the display.
	Say(line string)
	// WantsTotal reports whether restic should count the files first.
	WantsTotal() bool
	// done ends the display.
	Done()
}

// NewProgress selects the display: events on stdout if requested, the agent if it runs us,
// a bar on a terminal, lines otherwise. The agent gets percentages between first and last.
func NewProgress(s *host.System, events bool, first, last int) Progress {
	lines := &lineProgress{w: s.Stderr}
	switch {
	case events:
		return &eventProgress{lineProgress: lines, out: json.NewEncoder(s.Stdout)}
	case s.Env.TaskID() != "":
		return &agentProgress{lineProgress: lines, agent: s.Agent(), first: first, last: last}
	}
	if file, ok := s.Stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return &barProgress{w: file, width: func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil || width <= 0 { // a serial line has no width
				return 80
			}
			return width
		}}
	}
	return lines
}

// LogProgressFlag makes module-backup write progress events to stderr, for run-backup.
const LogProgressFlag = "log-progress"

// LogProgress writes events to stderr, one per line, between the lines for people.
func LogProgress(s *host.System) Progress {
	return &eventProgress{lineProgress: &lineProgress{w: s.Stderr}, out: json.NewEncoder(s.Stderr)}
}

// ProgressEvent is the progress of a run.
type ProgressEvent = progressEvent

// doneBytes returns the bytes that a backup or a restore has processed.
func doneBytes(s restic.Status) uint64 { return max(s.BytesDone, s.BytesRestored) }

// agentProgress reports whole, never decreasing percentages to the agent.
type agentProgress struct {
	*lineProgress
	agent       host.Agent
	first, last int
	told        int
}

func (p *agentProgress) WantsTotal() bool { return true }

func (p *agentProgress) Update(s restic.Status) {
	done := min(max(s.PercentDone, 0), 1)
	if percent := p.first + int(done*float64(p.last-p.first)); percent > p.told {
		p.told = percent
		p.agent.SetProgress(percent)
	}
}

func (p *agentProgress) Done() {}

// lineInterval is the time between two lines of progress in a log.
const lineInterval = 30 * time.Second

// lineProgress prints a line periodically.
type lineProgress struct {
	w       io.Writer
	started time.Time
	told    time.Time
}

func (p *lineProgress) WantsTotal() bool { return false }

func (p *lineProgress) Update(s restic.Status) {
	now := time.Now()
	if p.started.IsZero() {
		p.started, p.told = now, now
	}
	if now.Sub(p.told) >= lineInterval {
		p.told = now
		p.Say(describeStatus(s, now.Sub(p.started)))
	}
}

func (p *lineProgress) Say(line string) { fmt.Fprintln(p.w, line) }
func (p *lineProgress) Done()           {}

// eventProgress writes JSON objects, one per line. Text for people goes to stderr.
type eventProgress struct {
	*lineProgress
	out *json.Encoder
}

// ProgressEventName is the name of that event.
const ProgressEventName = "progress"

// progressEvent is the event for a status.
type progressEvent struct {
	Event       string  `json:"event"` // "progress"
	PercentDone float64 `json:"percent_done"`
	BytesDone   uint64  `json:"bytes_done"`
	TotalBytes  uint64  `json:"total_bytes"`
}

func (p *eventProgress) WantsTotal() bool { return true }

func (p *eventProgress) Update(s restic.Status) {
	_ = p.out.Encode(progressEvent{ProgressEventName, s.PercentDone, doneBytes(s), s.TotalBytes})
}

// barProgress redraws one line.
type barProgress struct {
	w       io.Writer
	width   func() int
	started time.Time
}

func (p *barProgress) WantsTotal() bool { return true }

func (p *barProgress) Update(s restic.Status) {
	if p.started.IsZero() {
		p.started = time.Now()
	}
	fmt.Fprint(p.w, "\r\x1b[K", barLine(s, time.Since(p.started), p.width()-1))
}

func (p *barProgress) Say(line string) { fmt.Fprintf(p.w, "\r\x1b[K%s\n", line) }
func (p *barProgress) Done()           { fmt.Fprint(p.w, "\r\x1b[K") }

// barLine draws a bar and the status within so many columns. If space is short, it drops
// the bar first, which tells least.
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

// describeStatus returns everything that is known.
func describeStatus(s restic.Status, elapsed time.Duration) string {
	return strings.Join(statusParts(s, elapsed), "  ")
}

// statusParts returns percentage, size, rate and remaining time, as far as they are known,
// most important first.
func statusParts(s restic.Status, elapsed time.Duration) []string {
	done := doneBytes(s)
	rate := 0.0
	if elapsed >= time.Second {
		rate = float64(done) / elapsed.Seconds()
	}
	var parts []string
	if s.TotalBytes == 0 {
		parts = append(parts, host.FormatBytes(done))
	} else {
		parts = append(parts, fmt.Sprintf("%3d%%", int(s.PercentDone*100)), host.FormatBytes(done)+" of "+host.FormatBytes(s.TotalBytes))
	}
	if rate > 0 {
		parts = append(parts, host.FormatBytes(uint64(rate))+"/s")
		if s.TotalBytes > done {
			left := time.Duration(float64(s.TotalBytes-done) / rate * float64(time.Second))
			parts = append(parts, left.Round(time.Second).String()+" left")
		}
	}
	return parts
}
