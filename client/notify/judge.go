package notify

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// flapping is how many changes within steady make something that people get no more
	// messages about, until there was none for as long.
	flapping = 4
	steady   = time.Hour
)

// told is what people know of a condition, and how it is.
type told struct {
	Title   string    `json:"title"`
	Trouble string    `json:"trouble,omitempty"`
	Why     string    `json:"why,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Ready is from when on trouble is told.
	Ready time.Time `json:"ready,omitzero"`
	// Lasting is the trouble that has lasted for its grace: what comes and goes faster
	// than that does not count.
	Lasting string `json:"lasting,omitempty"`
	// Told is the trouble that people know of.
	Told string `json:"told,omitempty"`
	// Changes are those within the last hour.
	Changes  []time.Time `json:"changes,omitempty"`
	Flapping bool        `json:"flapping,omitempty"`
}

// news is what people are to be told of a condition.
type news int

const (
	fails news = iota
	worksAgain
	unsteady
	steadyAgain
	notWatched
)

// item is one piece of news.
type item struct {
	what news
	condition
}

// judge notes how everything is, and returns what people are to be told of it.
func judge(all map[string]*told, o *observation) (items []item) {
	for _, c := range o.conditions {
		t := all[c.key]
		if t == nil {
			if c.trouble == "" {
				continue // nobody is told that nothing happened
			}
			t = &told{}
			all[c.key] = t
		}
		if what, is := t.judge(&c, o.now); is {
			items = append(items, item{what, c})
		}
		if t.Trouble == "" && t.Told == "" && t.Lasting == "" && len(t.Changes) == 0 && !t.Flapping {
			delete(all, c.key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !o.gone(key) {
			continue
		}
		if t := all[key]; t.Told != "" || t.Flapping {
			what := notWatched
			if strings.HasPrefix(key, ofNote) {
				what = worksAgain // what was noted is over
			}
			items = append(items, item{what, condition{key: key, title: t.Title, why: t.Why}})
		}
		delete(all, key)
	}
	return items
}

// judge notes how one condition is, and says what is news about it.
func (t *told) judge(c *condition, now time.Time) (what news, is bool) {
	t.note(c, now)
	c.since = t.Since
	switch {
	case t.Flapping && len(t.Changes) > 0:
		return 0, false
	case t.Flapping:
		t.Flapping, t.Told = false, t.Lasting
		return steadyAgain, true
	case len(t.Changes) >= flapping:
		t.Flapping = true
		return unsteady, true
	case t.Lasting == t.Told:
		return 0, false
	}
	t.Told = t.Lasting
	if t.Told == "" {
		return worksAgain, true
	}
	return fails, true
}

// note notes how it is, and when what lasts has changed.
func (t *told) note(c *condition, now time.Time) {
	t.Title = c.title
	if c.trouble != t.Trouble {
		t.Trouble, t.Since, t.Ready = c.trouble, c.since, now.Add(c.grace)
		if t.Since.IsZero() {
			t.Since = now
		}
	}
	if t.Trouble != "" {
		t.Why = c.why
	} else {
		t.Since, t.Ready = time.Time{}, time.Time{}
	}
	t.Changes = slices.DeleteFunc(t.Changes, func(at time.Time) bool { return at.After(now) || now.Sub(at) >= steady })
	if t.Trouble != t.Lasting && !now.Before(t.Ready) {
		t.Lasting = t.Trouble
		t.Changes = append(t.Changes, now)
	}
}
