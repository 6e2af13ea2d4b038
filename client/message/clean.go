package message

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	// longest bounds a text from outside, mostRows the rows of a section.
	longest  = 400
	mostRows = 50
	// shortestSecret is the minimum length: shorter secrets would match everywhere.
	shortestSecret = 6
)

// Cleaner makes texts from outside safe for a message.
type Cleaner struct{ secrets []string }

// NewCleaner returns a cleaner that removes the secrets.
func NewCleaner(secrets ...string) *Cleaner {
	c := &Cleaner{}
	for _, s := range secrets {
		if len(s) >= shortestSecret {
			c.secrets = append(c.secrets, s)
		}
	}
	// One secret may be a prefix of another.
	slices.SortFunc(c.secrets, func(a, b string) int { return len(b) - len(a) })
	return c
}

const hidden = "***"

var (
	userOfURL = regexp.MustCompile(`(://)[^/@\s"']+@`)
	assigned  = regexp.MustCompile(`(?i)\b((?:[a-z_]*(?:password|passwd|secret|token|api_?key|access_?key))["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;"']+)`)
	bearer    = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[a-z0-9+/._~=-]{6,}`)
	signed    = regexp.MustCompile(`(?i)([?&](?:[a-z0-9_-]*(?:signature|credential|token|key|sig))=)[^&\s"']+`)
)

// Secrets replaces secrets and what looks like one.
func (c *Cleaner) Secrets(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, hidden)
	}
	text = userOfURL.ReplaceAllString(text, "${1}"+hidden+"@")
	text = signed.ReplaceAllString(text, "${1}"+hidden)
	text = bearer.ReplaceAllString(text, "${1}"+hidden)
	return assigned.ReplaceAllString(text, "${1}"+hidden)
}

// Line returns a text as one line, without secrets, control characters and characters that
// change the direction of text.
func (c *Cleaner) Line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.TrimSpace(c.Secrets(text))
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
}

// Lines cleans each line of a text, and keeps the last lines that fit in so many bytes.
func (c *Cleaner) Lines(text string, most int) string {
	var kept []string
	for _, line := range slices.Backward(strings.Split(strings.TrimRight(text, "\n"), "\n")) {
		line = c.Line(line)
		if most -= len(line) + 1; most < 0 {
			break
		}
		kept = append(kept, line)
	}
	slices.Reverse(kept)
	return strings.Join(kept, "\n")
}

// report returns a cleaned copy of a report.
func (c *Cleaner) report(r *Report) *Report {
	out := *r
	out.Host, out.Verdict, out.Lead = c.Line(r.Host), c.Line(r.Verdict), c.Line(r.Lead)
	out.Sections = nil
	for _, s := range r.Sections {
		rows := make([]Row, 0, min(len(s.Rows), mostRows+1))
		for i, row := range s.Rows {
			if i == mostRows {
				rows = append(rows, Row{Title: "and " + counted(len(s.Rows)-i, "more", "more")})
				break
			}
			rows = append(rows, Row{row.Level, c.Line(row.Title), c.Line(row.Detail), c.Line(row.Note)})
		}
		out.Sections = append(out.Sections, Section{s.Title, rows})
	}
	out.Problems = []Problem{}
	for _, p := range r.Problems[:min(len(r.Problems), mostRows)] {
		out.Problems = append(out.Problems, Problem{c.Line(p.Module), c.Line(p.Schedule), c.Line(p.What), p.Since})
	}
	return &out
}
