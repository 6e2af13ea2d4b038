package restic

import (
	"fmt"
	"regexp"
	"time"
)

var (
	retryLine   = regexp.MustCompile(`^(\w+\(.*?\)) returned error, retrying after [^:]+: (.*)$`)
	successLine = regexp.MustCompile(`^(\w+\(.*?\)) operation successful after \d+ retries`)
)

// Outage condenses restic's many messages about a failing storage to one line at the
// beginning and one at the end. The zero value is ready. It is not safe for concurrent use.
type Outage struct {
	since   time.Time
	retries int
	failing map[string]bool // operations being retried
}

// Condense returns the line to print in place of a line of restic's, "" for none.
func (o *Outage) Condense(line string, now time.Time) string {
	if m := retryLine.FindStringSubmatch(line); m != nil {
		o.retries++
		if o.failing == nil {
			o.since, o.failing = now, map[string]bool{}
		}
		o.failing[m[1]] = true
		if o.retries == 1 {
			return fmt.Sprintf("the repository fails, restic retries: %s: %s", m[1], m[2])
		}
		return ""
	}
	if m := successLine.FindStringSubmatch(line); m != nil {
		delete(o.failing, m[1])
		if len(o.failing) > 0 {
			return ""
		}
		return o.End(now)
	}
	return line
}

// End returns the line to print when a run succeeds, "" if there was no outage. Restic
// before 0.16 does not report successful retries itself.
func (o *Outage) End(now time.Time) string {
	if o.failing == nil {
		return ""
	}
	text := fmt.Sprintf("the repository works again, after %s and %d retries", now.Sub(o.since).Round(time.Second), o.retries)
	if o.retries == 1 {
		text = fmt.Sprintf("the repository works again, after %s and one retry", now.Sub(o.since).Round(time.Second))
	}
	*o = Outage{}
	return text
}

// withoutRetries drops all lines about retries except the last.
func withoutRetries(lines []string) []string {
	last := -1
	for i, line := range lines {
		if retryLine.MatchString(line) {
			last = i
		}
	}
	var kept []string
	for i, line := range lines {
		if i == last || !retryLine.MatchString(line) && !successLine.MatchString(line) {
			kept = append(kept, line)
		}
	}
	return kept
}
