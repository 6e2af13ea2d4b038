package status

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// States of a destination.
const (
	StateWorks     = "works"
	StateFails     = "fails"
	StateUnused    = "unused"
	StateUnreached = "unreached"
	StateBroken    = "broken"
	StatePeer      = "peer"
)

// destinations returns all destinations, sorted by name.
func (b *builder) destinations(modules []Module) []Destination {
	view := b.src.View
	all := []Destination{}
	for id, mount := range view.Mounts {
		all = append(all, b.destination(id, mount))
	}
	for id, reason := range view.Snapshot.Broken {
		if view.Mounts[id] == nil {
			all = append(all, Destination{ID: id, Name: id, State: StateBroken, Reason: reason, Level: Bad, Errors: map[string]uint64{}})
		}
	}
	for i := range all {
		d := &all[i]
		d.Schedules, d.Outcomes = []string{}, map[string]int{}
		for _, s := range view.Snapshot.Schedules {
			if s.Destination == d.ID {
				d.Schedules = append(d.Schedules, s.ID)
			}
		}
		for j := range modules {
			for k := range modules[j].Protections {
				if p := &modules[j].Protections[k]; p.Destination == d.ID {
					d.Outcomes[string(p.Outcome)]++
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Destination) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return all
}

// destination describes a destination in Redis.
func (b *builder) destination(id string, mount *live.Mount) Destination {
	limits := mount.Guard.Limits()
	d := Destination{
		ID: id, Name: cmp.Or(strings.TrimSpace(mount.Destination.Name), id), Provider: mount.Destination.Provider,
		Type: mount.Destination.Type, Node: mount.Destination.PeerNode, Errors: map[string]uint64{},
		Limits: Limits{limits.Upload, limits.Download, limits.Operations, limits.Quota, limits.ModuleQuota, int64(limits.Keep().Seconds())},
	}
	traffic := mount.Guard.Traffic()
	d.Traffic = Traffic{traffic.Requests, traffic.Failed, traffic.Received, traffic.Sent}
	report := mount.Guard.Report()
	for class := refusal.Class(1); class < refusal.NumClasses; class++ {
		if n := report.Errors[class]; n > 0 {
			d.Errors[class.String()] = n
		}
	}
	d.Breaker, d.Snapshots, d.Latest = report.Breaker, report.Snapshots, unlessZero(report.Latest)
	switch {
	case d.Node != "":
		d.State, d.Level, d.Breaker = StatePeer, b.peerLevel(d.Node, id), ""
	case !mount.Guard.Reached():
		d.State, d.Level = StateUnreached, Bad
	case !report.Used:
		d.State, d.Level = StateUnused, Unknown
	case report.Works:
		d.State, d.Level = StateWorks, Good
	default:
		d.State, d.Level = StateFails, Bad
	}
	b.addSpace(&d, mount, &limits)
	return d
}

// peerLevel rates how another node answers for a destination on its disk.
func (b *builder) peerLevel(node, id string) Level {
	for _, p := range b.src.Peers {
		if p.Node == node && p.Destination == id {
			return map[bool]Level{true: Good, false: Bad}[p.Up]
		}
	}
	return Unknown
}

// fewDays is the time before a storage is full that needs attention.
const fewDays = 14

// addSpace adds how full a destination is.
func (b *builder) addSpace(d *Destination, mount *live.Mount, limits *catalog.Limits) {
	if held, counted := mount.Guard.Stored(); counted {
		d.Held = &held
	}
	if trash, counted := mount.Trashed(); counted {
		d.Trash = &Trash{trash.Objects, trash.Bytes, trash.At}
	}
	space, known := mount.LastSpace()
	if !known {
		return
	}
	told := Space{Free: orNil(space.Free), Used: orNil(space.Used), Total: orNil(space.Total)}
	left := int64(-1)
	if told.Free != nil {
		left = *told.Free
	}
	if limits.Quota > 0 && d.Held != nil && (left < 0 || limits.Quota-*d.Held < left) {
		left = max(0, limits.Quota-*d.Held)
	}
	if told == (Space{}) {
		return
	}
	d.Space = &told
	daily, known := b.src.Trends.Daily(d.ID)
	if !known {
		return
	}
	told.Daily = &daily
	if daily > 0 && left >= 0 && left/daily < maxOutlook {
		days := int(left / daily)
		told.Full = dayText(dayNumber(b.src.Time, b.book.zone) + days)
		if days <= fewDays {
			d.Level = worse(d.Level, Warning)
		}
	}
}

// maxOutlook bounds, in days, how far the trend is extrapolated.
const maxOutlook = 730

// orNil converts a number from a storage; unknown becomes nil.
func orNil(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
