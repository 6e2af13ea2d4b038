package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
)

// newsReport renders the message about new failures and recoveries.
func newsReport(host string, items []item, o *observation) *message.Report {
	r := &message.Report{Kind: message.Failures, Level: message.Good, Host: host, At: o.now}
	rows := map[news][]message.Row{}
	for i := range items {
		it := &items[i]
		rows[it.what] = append(rows[it.what], it.row())
		if it.trouble != "" {
			if r.Level != message.Bad {
				r.Level = it.level()
			}
			r.Problems = append(r.Problems, message.Problem{Module: it.module, Schedule: it.schedule, What: it.problem(), Since: it.since})
		} else if it.what == unsteady && r.Level == message.Good {
			r.Level = message.Warning
		}
	}
	r.Verdict = newsVerdict(items, rows)
	if o.redis == nil {
		r.Lead = "In all: " + o.overview.Verdict + "."
	}
	r.Add("Fails", rows[fails])
	r.Add("Works again", rows[worksAgain])
	r.Add("Changes all the time", rows[unsteady])
	r.Add("Is steady again", rows[steadyAgain])
	r.Add("No longer watched", rows[notWatched])
	return r
}

// problem describes the trouble.
func (it *item) problem() string {
	if it.module == "" {
		return it.title + ": " + it.why
	}
	return it.why
}

// level returns the severity of the trouble.
func (it *item) level() message.Level {
	if it.mild {
		return message.Warning
	}
	return message.Bad
}

func (it *item) row() message.Row {
	row := message.Row{Title: it.title, Detail: it.why}
	switch it.what {
	case fails:
		row.Level, row.Note = it.level(), "since "+message.When(it.since)
		if it.note != "" {
			row.Note += "; " + it.note
		}
	case worksAgain:
		row.Level, row.Note = message.Good, it.note
	case unsteady:
		row.Level = message.Warning
		row.Note = fmt.Sprintf("It changed %d times within an hour. You get no more messages about it until it is steady for an hour.", flapping)
	case steadyAgain:
		row.Level = message.Good
		if it.trouble != "" {
			row.Level, row.Note = message.Bad, "It has been like this since "+message.When(it.since)
		}
	case notWatched:
		row.Note = "It failed when it was taken out of its schedule, or its schedule was turned off."
	}
	return row
}

// newsVerdict summarizes everything in a few words.
func newsVerdict(items []item, rows map[news][]message.Row) string {
	if len(items) == 1 {
		it := &items[0]
		switch it.what {
		case fails:
			return it.title + ": " + it.why
		case worksAgain:
			return it.title + " works again"
		case unsteady:
			return it.title + " changes all the time"
		case steadyAgain:
			return it.title + " is steady again"
		}
		return it.title + " is no longer watched"
	}
	var parts []string
	for _, p := range []struct {
		what      news
		one, many string
	}{
		{fails, "1 failure", "%d failures"},
		{worksAgain, "1 works again", "%d work again"},
		{unsteady, "1 changes all the time", "%d change all the time"},
		{steadyAgain, "1 is steady again", "%d are steady again"},
		{notWatched, "1 is no longer watched", "%d are no longer watched"},
	} {
		switch n := len(rows[p.what]); {
		case n == 1:
			parts = append(parts, p.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf(p.many, n))
		}
	}
	return strings.Join(parts, ", ")
}

// testReport renders the message of notify test.
func testReport(host string, now time.Time) *message.Report {
	r := &message.Report{
		Kind: message.Test, Level: message.Good, Host: host, At: now, Verdict: "this is a test",
		Lead: "This channel works: failures and digests will come here.",
	}
	r.Add("So it looks", []message.Row{
		{Level: message.Bad, Title: "myapp1 (nightly)", Detail: "backup failed: an example", Note: "since " + message.When(now.Add(-time.Hour)) + "; this is no real failure"},
		{Level: message.Good, Title: "myapp2 (nightly)", Detail: "works again"},
	})
	return r
}
