package notify

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// flapping is the number of changes within steady that silences a condition, until it
	// has not changed for that long.
	flapping = 4
	steady   = time.Hour
)

// told is the state of a condition, and what was reported of it.
type told struct {
	Title   string    `json:"title"`
	Trouble string    `json:"trouble,omitempty"`
	Why     string    `json:"why,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Ready is when trouble may be reported.
	Ready time.Time `json:"ready,omitzero"`
	// Lasting is the trouble that outlasted its grace period. Shorter trouble does not
	// count.
	Lasting string `json:"lasting,omitempty"`
	// Told is the trouble that was reported.
	Told string `json:"told,omitempty"`
	// Changes are the times of the changes within the last hour.
	Changes  []time.Time `json:"changes,omitempty"`
	Flapping bool        `json:"flapping,omitempty"`
}

// news is what must be reported of a condition.
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

// judge records the state of all conditions, and returns what must be reported.
func judge(all map[string]*told, o *observation) (items []item) {
	for _, c := range o.conditions {
		t := all[c.key]
		if t == nil {
			if c.trouble == "" {
				continue // no trouble, and none was reported
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
				what = worksAgain // the noted problem is gone
			}
			items = append(items, item{what, condition{key: key, title: t.Title, why: t.Why}})
		}
		delete(all, key)
	}
	return items
}

// judge records the state of one condition, and returns what is new about it.
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

// note records the state, and when the lasting trouble changed.
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
