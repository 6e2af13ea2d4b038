package metrics

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/coverage"
	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// State is the state that a Collector reports.
type State interface {
	// Latest returns the last view, regardless of its age; nil before the first.
	Latest() *live.View
	// Ready reports whether the view is the present content of Redis, Failing whether the
	// last load failed.
	Ready() bool
	Failing() bool
	// MaxStale returns the maximum age of a view that requests are served from.
	MaxStale() time.Duration
}

// Collector reports the present state of the view and of its destinations at each scrape.
// The series of a removed destination disappear with it.
type Collector struct {
	state    State
	peers    Peers
	coverage Coverage
}

// Peers is the state of the other nodes.
type Peers interface {
	Status() []peer.Status
}

// Coverage says which scheduled modules have a backup.
type Coverage interface {
	Status() []coverage.Status
}

// NewCollector returns a Collector, to be registered in addition to the metrics of New.
func NewCollector(state State, peers Peers, coverage Coverage) *Collector {
	return &Collector{state, peers, coverage}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	descReady       = describe("ready", "1 while what is served is what Redis says now, else 0.")
	descReloadOK    = describe("reload_success", "1 if the last load from Redis succeeded, else 0.")
	descLoaded      = describe("reload_last_success_timestamp_seconds", "When the last load from Redis that succeeded had ended.")
	descViewAge     = describe("view_age_seconds", "How old the state is that requests are served from; none before the first load.")
	descViewMaxAge  = describe("view_max_age_seconds", "How old it may get before requests are refused (--max-stale).")
	descUsers       = describe("users", "Users that may use the gateway, by role.", "role")
	descKnown       = describe("destinations", "Destinations by what can be done with them: usable, or broken in Redis.", "state")
	descLeftOut     = describe("redis_entries_left_out", "Entries of Redis that are malformed and left out; the log names each.")
	descInfo        = describe("destination_info", "Always 1, for each destination; name and provider are as in Redis.", "destination", "name", "provider", "type")
	descUp          = describe("destination_up", "1 if the last operation on the destination's storage worked, 0 if it failed; none before its first use.", "destination")
	descBreaker     = describe("breaker_state", "1 for the state that the circuit breaker of the destination is in: closed, open (not asked), half_open (a probe is due or under way).", "destination", "state")
	descStoreErrors = describe("store_errors_total", "Failures of the destination's storage by class, each attempt counted, including ones that a retry recovered.", "destination", "type", "class")
	descSnapshots   = describe("snapshots_saved_total", "Snapshots that were saved at the destination: completed backups.", "destination")
	descLatest      = describe("destination_last_snapshot_timestamp_seconds", "When the last snapshot was saved at the destination; none before the first since the start.", "destination")
	descFree        = describe("destination_free_bytes", "Free space of the storage that the destination lies on, where it tells.", "destination")
	descUsed        = describe("destination_used_bytes", "Used space of the storage that the destination lies on, all that others keep there included, where it tells.", "destination")
	descSize        = describe("destination_size_bytes", "Size of the storage that the destination lies on, where it tells.", "destination")
	descStored      = describe("destination_stored_bytes", "Bytes that backups hold at the destination, where a quota made the gateway count.", "destination")
	descTrashBytes  = describe("destination_trash_bytes", "Bytes that the destination keeps of deleted objects, as last counted; they count for its storage and not for a module's quota.", "destination")
	descTrashCount  = describe("destination_trash_objects", "Deleted objects that the destination keeps, as last counted.", "destination")
	descGaveWay     = describe("destination_trash_gave_way_bytes_total", "Bytes of deleted objects that were purged before they expired, since the storage was full (destination alter --trash-gives-way).", "destination")
	descFrozen      = describe("destination_frozen_repositories", "Repositories at the destination that are frozen: their modules may read and not write.", "destination")
	descReached     = describe("destination_reached", "1 while this node itself reaches the destination, or was not refuted, 0 while it does not; none for one on another node's disk.", "destination")
	descPeerUp      = describe("peer_up", "1 while the peer answers for the destination, else 0; none where it was not asked.", "node", "destination")
	descScheduled   = describe("scheduled_modules", "Modules that a schedule names, by whether the destination holds a snapshot of theirs: held, none, or unknown (the storage did not say, or was not asked yet).", "schedule", "destination", "backups")
	descUnscheduled = describe("unscheduled_modules", "Modules that no schedule names which is turned on.")
	descQuota       = describe("destination_quota_bytes", "Bytes that backups may hold at the destination, where it has a quota.", "destination")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		descReady, descReloadOK, descLoaded, descViewAge, descViewMaxAge, descUsers, descKnown, descLeftOut, descInfo,
		descUp, descBreaker, descStoreErrors, descSnapshots, descLatest, descFree, descUsed, descSize, descStored, descTrashBytes, descTrashCount, descGaveWay, descFrozen, descQuota, descReached, descPeerUp,
		descScheduled, descUnscheduled,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	out := sender(metrics)
	v := c.state.Latest()
	out.gauge(descReady, oneIf(c.state.Ready()))
	out.gauge(descReloadOK, oneIf(v != nil && !c.state.Failing()))
	out.gauge(descViewMaxAge, c.state.MaxStale().Seconds())
	if v == nil {
		return
	}
	out.gauge(descLoaded, seconds(v.Loaded))
	out.gauge(descViewAge, time.Since(v.Loaded).Seconds())
	out.gauge(descLeftOut, float64(len(v.Snapshot.Warnings)))
	out.gauge(descKnown, float64(len(v.Mounts)), "usable")
	out.gauge(descKnown, float64(len(v.Snapshot.Broken)), "broken")
	users := map[catalog.Role]int{}
	for _, principal := range v.Snapshot.Principals {
		users[principal.Role]++
	}
	out.gauge(descUsers, float64(users[catalog.RoleAdmin]), "admin")
	out.gauge(descUsers, float64(users[catalog.RoleModule]), "module")
	out.gauge(descUsers, float64(users[catalog.RoleNode]), "node")
	out.schedules(c.coverage.Status(), v.Snapshot)
	// Series in the order of the response need not be sorted there, which is the most
	// expensive part of a scrape.
	ids := slices.Sorted(maps.Keys(v.Mounts))
	frozen := make(map[string]int)
	for repository := range v.Snapshot.Frozen {
		frozen[repository.Destination]++
	}
	for _, id := range ids {
		out.destination(id, v.Mounts[id])
		out.gauge(descFrozen, float64(frozen[id]), id)
	}
	for _, class := range classes {
		for _, id := range ids {
			m := v.Mounts[id]
			if report := m.Guard.Report(); report.Used {
				out.counter(descStoreErrors, report.Errors[class], id, typeLabel(m.Destination), class.String())
			}
		}
	}
	for _, link := range c.peers.Status() {
		out.gauge(descPeerUp, oneIf(link.Up), link.Node, link.Destination)
	}
}

