package retention

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// maxDrift is how far the time that a snapshot claims may lie from when it was
	// received. A backup claims when it began, and may take hours.
	maxDrift = 24 * time.Hour
	// burstSpan is the time in which as many snapshots of a repository as burstLeast,
	// and as burstFactor times the usual, are a burst.
	burstSpan   = time.Hour
	burstLeast  = 5
	burstFactor = 4
	// smallFactor is how much smaller than the median of the smallWindow before it a
	// snapshot is far smaller; below smallFloor bytes sizes say nothing.
	smallFactor = 4
	smallWindow = 5
	smallFloor  = 64 << 10
)

// Held is a snapshot that neither goes nor makes another go.
type Held struct {
	*Snapshot
	Why string
}

// Plan is what would become of the snapshots of a repository.
type Plan struct {
	Keep, Remove []*Snapshot
	Held         []Held
}

// Decide makes a plan. What looks wrong, and nobody has acknowledged, is held.
func Decide(snapshots []*Snapshot, p Policy, by GroupBy, now time.Time) Plan {
	var plan Plan
	why := map[*Snapshot]string{}
	for _, s := range snapshots {
		if reason := s.drifts(now); reason != "" {
			why[s] = reason
		}
	}
	for s, reason := range bursts(snapshots) {
		if why[s] == "" {
			why[s] = reason
		}
	}
	for _, group := range by.Groups(snapshots) {
		maps.Copy(why, small(group, why))
		var counted []*Snapshot
		for _, s := range group {
			if why[s] != "" && !s.Acknowledged {
				plan.Held = append(plan.Held, Held{s, why[s]})
				continue
			}
			counted = append(counted, s)
		}
		keep, remove := p.Apply(counted, now)
		plan.Keep = append(plan.Keep, keep...)
		plan.Remove = append(plan.Remove, remove...)
	}
	return plan
}

// drifts says why the time that a snapshot claims is not believed.
func (s *Snapshot) drifts(now time.Time) string {
	if s.ByNode || s.Received.IsZero() {
		if s.Time.After(now.Add(maxDrift)) {
			return "it claims a time that is to come"
		}
		return ""
	}
	if drift := s.Time.Sub(s.Received); drift.Abs() > maxDrift {
		return fmt.Sprintf("it claims %s and was received %s", s.Time.UTC().Format(time.DateTime), s.Received.UTC().Format(time.DateTime))
	}
	return ""
}

// bursts finds snapshots of modules that came at a rate that is not the repository's.
func bursts(snapshots []*Snapshot) map[*Snapshot]string {
	var sorted []*Snapshot
	for _, s := range snapshots {
		if !s.ByNode {
			sorted = append(sorted, s)
		}
	}
	slices.SortStableFunc(sorted, func(a, b *Snapshot) int { return a.When().Compare(b.When()) })
	around := make([]int, len(sorted)) // how many came within a span that begins with it
	for i, end := 0, 0; i < len(sorted); i++ {
		for end < len(sorted) && sorted[end].When().Sub(sorted[i].When()) < burstSpan {
			end++
		}
		around[i] = end - i
	}
	usual := usualRate(sorted)
	found := map[*Snapshot]string{}
	for i, n := range around {
		if n < max(burstLeast, burstFactor*usual) {
			continue
		}
		for _, s := range sorted[i : i+n] {
			found[s] = fmt.Sprintf("it is one of %d within an hour", n)
		}
	}
	return found
}

// usualRate is how many snapshots come in an hour in which any comes: the median of all
// such hours, so that one hour of many changes nothing.
func usualRate(sorted []*Snapshot) int {
	hours := map[int64]int{}
	for _, s := range sorted {
		hours[s.When().Unix()/int64(burstSpan/time.Second)]++
	}
	counts := make([]int, 0, len(hours))
	for _, n := range hours {
		counts = append(counts, n)
	}
	if len(counts) == 0 {
		return 1
	}
	slices.Sort(counts)
	return counts[(len(counts)-1)/2]
}

// small finds the snapshots of a group that are far smaller than those before them.
func small(group []*Snapshot, why map[*Snapshot]string) map[*Snapshot]string {
	sorted := slices.Clone(group)
	slices.SortStableFunc(sorted, func(a, b *Snapshot) int { return a.When().Compare(b.When()) })
	found := map[*Snapshot]string{}
	var before []int64
	for _, s := range sorted {
		if s.Size < 0 || why[s] != "" && !s.Acknowledged {
			continue
		}
		if usual := median(before); usual >= smallFloor && s.Size < usual/smallFactor {
			found[s] = fmt.Sprintf("it holds %d bytes, those before it %d", s.Size, usual)
			if !s.Acknowledged {
				continue // else the next ones would be measured by it
			}
			before = nil // what was acknowledged is what is usual from here on
		}
		before = append(before, s.Size)
		if len(before) > smallWindow {
			before = before[1:]
		}
	}
	return found
}

func median(sizes []int64) int64 {
	if len(sizes) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(sizes))
	return sorted[(len(sorted)-1)/2]
}
