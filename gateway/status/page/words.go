package page

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// functions are the functions of the templates.
var functions = template.FuncMap{
	"mark": func(l status.Level) string {
		return map[status.Level]string{status.Good: "✓", status.Warning: "!", status.Bad: "✗", status.Unknown: "?"}[l]
	},
	"levelWord": func(l status.Level) string {
		return map[status.Level]string{status.Good: "Good", status.Warning: "Warning", status.Bad: "Wrong", status.Unknown: "Unknown"}[l]
	},
	"patterns":   func() []Pattern { return patterns },
	"size":       bytesOrNothing,
	"signedSize": signedSize,
	"count":      count,
	"took":       took,
	"said":       said,
	"outcomes":   outcomeCounts,
	"seconds":    func(n int64) string { return durationText(time.Duration(n) * time.Second) },
	"duration":   func(seconds float64) string { return durationText(time.Duration(seconds * float64(time.Second))) },
	"limit": func(n int64) string {
		if n == 0 {
			return "none"
		}
		return bytesText(uint64(n))
	},
	"pace": func(n int64) string {
		if n == 0 {
			return "no limit"
		}
		return bytesText(uint64(n)) + " a second"
	},
	"percent": func(p float64) int { return int(p) },
	"actionWord": func(name string) string {
		return map[string]string{
			"run": "Run now", "pause": "Pause", "resume": "Resume", "check": "Check", "restore": "Restore from the trash", "acknowledge": "Acknowledge",
		}[name]
	},
	"stateWord": func(state string) string { return stateWords[state][0] },
	"stateSentence": func(d status.Destination) string {
		text := stateWords[d.State][1]
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		return text + "."
	},
	"breakerWord": func(state string) string {
		return map[string]string{
			"closed": "closed: requests go through", "open": "open: it failed too often and is not asked",
			"half_open": "half open: one request tries whether it works again",
		}[state]
	},
	"errorWord": func(class string) string {
		return map[string]string{
			"throttled": "it asked to slow down", "timeout": "no answer in time", "unavailable": "not reached",
			"denied": "it refused the gateway", "full": "no space", "broken_off": "an answer broke off", "other": "others",
		}[class]
	},
	"reasonWord": func(reason string) string {
		if words := reasonWords[reason]; words != "" {
			return words
		}
		return reason
	},
	"gatewayWord": func(g status.Gateway) string {
		switch {
		case g.Level == status.Unknown:
			return "not known: it has not said"
		case g.Level == status.Bad:
			return "silent"
		case g.Ready:
			return "ready"
		}
		return "waits for Redis"
	},
}

var stateWords = map[string][2]string{
	status.StateWorks:     {"works", "It works: the last request there succeeded"},
	status.StateFails:     {"fails", "It fails: the last request there did not work"},
	status.StateUnused:    {"not used yet", "Nobody has used it since this gateway started"},
	status.StateUnreached: {"not reached", "This node does not reach it"},
	status.StateBroken:    {"cannot be used", "Redis does not describe it so that it can be used"},
	status.StatePeer:      {"on another node", "It is on the disk of another node, whose gateway knows more"},
}

var reasonWords = map[string]string{
	"unknown_user": "unknown user", "wrong_password": "wrong password", "address": "address not allowed",
	"scope": "beyond the user's rights", "attempts": "too many attempts", "pairing_code": "no such pairing code",
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func signedSize(n any) string {
	value, _ := n.(int64)
	if p, ok := n.(*int64); ok {
		value = *p
	}
	if value < 0 {
		return "−" + bytesText(uint64(-value))
	}
	return bytesText(uint64(value))
}

func bytesOrNothing(n uint64) string {
	if n == 0 {
		return ""
	}
	return bytesText(n)
}

// bytesText formats a size.
func bytesText(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	value := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if value /= 1024; value < 1023.5 {
			digits := 0
			if value < 9.95 {
				digits = 1
			}
			return strconv.FormatFloat(value, 'f', digits, 64) + " " + unit
		}
	}
	return strconv.FormatFloat(value/1024, 'f', 1, 64) + " ZiB"
}

func took(r any) string {
	var run status.Run
	switch r := r.(type) {
	case status.Run:
		run = r
	case *status.Run:
		run = *r
	}
	if run.Started.IsZero() {
		return ""
	}
	return durationText(run.Took())
}

// durationText formats the two largest parts of a duration.
func durationText(d time.Duration) string {
	if d < time.Second {
		return "0 s"
	}
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d >= unit.size {
			parts = append(parts, fmt.Sprintf("%d %s", d/unit.size, unit.name))
			d %= unit.size
		}
	}
	return strings.Join(parts[:min(2, len(parts))], " ")
}

// said describes the result of a run.
func said(r status.Run) string {
	parts := slices.DeleteFunc([]string{r.Error, r.Detail}, func(s string) bool { return s == "" })
	if len(r.Missing) > 0 {
		parts = append(parts, "it lacks "+strings.Join(r.Missing, ", "))
	}
	if r.Parts > 0 {
		parts = append(parts, fmt.Sprintf("part %d of %d", r.Part, r.Parts))
	}
	return strings.Join(parts, "; ")
}

// outcomeCounts describes how many modules have which outcome.
func outcomeCounts(counts map[string]int) string {
	var parts []string
	for _, p := range patterns {
		if n := counts[string(p.Name)]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+p.Word)
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// When formats a time for people, with the exact time for machines.
func (p *Page) When(at any) template.HTML {
	t, ok := at.(time.Time)
	if pointer, is := at.(*time.Time); is && pointer != nil {
		t, ok = *pointer, true
	}
	if !ok || t.IsZero() {
		return ""
	}
	local := t.In(p.Facts.Zone)
	layout := "2 Jan 15:04"
	if local.Year() != p.Facts.Time.In(p.Facts.Zone).Year() {
		layout = "2 Jan 2006 15:04"
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + local.Format(layout) + `</time>`) //nolint:gosec // made of numbers
}

// Ago formats how long ago a time is, in one unit.
func (p *Page) Ago(at any) string {
	t, _ := at.(time.Time)
	if pointer, is := at.(*time.Time); is && pointer != nil {
		t = *pointer
	}
	d := p.Facts.Time.Sub(t)
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute ago", "minutes ago")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour ago", "hours ago")
	}
	return count(int(d/(24*time.Hour)), "day ago", "days ago")
}
