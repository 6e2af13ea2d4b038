package retention

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// maxDrift is how far the claimed time of a snapshot may be from its receipt. The
	// claimed time is the start of the backup, which may take hours.
	maxDrift = 24 * time.Hour
	// Within burstSpan, at least burstLeast snapshots, and burstFactor times the usual
	// number, make a burst.
	burstSpan   = time.Hour
	burstLeast  = 5
	burstFactor = 4
	// A snapshot is far smaller if it is smallFactor times smaller than the median of the
	// smallWindow before it. Below smallFloor bytes, sizes are not compared.
	smallFactor = 4
	smallWindow = 5
	smallFloor  = 64 << 10
)

// Held is a snapshot that is neither removed nor counted.
type Held struct {
	*Snapshot
	Why string
}

// Plan says what happens to the snapshots of a repository.
type Plan struct {
	Keep, Remove []*Snapshot
	Held         []Held
}

// Decide computes a plan. It holds suspicious snapshots that nobody has acknowledged.
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

// drifts says why the claimed time of a snapshot is not plausible.
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

// bursts finds snapshots of modules that arrived at an unusual rate.
func bursts(snapshots []*Snapshot) map[*Snapshot]string {
	var sorted []*Snapshot
	for _, s := range snapshots {
		if !s.ByNode {
			sorted = append(sorted, s)
		}
	}
	slices.SortStableFunc(sorted, func(a, b *Snapshot) int { return a.When().Compare(b.When()) })
	around := make([]int, len(sorted)) // how many arrived within a span that begins with it
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

// usualRate is the median number of snapshots per hour, over the hours with any, so that a
// single busy hour changes nothing.
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
				continue // must not lower the median for the next ones
			}
			before = nil // an acknowledged size is the new normal
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
