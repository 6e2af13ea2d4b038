package retention

import (
	"slices"
	"time"
)

// Suspects returns the snapshots that somebody should review, by time and with all reasons:
// those that [Decide] holds, and those from an unusual host.
func Suspects(snapshots []*Snapshot, by GroupBy, now time.Time) []Held {
	var found []Held
	why := map[*Snapshot]string{}
	note := func(s *Snapshot, reason string) {
		if reason == "" {
			return
		}
		if why[s] == "" {
			why[s] = reason
		}
		found = append(found, Held{s, reason})
	}
	for _, s := range snapshots {
		note(s, s.drifts(now))
	}
	for s, reason := range bursts(snapshots) {
		note(s, reason)
	}
	usual := usualHost(snapshots)
	for _, s := range snapshots {
		if usual != "" && s.Hostname != usual {
			note(s, "it is from host "+s.Hostname+", most are from "+usual)
		}
	}
	for _, group := range by.Groups(snapshots) {
		for s, reason := range small(group, why) {
			note(s, reason)
		}
	}
	slices.SortStableFunc(found, func(a, b Held) int { return a.When().Compare(b.When()) })
	return found
}

// usualHost returns the host of more than half of the snapshots, "" if there is none.
func usualHost(snapshots []*Snapshot) string {
	counts := map[string]int{}
	for _, s := range snapshots {
		counts[s.Hostname]++
	}
	for host, n := range counts {
		if 2*n > len(snapshots) {
			return host
		}
	}
	return ""
}
