package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// Pattern is the drawing of a day. Patterns differ in shape as well as in color, for
// color-blind readers.
type Pattern struct {
	Name  status.Outcome
	Word  string
	Shape template.HTML
}

var patterns = []Pattern{
	{status.Done, "done", `<rect class="s-done" width="3" height="12"/>`},
	{status.Partial, "partial", `<rect class="s-partial" y="5" width="3" height="7"/>`},
	{status.Failed, "failed", `<rect class="s-failed" width="3" height="5"/><rect class="s-failed" y="7" width="3" height="5"/>`},
	{status.Missed, "missed", `<path class="s-missed" d="M0 0h3v12h-3zM1 1v10h1v-10z" fill-rule="evenodd"/>`},
	{status.Overdue, "overdue", `<rect class="s-overdue" width="3" height="3"/><rect class="s-overdue" y="9" width="3" height="3"/>`},
	{status.Skipped, "skipped", `<rect class="s-skipped" y="9" width="3" height="3"/>`},
	{status.None, "none", `<rect class="s-none" y="5.5" width="3" height="1"/>`},
}

// days draws the days of the facts.
type days struct{ words []string }

func newDays(f *status.Facts) *days {
	d := &days{}
	for _, text := range f.DayTexts() {
		at, _ := time.Parse(time.DateOnly, text)
		d.words = append(d.words, at.Format("2 January"))
	}
	return d
}

// cell draws the days of a module at a destination, with a word if the last backup was not
// successful.
func (d *days) cell(p *status.Protection) template.HTML {
	var w strings.Builder
	d.strip(&w, p.Days, 1)
	if p.Outcome != status.Done {
		fmt.Fprintf(&w, ` <span class="outcome %s">%s</span>`, p.Outcome, p.Outcome)
	}
	if p.Paused {
		w.WriteString(` <span class="note">paused</span>`)
	}
	return template.HTML(w.String()) //nolint:gosec // made of our own words
}

// strip draws days as bars, with one rectangle for each run of equal days.
func (d *days) strip(w *strings.Builder, outcomes []status.Outcome, scale int) {
	width := strconv.Itoa(4 * len(outcomes))
	w.WriteString(`<svg class="strip" role="img" width="` + strconv.Itoa(4*scale*len(outcomes)) + `" height="` + strconv.Itoa(12*scale) +
		`" viewBox="0 0 ` + width + ` 12"><title>`)
	w.WriteString(d.summary(outcomes))
	w.WriteString(`</title>`)
	for i := 0; i < len(outcomes); {
		n := 1
		for i+n < len(outcomes) && outcomes[i+n] == outcomes[i] {
			n++
		}
		w.WriteString(`<rect x="` + strconv.Itoa(4*i) + `" width="` + strconv.Itoa(4*n) + `" height="12" fill="url(#p-` + string(outcomes[i]) + `)"/>`)
		i += n
	}
	w.WriteString(`</svg>`)
}

// summary describes the days in words, for screen readers.
func (d *days) summary(outcomes []status.Outcome) string {
	var parts []string
	for _, pattern := range patterns {
		count, last := 0, 0
		for i, outcome := range outcomes {
			if outcome == pattern.Name {
				count, last = count+1, i
			}
		}
		if count == 0 {
			continue
		}
		part := strconv.Itoa(count) + " " + pattern.Word
		if pattern.Name != status.Done && pattern.Name != status.None {
			part += " (the last on " + d.words[last] + ")"
		}
		parts = append(parts, part)
	}
	return strconv.Itoa(len(outcomes)) + " days: " + strings.Join(parts, ", ")
}

// BigStrip draws the days of a module at a destination in double size.
func (p *Page) BigStrip(b *status.Protection) template.HTML {
	var w strings.Builder
	newDays(p.Facts).strip(&w, b.Days, 2)
	return template.HTML(w.String()) //nolint:gosec // made of our own words
}

const chartWidth, chartHeight = 480, 120

// Chart draws the sizes of the snapshots; nothing if there are too few.
func (p *Page) Chart(b *status.Protection) template.HTML {
	if len(b.Sizes) < 2 {
		return ""
	}
	most := uint64(1)
	for _, s := range b.Sizes {
		most = max(most, s.Bytes)
	}
	place := map[string]int{}
	for i, day := range p.Facts.DayTexts() {
		place[day] = i
	}
	var line strings.Builder
	for _, s := range b.Sizes {
		x := float64(place[s.Day]) / float64(status.Days-1) * (chartWidth - 4)
		y := chartHeight - 16 - float64(s.Bytes)/float64(most)*(chartHeight-36)
		fmt.Fprintf(&line, "%.1f,%.1f ", x+2, y)
	}
	first, last := b.Sizes[0], b.Sizes[len(b.Sizes)-1]
	label := "From " + bytesText(first.Bytes) + " on " + first.Day + " to " + bytesText(last.Bytes) + " on " + last.Day
	return template.HTML(fmt.Sprintf( //nolint:gosec,gocritic // made of numbers and dates
		`<svg class="chart" role="img" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d"><title>%s</title><line class="axis" x1="0" y1="%d" x2="%[1]d" y2="%[4]d"/><polyline class="line" points="%s"/><text x="2" y="11">%s</text></svg>`,
		chartWidth, chartHeight, label, chartHeight-16, strings.TrimSpace(line.String()), bytesText(most)))
}

// SpaceBar draws how full a storage is; nothing if that is unknown.
func (p *Page) SpaceBar(d *status.Destination) template.HTML {
	s := d.Space
	if s.Used == nil || s.Total == nil || *s.Total <= 0 {
		return ""
	}
	share := min(1, float64(*s.Used)/float64(*s.Total))
	return template.HTML(fmt.Sprintf( //nolint:gosec // made of numbers
		`<svg class="chart" role="img" width="400" height="20" viewBox="0 0 400 20"><title>%.0f %% is used</title><rect class="room" x="0.5" y="0.5" width="399" height="19"/><rect class="filled" x="1" y="1" width="%.1f" height="18"/></svg>`,
		share*100, share*398))
}