// classes returns the names of the classes of storage failures.
var classes = func() (all []refusal.Class) {
	for class := refusal.Class(1); class < refusal.NumClasses; class++ {
		all = append(all, class)
	}
	slices.SortFunc(all, func(a, b refusal.Class) int { return strings.Compare(a.String(), b.String()) })
	return all
}()

// breakerStates returns the names of the states of a circuit breaker.
var breakerStates = slices.Sorted(slices.Values(guard.BreakerStates()))

// sender sends metrics to a scrape.
type sender chan<- prometheus.Metric

func (out sender) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (out sender) counter(desc *prometheus.Desc, value uint64, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

// schedules sends how many modules have a backup.
func (out sender) schedules(all []coverage.Status, snapshot *catalog.Snapshot) {
	for _, s := range all {
		id, destination := labelText(s.Schedule), labelText(s.Destination)
		out.gauge(descScheduled, float64(s.Held), id, destination, "held")
		out.gauge(descScheduled, float64(s.None), id, destination, "none")
		out.gauge(descScheduled, float64(s.Unknown), id, destination, "unknown")
	}
	scheduled := make(map[string]bool)
	for _, s := range snapshot.Schedules {
		for _, module := range s.Modules {
			scheduled["module/"+module] = true
		}
	}
	unscheduled := 0
	for name, p := range snapshot.Principals {
		if p.Role == catalog.RoleModule && len(p.Own) > 0 && !scheduled[name] {
			unscheduled++
		}
	}
	out.gauge(descUnscheduled, float64(unscheduled))
}

// destination sends the metrics of one destination.
func (out sender) destination(id string, m *live.Mount) {
	typ := typeLabel(m.Destination)
	out.gauge(descInfo, 1, id, labelText(m.Destination.Name), labelText(m.Destination.Provider), typ)
	if m.Destination.PeerNode == "" {
		out.gauge(descReached, oneIf(m.Guard.Reached()), id)
	}
	report := m.Guard.Report()
	out.counter(descSnapshots, report.Snapshots, id)
	if !report.Latest.IsZero() {
		out.gauge(descLatest, float64(report.Latest.Unix()), id)
	}
	if report.Used {
		out.gauge(descUp, oneIf(report.Works), id)
	}
	if report.Breaker != "" {
		for _, state := range breakerStates {
			out.gauge(descBreaker, oneIf(state == report.Breaker), id, state)
		}
	}
	out.space(id, m)
}

// space sends how full a destination is, if known.
func (out sender) space(id string, m *live.Mount) {
	if last, known := m.LastSpace(); known {
		for desc, value := range map[*prometheus.Desc]int64{descFree: last.Free, descUsed: last.Used, descSize: last.Total} {
			if value >= 0 {
				out.gauge(desc, float64(value), id)
			}
		}
	}
	if quota := m.Guard.Limits().Quota; quota > 0 {
		out.gauge(descQuota, float64(quota), id)
	}
	if stored, known := m.Guard.Stored(); known {
		out.gauge(descStored, float64(stored), id)
	}
	if held, counted := m.Trashed(); counted {
		out.gauge(descTrashBytes, float64(held.Bytes), id)
		out.gauge(descTrashCount, float64(held.Objects), id)
		out.counter(descGaveWay, uint64(m.GaveWay().Bytes), id)
	}
}

// typeLabel returns the type of a destination. For one on a peer's disk, only the peer
// knows it.
func typeLabel(d *catalog.Destination) string {
	if d.PeerNode != "" {
		return "peer"
	}
	return labelText(cmp.Or(d.Type, "unknown"))
}

// labelText converts a text from Redis, which may be any bytes, to a valid label.
func labelText(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
